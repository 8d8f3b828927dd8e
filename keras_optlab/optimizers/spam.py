"""SPAM."""

import math

from keras import ops

from keras_optlab.core import (
    Beta,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.numerics import cosine, ema, minimum, one_minus_power
from keras_optlab.core.periods import as_integer_period
from keras_optlab.engine import Optimizer


class SPAM(Optimizer, family="adaptive"):
    r"""SPAM: Adam with spike clipping and periodic reset of the moments.

    Every $T$ updates, both moments are reset to zero and the rate warms up: $k < W$
    updates after a reset it is multiplied by
    $1 - 0.99\, [1 + \cos(\pi k / (W + 1))] / 2$. From $N$ updates after a reset on,
    $g_t^2$ is clipped to $\theta_c v_{t-1}$:

    $$\tilde g_t = \operatorname{sign}(g_t)
      \min\bigl(|g_t|, \sqrt{\theta_c v_{t-1}}\bigr),$$

    where $v_{t-1} > 0$, and `Adam` uses $\tilde g_t$ as the gradient.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        threshold: $\theta_c$ > 0.
        reset_every: $T$ >= 1 updates.
        warmup_steps: $W$ >= 0 updates.
        clip_after: $N$ >= 0 updates.
        epsilon: $\epsilon$ >= 0, placed as `"hat"` in `Adam`.
        **kwargs: Arguments of every `Optimizer`.

    Source: Huang et al., 2025, arXiv:2501.06842, Algorithm 1, as in the authors' code:
    a reset does not restart bias correction, and the mask that updates only a part of
    the entries, off by default, is left out. That code also clips where
    $v_{t-1} = 0$, to 0, so that an entry without gradients before stays until the next
    reset. pytorch_optimizer 4.1 is one step ahead in the warm-up.

    >>> optimizer = SPAM(1e-3, reset_every=1000)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    threshold: FloatOrSchedule = Hyper(default=5000.0, doc="spike threshold θ")
    reset_every: int = Hyper(
        default=500, within=">= 1", doc="updates T between resets", integer=True
    )
    warmup_steps: int = Hyper(
        default=150, within=">= 0", doc="warm-up updates W", integer=True
    )
    clip_after: int = Hyper(
        default=20, within=">= 0", doc="updates N without clipping", integer=True
    )
    epsilon: FloatOrSchedule = Hyper(default=1e-6, within=">= 0", doc="stabilizer ε")

    slots = (Slot("m"), Slot("v", non_negative=True))
    paper = Paper(
        "SPAM: Spike-aware Adam with momentum reset for stable LLM training",
        "Huang et al.",
        2025,
        "2501.06842",
    )
    tuning = Tuning(
        around(3e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "reset_every": LogUniform(200, 2000, integer=True),
            "threshold": LogUniform(500.0, 50000.0),
        },
        use_when="The loss has spikes, which Adam's moments would remember for long.",
        not_when="Training is calm: each reset costs a new warm-up.",
    )

    def prepare(self, h, t, z):
        k = ops.cast(h.count % as_integer_period(h.reset_every, h.count), t.dtype)
        warming = ops.logical_and(t >= h.reset_every, k < h.warmup_steps)
        wave = (1 + cosine(math.pi * k / (h.warmup_steps + 1))) / 2
        alpha_t = (
            h.learning_rate
            * ops.where(warming, 1 - 0.99 * wave, 1.0)
            * ops.sqrt(one_minus_power(h.beta_2, t))
            / one_minus_power(h.beta_1, t)
        )
        kept, clips = ops.where(k > 0, 1.0, 0.0), ops.where(k >= h.clip_after, 1.0, 0.0)
        return h.extend(alpha_t=alpha_t, kept=kept, clips=clips), z

    def update(self, w, g, s, h, t):
        m, v = h.kept * s.m, h.kept * s.v
        clipped = ops.sign(g) * minimum(ops.abs(g), ops.sqrt(h.threshold * v))
        g = ops.where(ops.logical_and(h.clips > 0, v > 0), clipped, g)
        m, v = ema(m, g, h.beta_1), ema(v, ops.square(g), h.beta_2)
        return -h.alpha_t * m / (ops.sqrt(v) + h.epsilon), s.next(m=m, v=v)
