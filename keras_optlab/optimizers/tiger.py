"""Tiger."""

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
from keras_optlab.optimizers.signum import Signum


class Tiger(Signum, family="sign"):
    r"""Tiger: Lion with one beta, equal to Signum with decoupled weight decay.

    $$m_t = \beta m_{t-1} + (1 - \beta) g_t, \qquad
      \theta_t = \theta_{t-1} - \eta\, [\operatorname{sign}(m_t)
      + \lambda \theta_{t-1}]$$

    This class only changes defaults of `Signum`. The author accumulates gradients in
    the momentum slot; here `gradient_accumulation_steps` keeps its own sum.

    Args:
        learning_rate: $\eta$ >= 0, by which every weight moves.
        weight_decay: $\lambda$ >= 0 or `None`, multiplied by the learning rate.
        momentum: $\beta$ in [0, 1).
        **kwargs: Arguments of every `Optimizer`.

    Source: Su (2023), the author's description and code; for its per-layer rates use
    `groups`.

    >>> optimizer = Tiger(1e-3, decay_mask="matrices")
    """

    learning_rate: LearningRateLike = LearningRate(default=1e-3)
    weight_decay: FloatOrSchedule | None = Hyper(
        default=0.01, within=">= 0", optional=True, doc="decoupled weight decay λ"
    )
    momentum: FloatOrSchedule = Beta(default=0.965, doc="momentum decay rate β")

    paper = Paper("Tiger: A tight-fisted optimizer", "Su", 2023)
    tuning = Tuning(
        around(1e-3),
        others={
            "momentum": Choices((0.9, 0.95, 0.98)),
            "weight_decay": LogUniform(0.01, 1.0),
        },
        use_when="Memory is short, and Lion should have one beta less to choose.",
        not_when="There are trials for Lion's two betas: the second keeps more memory.",
    )
