"""FTRL-Proximal."""

from keras import ops

from keras_optlab.core import (
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
from keras_optlab.core.numerics import maximum, minimum
from keras_optlab.engine import Optimizer


class Ftrl(Optimizer, family="proximal"):
    r"""FTRL-Proximal: follow the regularized leader with Adagrad rates and L1 sparsity.

    With $p = -\text{learning\_rate\_power}$ and
    $g'_t = g_t + 2 \lambda_s \theta_{t-1}$,

    $$n_t = n_{t-1} + g_t^2, \qquad
      z_t = z_{t-1} + g'_t - \frac{n_t^p - n_{t-1}^p}{\eta}\, \theta_{t-1},$$
    $$\theta_t = \frac{\operatorname{clip}(z_t, -\lambda_1, \lambda_1) - z_t}
                      {n_t^p / \eta + 2 \lambda_2 + \beta / \eta}$$

    Each step recomputes the weights from $z_t$. The first step keeps only a fraction
    $1 - (n_0 / n_1)^p$ of the initial weights, almost none where gradients are small:
    FTRL is for linear models that start at zero. A deep network needs a small $n_0$.

    A rate that falls shrinks the weights, as $z_t$ was summed at the rates before: keep
    it constant. A step at a rate of 0 changes nothing.

    Args:
        learning_rate: $\eta$ >= 0, the paper's $\alpha$.
        learning_rate_power: $-p$ <= 0; the paper has -0.5.
        initial_accumulator_value: $n_0$ >= 0; the paper has 0.
        l1_regularization_strength: $\lambda_1$ >= 0.
        l2_regularization_strength: $\lambda_2$ >= 0, half the paper's.
        l2_shrinkage_regularization_strength: $\lambda_s$ >= 0, an L2 penalty on
            $\theta_{t-1}$ that does not count in $n_t$.
        beta: $\beta$ >= 0 of the paper.
        **kwargs: Arguments of every `Optimizer`.

    Source: McMahan et al. (2013), Algorithm 1.

    >>> optimizer = Ftrl(0.1, l1_regularization_strength=0.01)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    learning_rate_power: FloatOrSchedule = Hyper(
        default=-0.5, within="<= 0", doc="power -p of the accumulator"
    )
    initial_accumulator_value: float = Hyper(
        default=0.1, within=">= 0", doc="initial accumulator n₀", adjustable=False
    )
    l1_regularization_strength: FloatOrSchedule = Hyper(
        default=0.0, within=">= 0", doc="L1 strength λ₁"
    )
    l2_regularization_strength: FloatOrSchedule = Hyper(
        default=0.0, within=">= 0", doc="L2 strength λ₂"
    )
    l2_shrinkage_regularization_strength: FloatOrSchedule = Hyper(
        default=0.0, within=">= 0", doc="L2 shrinkage λₛ"
    )
    beta: FloatOrSchedule = Hyper(default=0.0, within=">= 0", doc="smoothing β")

    slots = (
        Slot("accumulator", init="initial_accumulator_value", non_negative=True),
        Slot("linear"),
    )
    paper = Paper(
        "Ad click prediction: a view from the trenches", "McMahan et al.", 2013
    )
    tuning = Tuning(
        around(0.03),
        schedule="constant",
        others={
            "initial_accumulator_value": LogUniform(1e-10, 1e-2),
            "l1_regularization_strength": LogUniform(1e-7, 1e-2),
        },
        use_when="A linear model of sparse features should have exact zeros.",
        not_when="The network is deep: the first step forgets its initial weights.",
    )
    keras_twin = "Ftrl"

    def update(self, w, g, s, h, t):
        moves, p = h.learning_rate > 0, -h.learning_rate_power
        lr = ops.where(moves, h.learning_rate, 1.0)
        l1, l2 = h.l1_regularization_strength, h.l2_regularization_strength
        shrunk = g + 2 * h.l2_shrinkage_regularization_strength * w
        n = s.accumulator + ops.square(g)
        power = ops.power(n, p)
        z = s.linear + shrunk - (power - ops.power(s.accumulator, p)) / lr * w
        clipped = minimum(maximum(z, -l1), l1)
        new = (clipped - z) / (power / lr + 2 * l2 + h.beta / lr)
        u = ops.where(moves, new - w, 0.0)
        n, z = ops.where(moves, n, s.accumulator), ops.where(moves, z, s.linear)
        return u, s.next(accumulator=n, linear=z)
