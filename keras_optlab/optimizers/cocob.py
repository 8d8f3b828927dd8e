"""COCOB-Backprop."""

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
from keras_optlab.core.numerics import maximum
from keras_optlab.engine import Optimizer


class COCOB(Optimizer, family="learning-rate-free"):
    r"""COCOB: per-weight steps by coin betting on gradients, without a learning rate.

    $$L_t = \max(L_{t-1}, |g_t|), \qquad G_t = G_{t-1} + |g_t|, \qquad
      R_t = \max(R_{t-1} - g_t (\theta_{t-1} - \theta_0), 0),$$
    $$c_t = c_{t-1} - g_t, \qquad
      \theta_t = \theta_0 + \frac{c_t}{L_t \max(G_t + L_t, \alpha L_t)}
      (L_t + R_t)$$

    Args:
        learning_rate: Factor >= 0 on the step (paper: 1), for schedules and groups.
        alpha: $\alpha$ > 0; larger values make the first steps smaller.
        epsilon: $L_0$ > 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Orabona and Tommasi, 2017, arXiv:1705.07795, Algorithm 2, with gradients
    where the paper has negative gradients.

    >>> optimizer = COCOB()
    """

    learning_rate: LearningRateLike = LearningRate(default=1.0)
    alpha: FloatOrSchedule = Hyper(default=100.0, doc="damping α of the first steps")
    epsilon: float = Hyper(default=1e-8, doc="initial value of L", adjustable=False)

    slots = (
        Slot("largest", init="epsilon", non_negative=True),
        Slot("total", non_negative=True),
        Slot("reward", non_negative=True),
        Slot("wealth"),
        Slot("start", init="weight", constant=True),
    )
    learning_rate_free = True
    paper = Paper(
        "Training deep networks without learning rates through coin betting",
        "Orabona and Tommasi",
        2017,
        "1705.07795",
    )
    tuning = Tuning(
        around(1.0, factor=5),
        schedule="constant",
        others={"alpha": LogUniform(10.0, 1000.0)},
        use_when="No rate can be chosen, and a rough first result is enough.",
        not_when="Memory is short, or a few trials are possible: it keeps five slots.",
    )

    def update(self, w, g, s, h, t):
        size = ops.abs(g)
        largest = maximum(size, s.largest)
        total = s.total + size
        reward = maximum(s.reward - g * (w - s.start), 0.0)
        wealth = s.wealth - g
        share = wealth / (largest * maximum(total + largest, h.alpha * largest))
        new = s.start + share * (largest + reward)
        return h.learning_rate * (new - w), s.next(
            largest=largest, total=total, reward=reward, wealth=wealth
        )
