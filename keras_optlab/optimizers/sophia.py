"""Sophia."""

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
from keras_optlab.core.curvature import hessian_diagonal
from keras_optlab.core.matrices import recompute_if_due
from keras_optlab.core.numerics import ema, maximum, minimum
from keras_optlab.core.periods import is_due
from keras_optlab.engine import Optimizer


class Sophia(Optimizer, family="curvature"):
    r"""Sophia: first moment over an estimated Hessian diagonal, clipped per weight.

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad
      h_t = \beta_2 h_{t-k} + (1 - \beta_2)\, z \odot H z \ \text{every } k \text{
      updates}$$

    $$\theta_t = \theta_{t-1} - \eta\,
      \operatorname{clip}\!\left(\frac{m_t}{\max(\gamma h_t, \epsilon)}, \rho\right)$$

    $z \odot H z$ is Hutchinson's estimate, with a random sign vector $z$ and the
    Hessian $H$ of the same batch's loss. Every $k$-th train step takes about three
    times as long as the others. Train by `compile` and `fit` only, and not under a
    `tf.distribute` strategy.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        gamma: $\gamma$ > 0; tune it until about a third of the entries are not clipped.
        clip_threshold: $\rho$ > 0.
        epsilon: $\epsilon$ > 0.
        period: $k$ >= 1 updates.
        seed: An integer >= 0, for $z$.
        **kwargs: Arguments of every `Optimizer`.

    Source: Liu, Li, Hall, Liang and Ma, 2023, arXiv:2305.14342, Algorithm 3 with
    Algorithm 1 (Sophia-H). An update uses the Hessian of its own batch; optax'
    `sophia` uses the one before, so its first step is a sign step, and bias-corrects
    $m$.

    >>> optimizer = Sophia(1e-4, weight_decay=0.1)
    """

    learning_rate: LearningRateLike = LearningRate(default=1e-4)
    beta_1: FloatOrSchedule = Beta(default=0.96, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.99, doc="Hessian decay rate β₂")
    gamma: FloatOrSchedule = Hyper(default=0.01, doc="factor γ on the Hessian diagonal")
    clip_threshold: FloatOrSchedule = Hyper(default=1.0, doc="clipping threshold ρ")
    epsilon: FloatOrSchedule = Hyper(default=1e-12, doc="stabilizer ε")
    period: int = Hyper(
        default=10, within=">= 1", integer=True, adjustable=False, doc="period k"
    )
    seed: int = Hyper(
        default=0, within=">= 0", integer=True, adjustable=False, doc="seed of z"
    )

    slots = (Slot("m"), Slot("hessian"))
    paper = Paper(
        "Sophia: A scalable stochastic second-order optimizer for language model "
        "pre-training",
        "Liu, Li, Hall, Liang and Ma",
        2023,
        "2305.14342",
    )
    tuning = Tuning(
        around(1e-3),
        others={
            "gamma": LogUniform(1e-3, 0.3),
            "weight_decay": LogUniform(0.01, 1.0),
        },
        use_when="A language model is pretrained by `fit`, with time for Hessians.",
        not_when="There are no trials for `gamma`, which decides what is clipped.",
    )

    def second_pass(self, batch, ws, gs, s, h, t):
        def estimated():
            diagonals = hessian_diagonal(batch, ws, h.seed, h.count)
            return [
                ema(x.hessian, d, h.beta_2) for x, d in zip(s, diagonals, strict=True)
            ]

        hessians = recompute_if_due(
            is_due(h.count, h.period), estimated, [x.hessian for x in s]
        )
        return gs, [x.next(hessian=d) for x, d in zip(s, hessians, strict=True)]

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        step = m / maximum(h.gamma * s.hessian, h.epsilon)
        clipped = maximum(minimum(step, h.clip_threshold), -h.clip_threshold)
        return -h.learning_rate * clipped, s.next(m=m)
