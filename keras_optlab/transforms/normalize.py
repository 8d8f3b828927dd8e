"""Gradient normalization."""

from keras import ops

from keras_optlab.core import Choice, FloatOrSchedule, Hyper, Values
from keras_optlab.core.numerics import global_norm, norm
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import Transform


class NormalizeGradient(Transform):
    r"""Gradient normalization: the gradient divided by its norm.

    $g \leftarrow g / (\|g\| + \epsilon)$.

    Args:
        over: `"tensor"` divides each tensor by its own norm, `"all"` divides all
            tensors by their global norm.
        epsilon: $\epsilon > 0$; a number or a schedule. A gradient with a much smaller
            norm stays small, and zero stays zero.

    Source: Yu, Huang, Lin and Carbonell, 2017, arXiv:1707.04822, for each tensor;
    Hazan, Levy and Shalev-Shwartz, 2015, arXiv:1507.02030, for the global norm. Neither
    has an epsilon. optax' `normalize_by_update_norm` is the global form with 1e-6.

    >>> from keras_optlab import optimizers, transforms
    >>> normalize = transforms.NormalizeGradient(over="all")
    >>> optimizer = optimizers.SGD(gradient_transforms=[normalize])
    """

    sides = ("gradient",)
    over: str = Choice(
        default="tensor", doc="scope of the norm", choices=("tensor", "all")
    )
    epsilon: FloatOrSchedule = Hyper(default=1e-7, doc="stabilizer ε")

    def run(
        self,
        xs: list[Tensor],
        seen: list[Values],
        s: list[Values],
        z: Values,
        h: Values,
    ) -> tuple[list[Tensor], list[Values], Values]:
        total = global_norm(xs) if h.over == "all" else None
        return [self._unit(x, total, h.cast(x.dtype)) for x in xs], s, z

    def _unit(self, x: Tensor, total: Tensor, h: Values) -> Tensor:
        length = norm(x) if total is None else ops.cast(total, x.dtype)
        return x / (length + h.epsilon)
