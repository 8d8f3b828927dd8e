"""SM3."""

from functools import partial, reduce

from keras import ops

from keras_optlab.core import (
    Beta,
    Choices,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.numerics import ema, minimum
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.engine import Optimizer

AXES = 6  # most axes of a weight


def along(axis: int, weight: Weight) -> Shape | None:
    """Return the shape of the accumulator for one axis of a weight."""
    if axis == 0 and not weight.shape:
        return ()
    return weight.shape[axis : axis + 1] or None


class SM3(Optimizer, family="memory-efficient"):
    r"""SM3: Adagrad with one accumulator per row and per column, not per weight.

    With a vector $\mu^{(r)}$ for each axis $r$, and $i_r$ the position of entry $i$
    along $r$,

    $$\nu_t(i) = \min_r \mu_{t-1}^{(r)}(i_r) + g_t(i)^2, \qquad
      \mu_t^{(r)}(k) = \max_{i:\, i_r = k} \nu_t(i),$$
    $$m_t = \beta m_{t-1} + (1 - \beta)\, g_t / \sqrt{\nu_t + \epsilon}, \qquad
      \theta_t = \theta_{t-1} - \eta\, m_t$$

    Args:
        learning_rate: $\eta$ >= 0.
        momentum: $\beta$ in [0, 1); 0 needs no slot.
        epsilon: $\epsilon$ > 0.
        **kwargs: Arguments of every `Optimizer`.

    Raises:
        ValueError: if a weight has more than six axes.

    Source: Anil, Gupta, Koren and Singer, 2019, arXiv:1901.11150, SM3-II, with momentum
    as a moving average, as in optax and the authors' code.

    >>> optimizer = SM3(0.1)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.1)
    momentum: FloatOrSchedule = Beta(default=0.9, doc="momentum decay rate β")
    epsilon: FloatOrSchedule = Hyper(default=1e-8, doc="stabilizer ε")

    elementwise = False
    slots = (
        *(Slot(f"mu_{axis}", shape=partial(along, axis)) for axis in range(AXES)),
        Slot("m", when="momentum"),
    )
    paper = Paper(
        "Memory-efficient adaptive optimization",
        "Anil, Gupta, Koren and Singer",
        2019,
        "1901.11150",
    )
    tuning = Tuning(
        around(0.1),
        others={"momentum": Choices((0.0, 0.9))},
        use_when="Embedding tables are large, and Adagrad's accumulators do not fit.",
        not_when="Training is long: its accumulators never shrink, as Adagrad's.",
    )

    def update(self, w, g, s, h, t):
        n = len(w.shape)
        if n > AXES:
            raise ValueError(f"SM3 takes weights of up to {AXES} axes. Received: {n}")
        if 0 in w.shape:
            return g, s
        names = [f"mu_{axis}" for axis in range(max(n, 1))]
        spread = [
            ops.reshape(getattr(s, name), [-1 if i == axis else 1 for i in range(n)])
            for axis, name in enumerate(names)
        ]
        nu = reduce(minimum, spread) + ops.square(g)
        for axis, name in enumerate(names):
            others = [i for i in range(n) if i != axis]
            s = s.next(**{name: ops.max(nu, others) if others else nu})
        u = g / ops.sqrt(nu + h.epsilon)
        if "m" in s:
            u = ema(s.m, u, h.momentum)
            s = s.next(m=u)
        return -h.learning_rate * u, s
