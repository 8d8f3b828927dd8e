"""Gradient clipping at a percentile of the norms so far."""

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, Slot, Values
from keras_optlab.core.numerics import global_norm, maximum, minimum
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import Transform
from keras_optlab.transforms.clip import clip_by_global_norm


def as_many_as_kept(weight: Weight) -> Shape:
    """Return the shape of the stored norms."""
    return (weight.values.length,)


def finite_percentile(xs: Tensor, percentile: Tensor) -> Tensor:
    """Return a percentile of the finite entries, linearly interpolated."""
    ranked = ops.sort(xs)  # non-finite entries come last
    last = maximum(ops.sum(ops.cast(ops.isfinite(xs), xs.dtype)) - 1, 0.0)
    rank = last * percentile / 100
    below = ops.floor(rank)
    low = ops.take(ranked, ops.cast(below, "int32"))
    high = ops.take(ranked, ops.cast(minimum(below + 1, last), "int32"))
    return low + (rank - below) * (high - low)


class AutoClip(Transform):
    r"""Global-norm clipping at a percentile of the norms so far.

    With $G_t$ the norm of all gradients of update $t$,
    $g \leftarrow g \min(1, \eta_t / G_t)$, where $\eta_t$ is the $p$-th percentile of
    $G_1, \dots, G_t$, linearly interpolated as in NumPy. The first update is never
    clipped; later about $100 - p$ percent of the updates are.

    Args:
        percentile: $p$ in [0, 100]; a number or a schedule.
        length: Number >= 1 of past norms that the optimizer's state stores.
            The paper stores all, but the state of a compiled step has a fixed shape.
            With fewer, the limit follows the norms when they fall.

    Non-finite norms do not count.

    Source: Seetharaman, Wichern, Pardo and Le Roux, 2020, arXiv:2007.14469.

    >>> from keras_optlab import optimizers, transforms
    >>> clip = transforms.AutoClip(percentile=10)
    >>> optimizer = optimizers.Adam(gradient_transforms=[clip])
    """

    sides = ("gradient",)
    clips = True
    shared = (Slot("norms", init=float("inf"), shape=as_many_as_kept),)
    percentile: FloatOrSchedule = Hyper(
        default=10.0, within="[0, 100]", doc="percentile p"
    )
    length: int = Hyper(
        default=1000, within=">= 1", integer=True, adjustable=False, doc="norms stored"
    )

    def run(
        self,
        xs: list[Tensor],
        seen: list[Values],
        s: list[Values],
        z: Values,
        h: Values,
    ) -> tuple[list[Tensor], list[Values], Values]:
        since = seen[0].count - 1  # the same for all tensors
        here = ops.arange(h.length, dtype=since.dtype) == since % h.length
        total = global_norm(xs)
        norms = ops.where(here, ops.cast(total, z.norms.dtype), z.norms)
        limit = finite_percentile(norms, h.percentile)
        return clip_by_global_norm(xs, limit, total), s, z.next(norms=norms)
