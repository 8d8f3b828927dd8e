"""Gradients of norm one."""

from keras import ops

from keras_optlab.core import Choice, FloatOrSchedule, Hyper
from keras_optlab.core.numerics import global_norm, norm
from keras_optlab.transforms.base import Transform


class NormalizeGradient(Transform):
    r"""Divide the gradient by its norm, so that only its direction counts.

    $g \leftarrow g / (\|g\| + \epsilon)$.

    Args:
        over: Whose norm it is: with `"tensor"` each tensor has its own, with `"all"`
            there is one, of all tensors together.
        epsilon: $\epsilon > 0$; a number or a schedule. A gradient much shorter than
            this stays short, and zero stays zero.

    Source: for each tensor Yu, Huang, Lin and Carbonell, 2017, arXiv:1707.04822;
    for all together Hazan, Levy and Shalev-Shwartz, 2015, arXiv:1507.02030. Neither has
    an epsilon. optax' `normalize_by_update_norm` is the second, with one of 1e-6.

    >>> from keras_optlab import optimizers, transforms
    >>> normalize = transforms.NormalizeGradient(over="all")
    >>> optimizer = optimizers.SGD(gradient_transforms=[normalize])
    """

    sides = ("gradient",)
    over: str = Choice(
        default="tensor", doc="whose norm it is", choices=("tensor", "all")
    )
    epsilon: FloatOrSchedule = Hyper(default=1e-7, doc="small number ε beside the norm")

    def run(self, xs, seen, s, z, h):
        total = global_norm(xs) if h.over == "all" else None
        return [self._unit(x, total, h.cast(x.dtype)) for x in xs], s, z

    def _unit(self, x, total, h):
        length = norm(x) if total is None else ops.cast(total, x.dtype)
        return x / (length + h.epsilon)
