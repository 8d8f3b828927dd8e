"""Schedule-free AdamW."""

from keras import ops

from keras_optlab.core import (
    Beta,
    Choices,
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
from keras_optlab.core import schedule_free as free
from keras_optlab.core.numerics import ema, one_minus_power
from keras_optlab.engine import Optimizer


class ScheduleFreeAdamW(Optimizer, family="schedule-free"):
    r"""Schedule-free AdamW: an average of the weights replaces learning-rate decay.

    $$v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2, \qquad
      z_{t+1} = z_t - \eta_t \left(
      \frac{g_t}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon} + \lambda y_t \right)$$

    with $x$, $y$, $\eta_t$ and both sets of weights as in `ScheduleFreeSGD`.

    Args:
        learning_rate: $\eta$ >= 0, 1 to 10 times the rate of AdamW with a schedule.
        beta_1: $\beta_1$ in (0, 1), the interpolation.
        beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ >= 0.
        warmup_steps: $T$ >= 0 updates of warm-up.
        weight_lr_power: $r$ >= 0, the power of the rate in $c_t$.
        **kwargs: Arguments of every `Optimizer`; `weight_decay` is $\lambda$.

    Source: Defazio et al., 2024, arXiv:2405.15682, Algorithm 1, with $c_t$ of the
    authors' code. Keras' class of this name averages all steps alike, leaves $y$ in
    the model after training, and on TensorFlow and torch reads $z$ after overwriting.

    >>> optimizer = ScheduleFreeAdamW(2.5e-3, warmup_steps=100, weight_decay=0.01)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.0025)
    beta_1: FloatOrSchedule = Beta(default=0.9, within="(0, 1)", doc="interpolation β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")
    warmup_steps: FloatOrSchedule = Hyper(
        default=0, within=">= 0", doc="warm-up updates T"
    )
    weight_lr_power: FloatOrSchedule = Hyper(
        default=2.0, within=">= 0", doc="power r of the rate in the average's weights"
    )

    slots = (free.STEPS, Slot("v", non_negative=True))
    shared = free.SHARED
    decays_in_rule = True
    paper = Paper("The road less scheduled", "Defazio et al.", 2024, "2405.15682")
    tuning = Tuning(
        around(0.01),
        schedule="constant",
        others={
            "warmup_steps": LogUniform(10, 300, integer=True),
            "beta_1": Choices((0.9, 0.95, 0.98)),
            "weight_decay": LogUniform(0.003, 0.3),
        },
        use_when="The length of training is open: it may stop at any update.",
        not_when="There is batch normalization: its statistics are of other weights.",
    )

    def prepare(self, h, t, z):
        h = h.extend(bias_2=one_minus_power(h.beta_2, t))
        return free.with_average_weight(h, t, z, h.warmup_steps, h.weight_lr_power)

    def update(self, w, g, s, h, t):
        v = ema(s.v, ops.square(g), h.beta_2)
        direction = g / (ops.sqrt(v / h.bias_2) + h.epsilon)
        decay = 0.0 if h.weight_decay is None else h.weight_decay * w
        s = s.next(v=v)
        return free.apply_step(
            w, -h.learning_rate * (direction + decay), s, h, h.beta_1
        )

    def to_evaluation(self, w, s, h):
        return free.average(w, s, h.beta_1), s

    def to_training(self, w, s, h):
        return free.interpolation(w, s, h.beta_1), s
