"""Mechanic."""

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, Paper, Slot
from keras_optlab.core.numerics import maximum, minimum
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.engine.wrapper import Wrapper
from keras_optlab.optimizers.lookahead import Lookahead


def one_for_each_decay(weight: Weight) -> Shape:
    """Return the shape of what is kept about each of the scales."""
    return (weight.values.mechanic_scales,)


class Mechanic(Wrapper, family="learning-rate-free"):
    r"""Mechanic: how far to go where another optimizer leads, learned while training.

    With $u_t$ the steps of the inner optimizer, $\Delta$ their sum, $\theta_0$ the
    first weights, and $n$ scales with decays $\beta = 1 - 0.1, 1 - 0.01, \dots$,

    $$\tilde g_t = g_t + \lambda\, s_{t-1}
      \frac{\|g_t\|}{\|\theta_{t-1}\| + \epsilon}\, \theta_{t-1}, \qquad
      h_t = -\langle \tilde g_t, \Delta_{t-1} \rangle,$$
    $$m_t = \max(\beta m_{t-1}, |h_t| + \epsilon), \qquad
      v_t = \beta^2 v_{t-1} + h_t^2, \qquad
      r_t = \beta r_{t-1} + \bar h_t s_{t-1},$$
    $$s_t = \frac{s_0\, m_t / n + \max(r_t, 0)}{\sqrt{v_t} + \epsilon}, \qquad
      \Delta_t = \Delta_{t-1} + u_t, \qquad
      \theta_t = \theta_0 + \Bigl(\sum s_t\Bigr) \Delta_t$$

    with $\bar h_t$ clipped to $\pm m_{t-1}$, norms and products over all weights, and
    outside of the second line $s$ the sum of the scales. $\Delta$ is found again from
    the weights, so that what else moves them is part of it.

    The inner learning rate is a factor that the scales make up for: give it 1, or a
    schedule that peaks at 1. The inner optimizer's decoupled weight decay is part of
    its steps, and scaled with them. Normalized steps, as LARS and LAMB make them, are
    not what it was made for.

    Args:
        optimizer: The inner optimizer, any of ours but a `Lookahead`, which goes around
            this.
        mechanic_decay: $\lambda$ >= 0, which keeps the weights from running away.
        mechanic_s_init: $s_0$ > 0, the first scale.
        mechanic_scales: $n$ >= 1.
        mechanic_epsilon: $\epsilon$ > 0.

    Raises:
        ValueError: if the inner optimizer is a `Lookahead`.

    Source: Cutkosky, Defazio and Mehta, 2023, arXiv:2306.00144, Algorithm 1, in the
    form the authors gave to optax, which clips $h$. Their code for torch leads
    elsewhere: it does not clip, its scales start at 0 and grow from $s_0$ times the
    first products, and $\lambda$ acts on the weights after the inner step.

    >>> from keras_optlab import optimizers
    >>> optimizer = Mechanic(optimizers.Adam(1.0))
    """

    mechanic_decay: FloatOrSchedule = Hyper(default=0.01, within=">= 0", doc="decay λ")
    mechanic_s_init: FloatOrSchedule = Hyper(default=1e-6, doc="first scale s₀")
    mechanic_scales: int = Hyper(
        default=6, within=">= 1", integer=True, adjustable=False, doc="number n"
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

    @classmethod
    def check(cls, optimizer, **kwargs):
        super().check(optimizer, **kwargs)
        if isinstance(optimizer, Lookahead):
            raise ValueError(
                "Lookahead averages weights, which a step that is scaled later does "
                f"not reach. Received: {optimizer!r}. Use Lookahead(Mechanic(...))."
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
        """Return the sum of the inner steps, found from the weights."""
        return (w - s.mechanic_start) / (h.mechanic_s + h.mechanic_epsilon)
