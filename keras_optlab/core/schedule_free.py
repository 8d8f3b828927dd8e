r"""Schedule-free methods: three sets of weights $x$, $y$, $z$ instead of a schedule.

The step is added to $z$. The gradient is taken at $y = (1 - \beta) z + \beta x$. $x$,
the average of all $z$ with weights $c_t$, is used for evaluation. The model has $y$
while it trains; $z$ is the slot `unaveraged`, and $x$ is computed from $y$ and $z$.
"""

from __future__ import annotations

from keras import ops

from keras_optlab.core.numerics import BetaTensor, maximum
from keras_optlab.core.slots import Slot
from keras_optlab.core.types import Tensor
from keras_optlab.core.values import Values

STEPS = Slot("unaveraged", init="weight")
SHARED = Slot("largest_rate"), Slot("weight_sum")


def with_average_weight(
    h: Values, t: Tensor, z: Values, warmup_steps: Tensor, power: Tensor
) -> tuple[Values, Values]:
    r"""Return `h` with the warmed-up rate and $c_t$, and the next shared slots.

    $$\eta_t = \eta \min(1, t / T), \qquad
      w_t = \max_{i \le t} \eta_i^r, \qquad c_t = w_t / \textstyle\sum_{i \le t} w_i$$
    """
    warm = 1.0 - maximum(1.0 - t / maximum(warmup_steps * ops.ones_like(t), 1.0), 0.0)
    rate = h.learning_rate * warm
    largest = maximum(z.largest_rate, rate)
    weight = ops.power(largest, power)
    total = z.weight_sum + weight
    share = ops.where(total > 0, weight / ops.where(total > 0, total, 1.0), 0.0)
    z = z.next(largest_rate=largest, weight_sum=total)
    return h.extend(learning_rate=rate, average_weight=share), z


def apply_step(
    y: Tensor, u: Tensor, s: Values, h: Values, beta: BetaTensor
) -> tuple[Tensor, Values]:
    r"""Return the change of $y$ for a step $u$, and the slots with $z + u$.

    $$y_{t+1} - y_t = c_t (z_t - y_t) + (1 - \beta (1 - c_t))\, u_t$$
    """
    c = h.average_weight
    change = c * (s.unaveraged - y) + ((1 - beta) + beta * c) * u
    return change, s.next(unaveraged=s.unaveraged + u)


def average(y: Tensor, s: Values, beta: BetaTensor) -> Tensor:
    r"""Return the evaluation weights $x = (y - (1 - \beta) z) / \beta$."""
    return s.unaveraged + (y - s.unaveraged) / beta.value


def interpolation(x: Tensor, s: Values, beta: BetaTensor) -> Tensor:
    r"""Return the training weights $y = (1 - \beta) z + \beta x$."""
    return s.unaveraged + beta * (x - s.unaveraged)
