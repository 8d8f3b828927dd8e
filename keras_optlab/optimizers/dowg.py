"""DoWG."""

from keras import ops

from keras_optlab.core import (
    Hyper,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Paper,
    Slot,
    Tuning,
    Values,
    around,
)
from keras_optlab.core.numerics import maximum
from keras_optlab.engine import Optimizer


class DoWG(Optimizer, family="learning-rate-free"):
    r"""DoWG: DoG with squared gradient norms weighted by the squared distance.

    With norms over all weights of the model,

    $$r_t^2 = \max(r_{t-1}^2, \|\theta_{t-1} - \theta_0\|^2), \qquad
      v_t = v_{t-1} + r_t^2 \|g_t\|^2, \qquad
      \theta_t = \theta_{t-1} - \eta\, \frac{r_t^2}{\sqrt{v_t} + \epsilon}\, g_t$$

    Args:
        learning_rate: $\eta$ >= 0, 1 in the paper; for schedules.
        initial_distance: $r_0$ > 0.
        epsilon: $\epsilon$ > 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Khaled, Mishchenko and Jin, 2023, arXiv:2305.16284, Algorithm 1; the
    authors' code has 1e-4 for both $r_0^2$ and $\epsilon$.

    >>> optimizer = DoWG()
    """

    learning_rate: LearningRateLike = LearningRate(default=1.0)
    initial_distance: float = Hyper(default=1e-2, doc="first distance r₀")
    epsilon: float = Hyper(default=1e-4, doc="stabilizer ε")

    slots = (Slot("start", init="weight", constant=True),)
    shared = (Slot("squared_distance"), Slot("v"))
    learning_rate_free = True
    paper = Paper(
        "DoWG unleashed: An efficient universal parameter-free gradient descent method",
        "Khaled, Mishchenko and Jin",
        2023,
        "2305.16284",
    )
    tuning = Tuning(
        around(1.0, factor=5),
        schedule="constant",
        others={"initial_distance": LogUniform(1e-3, 0.1)},
        use_when="The loss may be smooth or not, and no rate is to be tuned.",
        not_when="Layers need different rates or momentum: it has neither.",
    )

    def local_sums(self, w, g, s, h, t):
        return Values(
            moved=ops.sum(ops.square(w - s.start)), gradient=ops.sum(ops.square(g))
        )

    def use_sums(self, h, t, z, sums):
        first = ops.square(h.initial_distance)
        squared = maximum(maximum(sums.moved, z.squared_distance), first)
        v = z.v + squared * sums.gradient
        rate = h.learning_rate * squared / (ops.sqrt(v) + h.epsilon)
        return h.extend(rate=rate), z.next(squared_distance=squared, v=v)

    def update(self, w, g, s, h, t):
        return -h.rate * g, s
