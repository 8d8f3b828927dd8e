"""Schedule-free SGD."""

from keras_optlab.core import (
    Beta,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    Paper,
)
from keras_optlab.core import schedule_free as free
from keras_optlab.engine import Optimizer


class ScheduleFreeSGD(Optimizer, family="schedule-free"):
    r"""Schedule-free SGD: an average of the path instead of a decaying rate.

    $$z_{t+1} = z_t - \eta_t (g_t + \lambda y_t), \qquad
      x_{t+1} = (1 - c_t)\, x_t + c_t\, z_{t+1}, \qquad
      y_{t+1} = (1 - \beta)\, z_{t+1} + \beta\, x_{t+1}$$

    with $g_t$ the gradient at $y_t$, $\eta_t = \eta \min(1, t/T)$ and $c_t$ in
    proportion to $(\max_{i \le t} \eta_i)^r$.

    In a compiled model the weights are $x$ whenever nothing trains, and for
    `evaluate`, `predict`, validation and whatever saves or reads weights within `fit`.
    Calling the model within `fit` sees $y$. Statistics of batch normalization are
    those at $y$. A checkpoint written within `fit` holds $x$ and $z$; from them $y$ is
    known up to rounding. A loop of one's own runs within
    `with optimizer.training_weights():`.

    Args:
        learning_rate: $\eta$ >= 0, often 10 to 50 times that of SGD.
        beta_1: $\beta$ in (0, 1).
        warmup_steps: $T$ >= 0 updates.
        weight_lr_power: $r$ >= 0.
        **kwargs: What every `Optimizer` takes; `weight_decay` is $\lambda$.

    Source: Defazio et al., 2024, arXiv:2405.15682, equations 3 to 5 and Algorithm 1,
    with the weights of the authors' code.

    >>> optimizer = ScheduleFreeSGD(1.0, warmup_steps=100)
    """

    learning_rate: LearningRateLike = LearningRate(default=1.0)
    beta_1: FloatOrSchedule = Beta(default=0.9, within="(0, 1)", doc="interpolation β")
    warmup_steps: FloatOrSchedule = Hyper(
        default=0, within=">= 0", doc="updates T of warm-up"
    )
    weight_lr_power: FloatOrSchedule = Hyper(
        default=2.0, within=">= 0", doc="power r of the rate in the average"
    )

    slots = (free.STEPS,)
    shared = free.SHARED
    decays_in_rule = True
    paper = Paper("The road less scheduled", "Defazio et al.", 2024, "2405.15682")

    def prepare(self, h, t, z):
        return free.with_average_weight(h, t, z, h.warmup_steps, h.weight_lr_power)

    def update(self, w, g, s, h, t):
        decay = 0.0 if h.weight_decay is None else h.weight_decay * w
        return free.moved(w, -h.learning_rate * (g + decay), s, h, h.beta_1)

    def to_evaluation(self, w, s, h):
        return free.average(w, s, h.beta_1), s

    def to_training(self, w, s, h):
        return free.interpolation(w, s, h.beta_1), s
