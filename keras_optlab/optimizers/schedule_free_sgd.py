"""Schedule-free SGD."""

from keras_optlab.core import (
    Beta,
    Choices,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Paper,
    Tuning,
    around,
)
from keras_optlab.core import schedule_free as free
from keras_optlab.engine import Optimizer


class ScheduleFreeSGD(Optimizer, family="schedule-free"):
    r"""Schedule-free SGD: an average of the weights replaces learning-rate decay.

    $$z_{t+1} = z_t - \eta_t (g_t + \lambda y_t), \qquad
      x_{t+1} = (1 - c_t)\, x_t + c_t\, z_{t+1}, \qquad
      y_{t+1} = (1 - \beta)\, z_{t+1} + \beta\, x_{t+1}$$

    with $g_t$ the gradient at $y_t$, $\eta_t = \eta \min(1, t/T)$ and $c_t$
    proportional to $(\max_{i \le t} \eta_i)^r$.

    $y$ are the training weights, $x$ the evaluation weights. A compiled model holds $x$
    whenever nothing trains, and within `fit` for validation, checkpoints and whatever
    else reads or saves weights. Calling the model within `fit` uses $y$. Batch
    normalization statistics are those at $y$. A checkpoint written within `fit` holds
    $x$ and $z$, which give $y$ up to rounding. Run a custom loop in
    `with optimizer.training_weights():`.

    Args:
        learning_rate: $\eta$ >= 0, often 10 to 50 times that of SGD.
        beta_1: $\beta$ in (0, 1), the interpolation.
        warmup_steps: $T$ >= 0 updates of warm-up.
        weight_lr_power: $r$ >= 0, the power of the rate in $c_t$.
        **kwargs: Arguments of every `Optimizer`; `weight_decay` is $\lambda$.

    Source: Defazio et al., 2024, arXiv:2405.15682, equations 3 to 5 and Algorithm 1,
    with $c_t$ of the authors' code.

    >>> optimizer = ScheduleFreeSGD(1.0, warmup_steps=100)
    """

    learning_rate: LearningRateLike = LearningRate(default=1.0)
    beta_1: FloatOrSchedule = Beta(default=0.9, within="(0, 1)", doc="interpolation β")
    warmup_steps: FloatOrSchedule = Hyper(
        default=0, within=">= 0", doc="warm-up updates T"
    )
    weight_lr_power: FloatOrSchedule = Hyper(
        default=2.0, within=">= 0", doc="power r of the rate in the average's weights"
    )

    slots = (free.STEPS,)
    shared = free.SHARED
    decays_in_rule = True
    paper = Paper("The road less scheduled", "Defazio et al.", 2024, "2405.15682")
    tuning = Tuning(
        around(1.0),
        schedule="constant",
        others={
            "warmup_steps": LogUniform(10, 300, integer=True),
            "beta_1": Choices((0.9, 0.95, 0.98)),
        },
        use_when="SGD suits the model, and the number of epochs is open.",
        not_when="You reuse SGD's rate: this one is often 10 to 50 times as large.",
    )

    def prepare(self, h, t, z):
        return free.with_average_weight(h, t, z, h.warmup_steps, h.weight_lr_power)

    def update(self, w, g, s, h, t):
        decay = 0.0 if h.weight_decay is None else h.weight_decay * w
        return free.apply_step(w, -h.learning_rate * (g + decay), s, h, h.beta_1)

    def to_evaluation(self, w, s, h):
        return free.average(w, s, h.beta_1), s

    def to_training(self, w, s, h):
        return free.interpolation(w, s, h.beta_1), s
