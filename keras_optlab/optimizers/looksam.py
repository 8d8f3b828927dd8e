"""LookSAM."""

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
from keras_optlab.core.numerics import global_norm, wide_sum
from keras_optlab.core.periods import is_due
from keras_optlab.engine.wrapper import Wrapper


class LookSAM(Wrapper, family="sharpness-aware"):
    r"""LookSAM: SAM every k updates, with its sharpness direction reused in between.

    Every $k$ updates, from the first on, SAM's gradient $g_s$ is used and $g_v$ stored:

    $$g_v = g_s - \frac{\langle g, g_s \rangle}{\|g\|^2}\, g, \qquad \hat g = g_s$$

    In between, $\hat g = g + \alpha \frac{\|g\|}{\|g_v\|}\, g_v$. Norms are over all
    weights. The inner optimizer receives $\hat g$ as the gradient. It trains models by
    `compile` and `fit` only, and not under a `tf.distribute` strategy.

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer`.
        sam_rho: $\rho$ >= 0, the radius.
        sam_alpha: $\alpha$ >= 0, the weight of the reused $g_v$.
        sam_period: $k$ >= 1 updates.

    Source: Liu, Mai, Chen, Hsieh and You, 2022, arXiv:2203.02714, Algorithm 1.

    >>> from keras_optlab import optimizers
    >>> optimizer = LookSAM(optimizers.AdamW(1e-3), sam_rho=0.1, sam_period=5)
    """

    sam_rho: FloatOrSchedule = Hyper(default=0.1, within=">= 0", doc="radius ρ")
    sam_alpha: FloatOrSchedule = Hyper(default=0.7, within=">= 0", doc="reuse weight α")
    sam_period: int = Hyper(
        default=5, within=">= 1", integer=True, adjustable=False, doc="period k"
    )

    slots = (Slot("sharpness"),)
    paper = Paper(
        "Towards efficient and scalable sharpness-aware minimization",
        "Liu, Mai, Chen, Hsieh and You",
        2022,
        "2203.02714",
    )
    tuning = Tuning(
        None,
        others={
            "sam_rho": LogUniform(0.01, 1.0),
            "sam_period": Choices((2, 5, 10)),
        },
        use_when="SAM helps, but not at twice the time: it reuses its second gradient.",
        not_when="Gradients turn quickly: an old direction is then wrong.",
    )

    def second_pass(self, batch, ws, gs, s, h, t):
        length = global_norm(gs) + 1e-12

        def looked():
            worst = [w + h.sam_rho / length * g for w, g in zip(ws, gs, strict=True)]
            sharp = batch.gradients_at(worst)
            pairs = list(zip(gs, sharp, strict=True))
            share = wide_sum([ops.sum(g * x) for g, x in pairs]) / length**2
            return sharp, [x - share * g for g, x in pairs]

        def remembered():
            across = [x.sharpness for x in s]
            scale = h.sam_alpha * length / (global_norm(across) + 1e-12)
            return [g + scale * x for g, x in zip(gs, across, strict=True)], across

        gs, across = ops.cond(is_due(h.count, h.sam_period), looked, remembered)
        return gs, [x.next(sharpness=v) for x, v in zip(s, across, strict=True)]
