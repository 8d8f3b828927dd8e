"""Layer-wise trust ratios, as in LARS and LAMB."""

from typing import Any

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, Values
from keras_optlab.core.numerics import maximum, minimum, norm
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import TensorTransform


class TrustRatio(TensorTransform):
    r"""Trust ratio: each tensor's update scaled to the learning rate times weight norm.

    An update $\Delta = -\eta u$ already holds the learning rate $\eta$. The direction
    $u$ is scaled to the norm of the weights, $\Delta \leftarrow
    \frac{\phi(\|w\|)}{\|u\|} \Delta = \eta \frac{\phi(\|w\|)}{\|\Delta\|} \Delta$, with
    $\phi(x) = \min(\max(x, \text{low}), \text{high})$. Where $\phi(\|w\|)$ or $\|u\|$
    is zero, the update stays unchanged. $\eta$ is the present rate, with its schedule
    and its group's factor, even if a momentum holds steps at earlier rates.

    Args:
        low: Lower bound >= 0 on the weight norm; a number or a schedule.
        high: Upper bound > 0 on the weight norm, not below `low`; a number, a schedule,
            or `None` for no bound.

    Raises:
        ValueError: if `low` is above `high`.

    Source: You et al., 2019, arXiv:1904.00962, Algorithm 2 (LAMB) and section 3 for the
    bounds; You, Gitman and Ginsburg, 2017, arXiv:1708.03888 (LARS). `TrustRatio` after
    Adam is LAMB, and after SGD it is LARS, with two differences: both papers include
    weight decay in $u$, while an optimizer's decoupled `weight_decay` stays outside the
    ratio, and LARS applies the ratio before momentum. LARS' coefficient is a factor of
    the learning rate. All tensors are scaled, biases too, as in optax'
    `scale_by_trust_ratio`.

    >>> from keras_optlab import optimizers, transforms
    >>> ratio = transforms.TrustRatio(high=10.0)
    >>> lamb = optimizers.Adam(0.01, update_transforms=[ratio])
    """

    sides = ("update",)
    low: FloatOrSchedule = Hyper(default=0.0, within=">= 0", doc="smallest weight norm")
    high: FloatOrSchedule | None = Hyper(default=None, doc="largest weight norm")

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

    def one(
        self, x: Tensor, seen: Values, s: Values, h: Values
    ) -> tuple[Tensor, Values]:
        weight = maximum(norm(seen.w), h.low)
        if h.high is not None:
            weight = minimum(weight, h.high)
        update = norm(x)
        ratio = ops.cast(seen.learning_rate, x.dtype) * weight / update
        both = ops.logical_and(weight > 0, update > 0)
        return x * ops.where(both, ratio, ops.ones_like(ratio)), s
