"""Cautious weight decay."""

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, Values
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import TensorTransform


class CautiousWeightDecay(TensorTransform):
    r"""Weight decay only on entries that the update moves towards zero.

    An update $\Delta = -\eta u$ already holds the learning rate $\eta$. Where the
    direction $u$ and the weight $w$ have the same sign, or one is zero, decoupled decay
    is added: $\Delta \leftarrow \Delta - \eta \lambda [u w \ge 0] w$. Elsewhere decay
    would work against the update and is left out.

    Args:
        weight_decay: $\lambda \ge 0$; a number or a schedule. Start with the value for
            ordinary weight decay.

    The transform replaces the optimizer's `weight_decay`, which should be `None` or 0,
    and applies to the same weights: `decay_mask` and `exclude_from_weight_decay` leave
    weights out, and `decay_schedule` applies. $\eta$ is the present rate, with its
    schedule and its group's factor. Put the transform last; transforms after it would
    change the weight decay too.

    Source: Chen et al., 2025, arXiv:2510.12402. The default is that of Keras' `AdamW`.

    >>> from keras_optlab import optimizers, transforms
    >>> decay = transforms.CautiousWeightDecay(0.1)
    >>> optimizer = optimizers.Adam(update_transforms=[decay], decay_mask="matrices")
    """

    sides = ("update",)
    weight_decay: FloatOrSchedule = Hyper(default=0.004, within=">= 0", doc="decay λ")

    def one(
        self, x: Tensor, seen: Values, s: Values, h: Values
    ) -> tuple[Tensor, Values]:
        if not seen.decays:
            return x, s
        agrees = ops.cast(ops.sign(x) * seen.w <= 0, x.dtype)
        rate = ops.cast(seen.learning_rate * seen.decay_factor, x.dtype)
        rate = rate * h.weight_decay
        return x - rate * (agrees * seen.w), s
