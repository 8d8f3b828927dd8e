"""Grokfast."""

from keras import ops

from keras_optlab.core import (
    Beta,
    Choices,
    FloatOrSchedule,
    Hyper,
    LogUniform,
    Paper,
    Slot,
    Tuning,
)
from keras_optlab.core.numerics import ema
from keras_optlab.engine.wrapper import Wrapper


class Grokfast(Wrapper, family="gradient filter"):
    r"""Grokfast: amplifies the exponential moving average of the gradients.

    $$e_t = \alpha e_{t-1} + (1 - \alpha)\, g_t, \quad e_1 = g_1, \qquad
      \hat g_t = g_t + \lambda\, e_t$$

    and the inner optimizer receives $\hat g_t$ as the gradient.

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer`.
        grokfast_alpha: $\alpha$ in [0, 1).
        grokfast_lambda: $\lambda$ >= 0.

    Source: Lee et al., 2024, arXiv:2405.20233, Grokfast-EMA.

    >>> from keras_optlab import optimizers
    >>> optimizer = Grokfast(optimizers.AdamW(1e-3), grokfast_lambda=2.0)
    """

    grokfast_alpha: FloatOrSchedule = Beta(default=0.98, doc="decay α of the average")
    grokfast_lambda: FloatOrSchedule = Hyper(
        default=2.0, within=">= 0", doc="amplification factor λ"
    )

    slots = (Slot("grokfast_mean"),)
    paper = Paper(
        "Grokfast: Accelerated grokking by amplifying slow gradients",
        "Lee et al.",
        2024,
        "2405.20233",
    )
    tuning = Tuning(
        None,
        others={
            "grokfast_alpha": Choices((0.9, 0.98)),
            "grokfast_lambda": LogUniform(0.1, 5.0),
        },
        use_when="A model fits its training data long before it generalizes.",
        not_when="Training is ordinary: it then acts as a higher rate and momentum.",
    )

    def local_sums(self, w, g, s, h, t):
        return super().local_sums(w, self.amplified(g, s, h, t)[0], s, h, t)

    def update(self, w, g, s, h, t):
        g, slow = self.amplified(g, s, h, t)
        u, s = super().update(w, g, s, h, t)
        return u, s.next(grokfast_mean=slow)

    def amplified(self, g, s, h, t):
        """Return the amplified gradient and its moving average."""
        slow = ops.where(t > 1, ema(s.grokfast_mean, g, h.grokfast_alpha), g)
        return g + h.grokfast_lambda * slow, slow
