"""Adam with decoupled weight decay."""

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
from keras_optlab.optimizers.adam import Adam


class AdamW(Adam, family="adaptive"):
    r"""AdamW: Adam with decoupled weight decay.

    $$\theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1}
      - \eta\, \hat m_t / (\sqrt{\hat v_t} + \epsilon)$$

    with $\hat m_t$ and $\hat v_t$ as in `Adam`. Every optimizer has `weight_decay`;
    this class only gives it a default.

    Args:
        learning_rate: $\eta$ >= 0.
        weight_decay: $\lambda$ >= 0 or `None`, multiplied by the rate as in Keras,
            torch and optax; the paper and TensorFlow Addons multiply by a schedule
            alone, so their $\lambda$ is $\eta$ times this one. 0.004 as in Keras, where
            torch has 0.01.
        beta_1: As in `Adam`.
        beta_2: As in `Adam`.
        epsilon: As in `Adam`.
        amsgrad: As in `Adam`.
        epsilon_placement: As in `Adam`.
        **kwargs: Arguments of every `Optimizer`.

    Source: Loshchilov and Hutter, 2017, arXiv:1711.05101, Algorithm 2.

    >>> optimizer = AdamW(3e-4, weight_decay=0.1, decay_mask="matrices")
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    weight_decay: FloatOrSchedule | None = Hyper(
        default=0.004, within=">= 0", optional=True, doc="decoupled weight decay λ"
    )

    paper = Paper(
        "Decoupled weight decay regularization",
        "Loshchilov and Hutter",
        2017,
        "1711.05101",
    )
    tuning = Tuning(
        around(3e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "beta_2": Choices((0.95, 0.99, 0.999)),
        },
        use_when="You need a strong default for any network, with warm-up and decay.",
        not_when="Memory is short (Lion), or a step may cost more (Muon, SOAP).",
    )
    keras_twin = "AdamW"
