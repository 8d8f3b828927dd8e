"""Lookahead."""

from keras import ops

from keras_optlab.core import (
    Choices,
    FloatOrSchedule,
    Hyper,
    Paper,
    Slot,
    Tuning,
    Uniform,
)
from keras_optlab.core.periods import as_integer_period
from keras_optlab.engine.wrapper import Wrapper


class Lookahead(Wrapper, family="averaging"):
    r"""Lookahead: slow weights interpolated towards another optimizer's fast weights.

    The inner optimizer moves the fast weights $\theta$. Every $k$ updates

    $$\phi \leftarrow \phi + \alpha\, (\theta - \phi), \qquad \theta \leftarrow \phi$$

    with $\phi$ the slow weights. The inner optimizer keeps its state.

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer`.
        sync_period: $k$ >= 1 updates.
        slow_step_size: $\alpha$ in (0, 1].

    Source: Zhang, Lucas, Hinton and Ba, 2019, arXiv:1907.08610, Algorithm 1.

    >>> from keras_optlab import optimizers
    >>> optimizer = Lookahead(optimizers.Adam(1e-3), sync_period=5)
    """

    sync_period: int = Hyper(
        default=5, within=">= 1", integer=True, doc="updates k between syncs"
    )
    slow_step_size: FloatOrSchedule = Hyper(
        default=0.5, within="(0, 1]", doc="slow step size α"
    )

    slots = (Slot("lookahead_slow", init="weight"),)
    paper = Paper(
        "Lookahead optimizer: k steps forward, 1 step back",
        "Zhang, Lucas, Hinton and Ba",
        2019,
        "1907.08610",
    )
    tuning = Tuning(
        None,
        others={
            "sync_period": Choices((5, 10, 20)),
            "slow_step_size": Uniform(0.3, 0.8),
        },
        use_when="The inner rate is high and its weights oscillate.",
        not_when="The rate decays to 0, or weights are averaged anyway.",
    )

    def update(self, w, g, s, h, t):
        u, s = super().update(w, g, s, h, t)
        slow = s.lookahead_slow + h.slow_step_size * (w + u - s.lookahead_slow)
        due = h.count % as_integer_period(h.sync_period, h.count) == 0
        s = s.next(lookahead_slow=ops.where(due, slow, s.lookahead_slow))
        return ops.where(due, slow - w, u), s
