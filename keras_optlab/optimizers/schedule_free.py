"""Schedule-free learning with any optimizer."""

from keras_optlab.core import (
    Beta,
    Choices,
    FloatOrSchedule,
    Hyper,
    LogUniform,
    Paper,
    Tuning,
)
from keras_optlab.core import schedule_free as free
from keras_optlab.engine.wrapper import Wrapper


class ScheduleFree(Wrapper, family="schedule-free"):
    r"""Schedule-free: an average of another optimizer's weights replaces rate decay.

    With $u_t$ the inner optimizer's update from the gradient at $y_t$,

    $$z_{t+1} = z_t + u_t - \eta_t \lambda y_t, \qquad
      x_{t+1} = (1 - c_t)\, x_t + c_t\, z_{t+1}, \qquad
      y_{t+1} = (1 - \beta)\, z_{t+1} + \beta\, x_{t+1}$$

    with $c_t$, $\eta_t$ and both sets of weights as in `ScheduleFreeSGD`. The
    interpolation replaces momentum; the inner optimizer should have none.

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer` without averaging.
        interpolation: $\beta$ in (0, 1).
        average_warmup: $T$ >= 0 updates of warm-up.
        average_power: $r$ >= 0, the power of the rate in $c_t$.

    Source: Defazio et al., 2024, arXiv:2405.15682. optax' `schedule_free` takes the
    first step of a warm-up with a rate of 0.

    >>> from keras_optlab import optimizers
    >>> optimizer = ScheduleFree(optimizers.RMSprop(1e-3), average_warmup=100)
    """

    interpolation: FloatOrSchedule = Beta(
        default=0.9, within="(0, 1)", doc="interpolation β"
    )
    average_warmup: FloatOrSchedule = Hyper(
        default=0, within=">= 0", doc="warm-up updates T"
    )
    average_power: FloatOrSchedule = Hyper(
        default=2.0, within=">= 0", doc="power r of the rate in the average's weights"
    )

    slots = (free.STEPS,)
    shared = free.SHARED
    decays_in_rule = True
    paper = Paper("The road less scheduled", "Defazio et al.", 2024, "2405.15682")
    tuning = Tuning(
        None,
        schedule="constant",
        others={
            "average_warmup": LogUniform(10, 300, integer=True),
            "interpolation": Choices((0.8, 0.9, 0.95)),
        },
        use_when="An optimizer other than SGD and AdamW should train without a decay.",
        not_when="The inner optimizer has momentum: the interpolation replaces it.",
    )

    def prepare(self, h, t, z):
        h, z = free.with_average_weight(h, t, z, h.average_warmup, h.average_power)
        return super().prepare(h, t, z)

    def update(self, w, g, s, h, t):
        u, s = super().update(w, g, s, h, t)
        if h.weight_decay is not None and not super().decays_in_rule:
            u = u - h.learning_rate * h.weight_decay * w
        return free.apply_step(w, u, s, h, h.interpolation)

    def to_evaluation(self, w, s, h):
        return free.average(w, s, h.interpolation), s

    def to_training(self, w, s, h):
        return free.interpolation(w, s, h.interpolation), s
