"""Nadam with decoupled weight decay."""

from keras_optlab.core import (
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
from keras_optlab.optimizers.nadam import Nadam


class NAdamW(Nadam, family="adaptive"):
    r"""NAdamW: Nadam as published, with decoupled weight decay.

    $$\theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1}
      - \eta\, \hat m_t / (\sqrt{v_t / (1 - \beta_2^t)} + \epsilon)$$

    with $\hat m_t$ and $v_t$ as in `Nadam`. This class only changes defaults.

    Args:
        learning_rate: $\eta$ >= 0.
        weight_decay: $\lambda$ >= 0 or `None`, multiplied by the learning rate.
        beta_1: As in `Nadam`.
        beta_2: As in `Nadam`.
        epsilon: As in `Nadam`.
        momentum_decay: As in `Nadam`, with the paper's default.
        **kwargs: Arguments of every `Optimizer`.

    Source: Dozat (2016) for Nadam, Loshchilov and Hutter, 2017, arXiv:1711.05101, for
    the weight decay; as torch's NAdam with `decoupled_weight_decay`. optax' nadamw has
    no momentum warm-up.

    >>> optimizer = NAdamW(2e-3, weight_decay=0.01)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.002)
    weight_decay: FloatOrSchedule | None = Hyper(
        default=0.01, within=">= 0", optional=True, doc="decoupled weight decay λ"
    )
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")
    momentum_decay: FloatOrSchedule = Hyper(default=0.004, doc="speed ψ of the warm-up")

    paper = Paper("Incorporating Nesterov momentum into Adam", "Dozat", 2016)
    tuning = Tuning(
        around(3e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "beta_2": Choices((0.95, 0.99, 0.999)),
        },
        use_when="AdamW suits the model, and Nesterov momentum may save some updates.",
        not_when="Results must match others: each library's momentum differs.",
    )
    keras_twin = None
