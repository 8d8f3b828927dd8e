"""Tiger."""

from keras_optlab.core import (
    Beta,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    Paper,
)
from keras_optlab.optimizers.signum import Signum


class Tiger(Signum, family="sign"):
    r"""Tiger: Lion with one beta, which is Signum with a weight decay.

    $$m_t = \beta m_{t-1} + (1 - \beta) g_t, \qquad
      \theta_t = \theta_{t-1} - \eta\, [\operatorname{sign}(m_t)
      + \lambda \theta_{t-1}]$$

    This class only gives `Signum` other defaults. Its one slot can at the same time
    hold what gradient accumulation has to keep, as the author does; here
    `gradient_accumulation_steps` keeps a sum of its own.

    Args:
        learning_rate: $\eta$ >= 0, by how much every weight moves.
        weight_decay: $\lambda$ >= 0 or `None`, multiplied by the rate.
        momentum: $\beta$ in [0, 1).
        **kwargs: What every `Optimizer` takes.

    Source: Su (2023), the author's description and code; its rates by layer are what
    `groups` are for.

    >>> optimizer = Tiger(1e-3, decay_mask="matrices")
    """

    learning_rate: LearningRateLike = LearningRate(default=1e-3)
    weight_decay: FloatOrSchedule | None = Hyper(
        default=0.01, within=">= 0", optional=True, doc="decoupled decay λ"
    )
    momentum: FloatOrSchedule = Beta(default=0.965, doc="decay β of the mean")

    paper = Paper("Tiger: A tight-fisted optimizer", "Su", 2023)
