"""Clipping at a percentile of the norms so far."""

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, Slot
from keras_optlab.core.numerics import global_norm, maximum, minimum
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import Transform
from keras_optlab.transforms.clip import clip_by_global_norm


def as_many_as_kept(weight: Weight) -> Shape:
    """Return the shape of the norms that are kept."""
    return (weight.values.length,)


def finite_percentile(xs: Tensor, percentile: Tensor) -> Tensor:
    """Return a percentile of the finite entries, linear between neighbours."""
    ranked = ops.sort(xs)  # the others come last
    last = maximum(ops.sum(ops.cast(ops.isfinite(xs), xs.dtype)) - 1, 0.0)
    rank = last * percentile / 100
    below = ops.floor(rank)
    low = ops.take(ranked, ops.cast(below, "int32"))
    high = ops.take(ranked, ops.cast(minimum(below + 1, last), "int32"))
    return low + (rank - below) * (high - low)


class AutoClip(Transform):
    r"""Shorten all tensors together to a percentile of the norms so far.

    With $G_t$ the norm of all gradients of update $t$,
    $g \leftarrow g \min(1, \eta_t / G_t)$, where $\eta_t$ is the $p$-th percentile of
    $G_1, \dots, G_t$, linear between neighbours as in NumPy. The first update is never
    clipped; later on about $100 - p$ percent of them are.

    Args:
        percentile: $p$ in [0, 100]; a number or a schedule.
        length: Number of updates >= 1 whose norms are kept, as state of the optimizer.
            The paper keeps all, for which a compiled step has no room; with fewer, a
            training that calms down is clipped by its present norms.

    A norm that is not finite is not kept.

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
        default=1000, within=">= 1", integer=True, adjustable=False, doc="norms kept"
    )

    def run(self, xs, seen, s, z, h):
        since = seen[0].count - 1  # the same for all
        here = ops.arange(h.length, dtype=since.dtype) == since % h.length
        total = global_norm(xs)
        norms = ops.where(here, ops.cast(total, z.norms.dtype), z.norms)
        limit = finite_percentile(norms, h.percentile)
        return clip_by_global_norm(xs, limit, total), s, z.next(norms=norms)
