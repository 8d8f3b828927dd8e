"""Amos."""

import math

from keras import ops

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
from keras_optlab.core.numerics import ema, maximum, mean, one_minus_power
from keras_optlab.engine import Optimizer


class Amos(Optimizer, family="adaptive"):
    r"""Amos: normalized gradient with self-decaying rate and adaptive weight decay.

    With $M(g)$ the mean of $g^2$ over a tensor, $\hat v_t = v_t / (1 - \beta^t)$, and
    $s$ the expected final scale of its weights,

    $$v_t = \beta v_{t-1} + (1 - \beta) M(g_t), \qquad
      \gamma_t = \frac{\eta^2}{\sqrt{1 + \zeta \sqrt{\eta}\, b_{t-1}}}\,
      \frac{M(g_t)}{\hat v_t},$$
    $$\theta_t = \theta_{t-1} - \frac{1}{1 + \zeta \sqrt{\eta s}\, b_{t-1}}
      \Bigl(\eta s\, \frac{g_t}{\sqrt{\hat v_t}} + \frac{\gamma_t}{2}
      \theta_{t-1}\Bigr), \qquad
      b_t = b_{t-1} + \gamma_t (1 + b_{t-1})$$

    Args:
        learning_rate: $\eta$ >= 0, the paper's $\xi$: about $1 / \sqrt N$ for $N$
            independent batches of data.
        beta: $\beta$ in [0, 1); $1 - \beta$ of the order of the rate.
        decay_speed: $\zeta$ >= 0.
        scale: Factor > 0 on the default $s$: $1 / \sqrt{n}$ for a kernel with $n$
            inputs, 1/2 for vectors and scalars.
        **kwargs: Arguments of every `Optimizer`.

    Source: Tian and Parikh, 2022, arXiv:2210.11693, Algorithm 1, with one $v$ and one
    $b$ per tensor, the strongest memory reduction that it allows.

    >>> optimizer = Amos(0.01)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    beta: FloatOrSchedule = Beta(default=0.999, doc="decay β of the second moment")
    decay_speed: FloatOrSchedule = Hyper(
        default=0.25, within=">= 0", doc="decay speed ζ of the rate"
    )
    scale: FloatOrSchedule = Hyper(default=1.0, doc="factor on the scale s")

    elementwise = False
    slots = (Slot("v", shape="scalar"), Slot("b", shape="scalar"))
    paper = Paper(
        "Amos: An Adam-style optimizer with adaptive weight decay towards "
        "model-oriented scale",
        "Tian and Parikh",
        2022,
        "2210.11693",
    )
    tuning = Tuning(
        around(0.05),
        others={
            "decay_speed": LogUniform(0.03, 2.0),
            "scale": LogUniform(0.3, 3.0),
        },
        use_when="A transformer is trained from scratch, without tuning of decay.",
        not_when="A model is fine-tuned: its scales are those of fresh weights.",
    )

    def prepare(self, h, t, z):
        return h.extend(bias=one_minus_power(h.beta, t)), z

    def update(self, w, g, s, h, t):
        inputs = math.prod(w.shape[:-1]) if len(w.shape) > 1 else 4
        step = h.learning_rate * h.scale / math.sqrt(max(inputs, 1))
        squared = mean(ops.square(g))
        v = ema(s.v, squared, h.beta)
        inverse = h.bias / maximum(v, 1e-30)
        speed, b = h.decay_speed, s.b
        gamma = ops.square(h.learning_rate) * inverse * squared
        gamma = gamma / ops.sqrt(1 + speed * ops.sqrt(h.learning_rate) * b)
        moved = step * ops.sqrt(inverse) * g + gamma / 2 * w
        u = -moved / (1 + speed * ops.sqrt(step) * b)
        return u, s.next(v=v, b=b + gamma * (1 + b))
