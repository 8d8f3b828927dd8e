"""Mechanic."""

from keras import ops

from keras_optlab.core import (
    Choices,
    FloatOrSchedule,
    Hyper,
    LogUniform,
    Paper,
    Slot,
    Tuning,
)
from keras_optlab.core.numerics import maximum, minimum
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.engine.wrapper import Wrapper
from keras_optlab.optimizers.hyperball import Hyperball
from keras_optlab.optimizers.lookahead import Lookahead


def one_for_each_decay(weight: Weight) -> Shape:
    """Return the shape of a slot with one entry per scale."""
    return (weight.values.mechanic_scales,)


class Mechanic(Wrapper, family="learning-rate-free"):
    r"""Mechanic: learns a global scale on another optimizer's updates.

    With $u_t$ the updates of the inner optimizer, $\Delta$ their sum, $\theta_0$ the
    initial weights, and $n$ scales with decay rates $\beta = 1 - 0.1, 1 - 0.01, \dots$,

    $$\tilde g_t = g_t + \lambda\, s_{t-1}
      \frac{\|g_t\|}{\|\theta_{t-1}\| + \epsilon}\, \theta_{t-1}, \qquad
      h_t = -\langle \tilde g_t, \Delta_{t-1} \rangle,$$
    $$m_t = \max(\beta m_{t-1}, |h_t| + \epsilon), \qquad
      v_t = \beta^2 v_{t-1} + h_t^2, \qquad
      r_t = \beta r_{t-1} + \bar h_t s_{t-1},$$
    $$s_t = \frac{s_0\, m_t / n + \max(r_t, 0)}{\sqrt{v_t} + \epsilon}, \qquad
      \Delta_t = \Delta_{t-1} + u_t, \qquad
      \theta_t = \theta_0 + \Bigl(\sum s_t\Bigr) \Delta_t$$

    $\bar h_t$ is $h_t$ clipped to $\pm m_{t-1}$. Norms and products are over all
    weights. In the first line $s$ is the sum of the scales, elsewhere it has $n$
    entries. $\Delta$ is computed from the weights and includes all their changes.

    The scales adapt to the inner learning rate: set it to 1, or to a schedule that
    peaks at 1. The inner optimizer's decoupled weight decay is part of its updates and
    is scaled with them. Mechanic is not designed for normalized updates, as in LARS and
    LAMB.

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer` but `Lookahead`,
            which can wrap `Mechanic` instead, and `Hyperball`.
        mechanic_decay: $\lambda$ >= 0, decay in $\tilde g_t$ against diverging weights.
        mechanic_s_init: $s_0$ > 0, the initial value of every scale.
        mechanic_scales: $n$ >= 1, the number of scales.
        mechanic_epsilon: $\epsilon$ > 0.

    Raises:
        ValueError: if the inner optimizer is a `Lookahead`, or a `Hyperball`, whose
            norms would not stay fixed.

    Source: Cutkosky, Defazio and Mehta, 2023, arXiv:2306.00144, Algorithm 1, in the
    form the authors gave to optax, which clips $h$. Their torch code gives other
    results: it does not clip, its scales start at 0 and grow from $s_0$ times the first
    products, and $\lambda$ acts on the weights after the inner step.

    >>> from keras_optlab import optimizers
    >>> optimizer = Mechanic(optimizers.Adam(1.0))
    """

    mechanic_decay: FloatOrSchedule = Hyper(default=0.01, within=">= 0", doc="decay λ")
    mechanic_s_init: FloatOrSchedule = Hyper(default=1e-6, doc="initial scale s₀")
    mechanic_scales: int = Hyper(
        default=6, within=">= 1", integer=True, adjustable=False, doc="number of scales"
    )
    mechanic_epsilon: FloatOrSchedule = Hyper(default=1e-8, doc="stabilizer ε")

    decays_in_rule = True
    slots = (Slot("mechanic_start", init="weight", constant=True),)
    shared = (
        Slot("mechanic_m", shape=one_for_each_decay),
        Slot("mechanic_v", shape=one_for_each_decay),
        Slot("mechanic_r", shape=one_for_each_decay),
        Slot("mechanic_s", shape=one_for_each_decay, init="mechanic_s_init"),
    )
    learning_rate_free = True
    paper = Paper(
        "Mechanic: A learning rate tuner",
        "Cutkosky, Defazio and Mehta",
        2023,
        "2306.00144",
    )
    tuning = Tuning(
        None,
        others={
            "mechanic_decay": Choices((0.0, 0.01, 0.1)),
            "mechanic_s_init": LogUniform(1e-8, 1e-4),
        },
        use_when="The shape of the schedule is known and its height is not.",
        not_when="The inner optimizer is LARS or LAMB: both normalize their updates.",
    )

    @classmethod
    def check(cls, optimizer, **kwargs):
        super().check(optimizer, **kwargs)
        if isinstance(optimizer, Hyperball):
            raise ValueError(
                "Mechanic cannot wrap Hyperball, whose fixed norms it would change. "
                f"Received: {optimizer!r}. Use one of the two."
            )
        if isinstance(optimizer, Lookahead):
            raise ValueError(
                "Mechanic cannot wrap Lookahead, whose syncs it would scale. "
                f"Received: {optimizer!r}. Use Lookahead(Mechanic(...))."
            )

    def prepare(self, h, t, z):
        h, z = super().prepare(h, t, z)
        return h.extend(mechanic_s=ops.sum(z.mechanic_s)), z

    def local_sums(self, w, g, s, h, t):
        sums = super().local_sums(w, g, s, h, t)
        back = -self.way(w, s, h)
        return sums.extend(
            mechanic_gradient=ops.sum(g * back),
            mechanic_decay=ops.sum(w * back),
            mechanic_g=ops.sum(ops.square(g)),
            mechanic_w=ops.sum(ops.square(w)),
        )

    def use_sums(self, h, t, z, sums):
        h, z = super().use_sums(h, t, z, sums)
        epsilon, dtype = h.mechanic_epsilon, z.mechanic_s.dtype
        size = ops.sqrt(sums.mechanic_g) / (ops.sqrt(sums.mechanic_w) + epsilon)
        product = sums.mechanic_gradient
        product = product + h.mechanic_decay * h.mechanic_s * size * sums.mechanic_decay
        rest = [0.1**i for i in range(1, h.mechanic_scales + 1)]
        beta = 1 - ops.convert_to_tensor(rest, dtype)
        clipped = maximum(minimum(product, z.mechanic_m), -z.mechanic_m)
        m = maximum(beta * z.mechanic_m, ops.abs(product) + epsilon)
        v = ops.square(beta) * z.mechanic_v + ops.square(product)
        r = beta * z.mechanic_r + clipped * z.mechanic_s
        wealth = h.mechanic_s_init / h.mechanic_scales * m + maximum(r, 0.0)
        new = wealth / (ops.sqrt(v) + epsilon)
        z = z.next(mechanic_m=m, mechanic_v=v, mechanic_r=r, mechanic_s=new)
        return h.extend(mechanic_new=ops.sum(new)), z

    def update(self, w, g, s, h, t):
        way = self.way(w, s, h)
        u, s = super().update(w, g, s, h, t)
        if h.weight_decay is not None and not super().decays_in_rule:
            u = u - h.learning_rate * h.weight_decay * w
        return s.mechanic_start + h.mechanic_new * (way + u) - w, s

    def way(self, w, s, h):
        """Return the sum of the inner updates, computed from the weights."""
        return (w - s.mechanic_start) / (h.mechanic_s + h.mechanic_epsilon)
