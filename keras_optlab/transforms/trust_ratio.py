"""Layer-wise trust ratios, as in LARS and LAMB."""

from typing import Any

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, Values
from keras_optlab.core.numerics import maximum, minimum, norm
from keras_optlab.transforms.base import TensorTransform


class TrustRatio(TensorTransform):
    r"""Make each tensor's update as long as the learning rate times its weights.

    An update $\Delta = -\eta u$ already holds the learning rate $\eta$. The direction
    $u$ is scaled to the length of the weights, $\Delta \leftarrow
    \frac{\phi(\|w\|)}{\|u\|} \Delta = \eta \frac{\phi(\|w\|)}{\|\Delta\|} \Delta$, with
    $\phi(x) = \min(\max(x, \text{low}), \text{high})$. Where $\phi(\|w\|)$ or $\|u\|$
    is zero the ratio is 1. $\eta$ is the present rate, with its schedule and the factor
    of the tensor's group, also where a rule keeps steps of earlier rates in a momentum.

    Args:
        low: Least norm >= 0 that weights are taken to have; a number or a schedule.
        high: Largest such norm > 0, not below `low`; a number, a schedule, or `None`
            for no bound.

    Raises:
        ValueError: if `low` is above `high`.

    Source: You et al., 2019, arXiv:1904.00962, Algorithm 2 (LAMB) and section 3 for the
    bounds; You, Gitman and Ginsburg, 2017, arXiv:1708.03888 (LARS). LAMB is this after
    Adam and LARS this after SGD, except in two things: in both the decay counts in
    $u$, while an optimizer's decoupled `weight_decay` stands apart from the ratio, and
    LARS applies the ratio ahead of its momentum. LARS' coefficient is a factor of the
    learning rate. All tensors are scaled, biases too, as in optax'
    `scale_by_trust_ratio`.

    >>> from keras_optlab import optimizers, transforms
    >>> ratio = transforms.TrustRatio(high=10.0)
    >>> lamb = optimizers.Adam(0.01, update_transforms=[ratio])
    """

    sides = ("update",)
    low: FloatOrSchedule = Hyper(
        default=0.0, within=">= 0", doc="least norm of weights"
    )
    high: FloatOrSchedule | None = Hyper(default=None, doc="largest norm of weights")

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return the checked arguments."""
        values = super().bind(*args, **kwargs)
        low, high = values.low, values.high
        if isinstance(low, float) and isinstance(high, float) and low > high:
            raise ValueError(
                f"`low` must not be above `high`. Received: low={low}, high={high}"
            )
        return values

    def one(self, x, seen, s, h):
        weight = maximum(norm(seen.w), h.low)
        if h.high is not None:
            weight = minimum(weight, h.high)
        update = norm(x)
        ratio = ops.cast(seen.learning_rate, x.dtype) * weight / update
        both = ops.logical_and(weight > 0, update > 0)
        return x * ops.where(both, ratio, ops.ones_like(ratio)), s
