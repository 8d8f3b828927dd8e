"""Orthogonalized updates, as in Muon."""

from keras import ops

from keras_optlab.core import Choice, Flag, Hyper, Values
from keras_optlab.core.matrices import matrix_shape, update_scale
from keras_optlab.core.newton_schulz import newton_schulz, per_iteration
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import TensorTransform


class Orthogonalize(TensorTransform):
    r"""Orthogonalized updates: Newton-Schulz makes all singular values about equal.

    A matrix' update $\Delta$ becomes $\eta\, c \operatorname{NS}(\Delta)$, with
    Newton-Schulz iterations $\operatorname{NS}$ as in `Muon`, and $\eta$ the present
    rate, with its schedule and its group's factor. Vectors and scalars stay unchanged.

    As an update transform, it runs after momentum: after `SGD(momentum=0.95,
    nesterov=True)` it is Muon's step for matrices. It transforms every matrix, while
    `optimizers.Muon` uses AdamW for embeddings, vectors and selected layers.

    Args:
        ns_steps: Number of Newton-Schulz iterations >= 1.
        scaling: `"moonlight"`, $c = 0.2 \sqrt{\max(\text{in}, \text{out})}$, which
            makes an update about as long as AdamW's, or `"jordan"`,
            $c = \sqrt{\max(1, \text{out} / \text{in})}$, for rates of about 0.02.
        flatten_kernels: Whether convolution kernels are matrices with one column per
            output; else they stay unchanged.

    Source: Jordan et al. (2024), Muon; Liu et al., 2025, arXiv:2502.16982, for the
    first scaling.

    >>> from keras_optlab import optimizers, transforms
    >>> optimizer = optimizers.SGD(
    ...     1e-3, momentum=0.9, update_transforms=[transforms.Orthogonalize()]
    ... )
    """

    sides = ("update",)
    ns_steps: int = Hyper(
        default=5, within=">= 1", integer=True, adjustable=False, doc="NS iterations"
    )
    scaling: str = Choice(
        default="moonlight", choices=("moonlight", "jordan"), doc="scale of an update"
    )
    flatten_kernels: bool = Flag(default=False, doc="flatten convolution kernels")

    def one(
        self, x: Tensor, seen: Values, s: Values, h: Values
    ) -> tuple[Tensor, Values]:
        axes = len(x.shape)
        if axes < 2 or (axes > 2 and not h.flatten_kernels):
            return x, s
        triples = per_iteration("jordan", h.ns_steps)
        direction = newton_schulz(ops.reshape(x, matrix_shape(x.shape)), triples)
        length = update_scale(x.shape, h.scaling)
        rate = ops.cast(seen.learning_rate, x.dtype)
        return rate * (length * ops.reshape(direction, x.shape)), s
