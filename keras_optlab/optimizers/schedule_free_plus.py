"""ScheduleFree+."""

import math

from keras import ops

from keras_optlab.core import (
    Beta,
    Choices,
    FloatOrSchedule,
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
from keras_optlab.core import schedule_free as free
from keras_optlab.core.numerics import ema, maximum, one_minus_power
from keras_optlab.engine import Optimizer

# Figures of a batch, before clipping and transforms; every weight stores the same.
BATCH = tuple(
    Slot(f"batch_{name}", shape="scalar") for name in ("loss", "norm", "slope")
)


class ScheduleFreePlus(Optimizer, family="schedule-free"):
    r"""ScheduleFree+: schedule-free Adam whose rate is Polyak's step, from the loss.

    With $f_t$ and $g_t$ the batch's loss and gradient at $y_t$, $s_t$ the moving
    average of $\sqrt{\pi / 2}\, \|g_t\|_1$ with decay $\beta_p$, and Adam's moments,

    $$\eta_t = \eta\, \frac{\max(0,\; f_t + \beta_t \langle g_t, z_t - x_t \rangle)}
      {\hat s_t}, \qquad
      z_{t+1} = z_t - \eta_t\, \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}
      - \eta_t^2 \lambda\, y_t,$$
    $$x_{t+1} = (1 - c_t)\, x_t + c_t\, z_{t+1}, \qquad
      y_{t+1} = (1 - \beta_t)\, z_{t+1} + \beta_t\, x_{t+1}$$

    Norm and product are over all weights, before clipping and transforms. $c_t$ is 1
    for the first $C$ updates, and then proportional to $t^r (\max_{i \le t} \eta_i)^p$.
    $1 - \beta_t$ falls geometrically from $1 - \beta$ to $1 - \beta_\text{end}$ in $T$
    updates.

    $y$ are the training weights and $x$ the evaluation weights, as in
    `ScheduleFreeSGD`. Polyak's step takes 0 for the lowest possible loss. It does not
    know of the momentum in $m$: with the defaults, this class and the author's code
    diverge on a quadratic with exact gradients, and converge with $\beta_1$ = 0.5 or
    $\eta$ = 0.3. Train by `compile` and `fit` only, which give the loss, and not under
    a `tf.distribute` strategy.

    Args:
        learning_rate: $\eta$ >= 0, a factor on Polyak's step; a schedule that only
            warms up suits it.
        beta_1: $\beta_1$ in [0, 1) of $m$.
        beta_2: $\beta_2$ in [0, 1) of $v$.
        interpolation: $\beta$ in (0, 1).
        final_interpolation: $\beta_\text{end}$ in (0, 1).
        anneal_steps: $T$ >= 0 updates; 0 is a constant $\beta$.
        average_warmup: $C$ >= 0 updates, once or twice those of the rate's warm-up.
        step_power: $r$ >= 0, the power of $t$ in $c_t$; try 2 for long trainings.
        weight_lr_power: $p$ >= 0, the power of the rate in $c_t$.
        polyak_beta: $\beta_p$ in [0, 1).
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`; `weight_decay` is $\lambda$, about 20
            to 50, as it is multiplied by the square of the rate.

    Source: Defazio, 2026, arXiv:2605.19095, in the form of the author's
    `AdamCScheduleFreePlusPaper` (schedule_free, commit 70785b5), with its defaults. If
    $\beta_p > 0$, that code continues the average from $\hat s_t$ in place of $s_t$.

    >>> from keras_optlab import schedules
    >>> warm_up = schedules.Warmup(1.0, steps=100)
    >>> optimizer = ScheduleFreePlus(warm_up, average_warmup=100, weight_decay=20.0)
    """

    learning_rate: LearningRateLike = LearningRate(default=1.0)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.95, doc="second-moment decay rate β₂")
    interpolation: FloatOrSchedule = Beta(
        default=0.9, within="(0, 1)", doc="interpolation β"
    )
    final_interpolation: FloatOrSchedule = Beta(
        default=0.965, within="(0, 1)", doc="last interpolation"
    )
    anneal_steps: FloatOrSchedule = Hyper(
        default=0, within=">= 0", doc="updates T from the first to the last β"
    )
    average_warmup: FloatOrSchedule = Hyper(
        default=0, within=">= 0", doc="updates C before the average starts"
    )
    step_power: FloatOrSchedule = Hyper(
        default=0.0, within=">= 0", doc="power r of t in the average's weights"
    )
    weight_lr_power: FloatOrSchedule = Hyper(
        default=2.0, within=">= 0", doc="power p of the rate in the average's weights"
    )
    polyak_beta: FloatOrSchedule = Beta(
        default=0.0, doc="decay β of the gradient's norm"
    )
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")

    slots = (
        free.STEPS,
        Slot("m"),
        Slot("v", non_negative=True),
        *BATCH,
        Slot("last_beta", init=1.0, shape="scalar"),
    )
    shared = (*free.SHARED, Slot("gradient_norm"))
    decays_in_rule = True
    learning_rate_free = True
    paper = Paper(
        "ScheduleFree+: Scaling learning-rate-free & schedule-free learning to large "
        "language models",
        "Defazio",
        2026,
        "2605.19095",
    )
    tuning = Tuning(
        around(1.0, factor=5),
        schedule="constant",
        others={
            "average_warmup": LogUniform(10, 300, integer=True),
            "step_power": Choices((0.0, 2.0)),
            "interpolation": Choices((0.9, 0.95)),
        },
        use_when="A language model trains for long, with no rate or length to choose.",
        not_when="The loss cannot come near 0, the value that Polyak's step aims at.",
    )

    def second_pass(self, batch, ws, gs, s, h, t):
        scale = batch.loss_scale()
        size = sum(ops.sum(ops.abs(g)) for g in gs) / scale
        slope = sum(
            ops.sum(g * (x.unaveraged - w)) / x.last_beta
            for w, g, x in zip(ws, gs, s, strict=True)
        )
        seen = {
            "batch_loss": batch.loss(),
            "batch_norm": size,
            "batch_slope": slope / scale,
        }
        return gs, [x.next(**seen) for x in s]

    def prepare(self, h, t, z):
        share = maximum(t - 1, 0.0) / maximum(h.anneal_steps * ops.ones_like(t), 1.0)
        share = ops.where(h.anneal_steps > 0, -maximum(-share, -1.0), 0.0)
        first, last = (
            ops.log(b.complement) for b in (h.interpolation, h.final_interpolation)
        )
        return h.extend(
            beta_t=1 - ops.exp((1 - share) * first + share * last),
            bias_1=one_minus_power(h.beta_1, t),
            bias_2=one_minus_power(h.beta_2, t),
        ), z

    def local_sums(self, w, g, s, h, t):
        one = ops.ones_like(s.batch_loss)
        return Values(
            weights=one, **{slot.name: getattr(s, slot.name) for slot in BATCH}
        )

    def use_sums(self, h, t, z, sums):
        loss, norm, slope = (getattr(sums, slot.name) / sums.weights for slot in BATCH)
        size = ema(z.gradient_norm, math.sqrt(math.pi / 2) * norm, h.polyak_beta)
        z = z.next(gradient_norm=size)
        size = size / one_minus_power(h.polyak_beta, t)
        above = maximum(loss + h.beta_t * slope, 0.0)
        step = ops.where(size > 0, above / ops.where(size > 0, size, 1.0), 0.0)
        rate = h.learning_rate * step
        largest = maximum(z.largest_rate, rate)
        weight = ops.power(t, h.step_power) * ops.power(largest, h.weight_lr_power)
        starts = t > h.average_warmup
        total = z.weight_sum + ops.where(starts, weight, 0.0)
        share = ops.where(total > 0, weight / ops.where(total > 0, total, 1.0), 0.0)
        z = z.next(largest_rate=largest, weight_sum=total)
        return h.extend(rate=rate, average_weight=ops.where(starts, share, 1.0)), z

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, ops.square(g), h.beta_2)
        direction = m / h.bias_1 / (ops.sqrt(v / h.bias_2) + h.epsilon)
        u = -h.rate * direction
        if h.weight_decay is not None:
            u = u - ops.square(h.rate) * h.weight_decay * w
        x, steps = self.average_of(w, s), s.unaveraged + u
        x = x + h.average_weight * (steps - x)
        y = steps + h.beta_t * (x - steps)
        beta = h.beta_t * ops.ones_like(s.last_beta)
        return y - w, s.next(m=m, v=v, unaveraged=steps, last_beta=beta)

    def average_of(self, y, s):
        r"""Return $x = (y - (1 - \beta) z) / \beta$."""
        return s.unaveraged + (y - s.unaveraged) / s.last_beta

    def to_evaluation(self, w, s, h):
        return self.average_of(w, s), s

    def to_training(self, w, s, h):
        return s.unaveraged + s.last_beta * (w - s.unaveraged), s
