"""Clipping of updates by their RMS, as in Adafactor."""

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, Values
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import TensorTransform
from keras_optlab.transforms.means import mean


class ClipUpdate(TensorTransform):
    r"""Clipping of each tensor's update to an RMS of at most $d$ learning rates.

    An update $\Delta = -\eta u$ already holds the learning rate $\eta$. The direction
    $u$ is clipped, for each tensor separately:
    $\Delta \leftarrow \Delta / \max(1, \operatorname{RMS}(u) / d)$,
    $\operatorname{RMS}(u) = \operatorname{RMS}(\Delta) / \eta$. $\eta$ is the present
    rate, with its schedule and its group's factor, even if a momentum holds steps at
    earlier rates.

    Args:
        threshold: $d > 0$; a number or a schedule.

    Source: Shazeer and Stern, 2018, arXiv:1804.04235, section 6, where $d = 1$. optax'
    `clip_by_block_rms` does the same before the learning rate.

    >>> from keras_optlab import optimizers, transforms
    >>> clip = transforms.ClipUpdate(threshold=1.0)
    >>> optimizer = optimizers.RMSprop(update_transforms=[clip])
    """

    sides = ("update",)
    clips = True
    threshold: FloatOrSchedule = Hyper(default=1.0, doc="largest RMS d")

    def one(
        self, x: Tensor, seen: Values, s: Values, h: Values
    ) -> tuple[Tensor, Values]:
        limit = h.threshold * ops.cast(seen.learning_rate, x.dtype)
        rms = ops.sqrt(mean(ops.square(x)))
        return x * ops.where(rms > limit, limit / rms, ops.ones_like(rms)), s
