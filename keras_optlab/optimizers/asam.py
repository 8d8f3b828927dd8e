"""Adaptive sharpness-aware minimization."""

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, LogUniform, Paper, Tuning
from keras_optlab.core.numerics import global_norm
from keras_optlab.engine.wrapper import Wrapper


class ASAM(Wrapper, family="sharpness-aware"):
    r"""ASAM: SAM with the perturbation scaled by each weight's magnitude.

    $$\epsilon = \rho\, \frac{\theta^2 g}{\|\,|\theta|\, g\,\|_2}, \qquad
      \hat g = \nabla L(\theta + \epsilon)$$

    elementwise, with the norm over all weights; the rest is `SAM`.

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer`.
        sam_rho: $\rho$ >= 0, the radius; use about ten times SAM's.

    Source: Kwon, Kim, Park and Choi, 2021, arXiv:2102.11600, Algorithm 1 with $p = 2$
    and $\eta = 0$.

    >>> from keras_optlab import optimizers
    >>> optimizer = ASAM(optimizers.SGD(0.1, momentum=0.9), sam_rho=0.5)
    """

    sam_rho: FloatOrSchedule = Hyper(default=0.5, within=">= 0", doc="radius ρ")

    paper = Paper(
        "ASAM: Adaptive sharpness-aware minimization for scale-invariant learning of "
        "deep neural networks",
        "Kwon, Kim, Park and Choi",
        2021,
        "2102.11600",
    )
    tuning = Tuning(
        None,
        others={"sam_rho": LogUniform(0.05, 5.0)},
        use_when="SAM helps, but sizes of weights differ much from layer to layer.",
        not_when="There are no trials for `sam_rho`, or no time for a second pass.",
    )

    def second_pass(self, batch, ws, gs, s, h, t):
        scaled = [ops.abs(w) * g for w, g in zip(ws, gs, strict=True)]
        scale = h.sam_rho / (global_norm(scaled) + 1e-12)
        rows = zip(ws, scaled, strict=True)
        worst = [w + scale * ops.abs(w) * x for w, x in rows]
        return batch.gradients_at(worst), s
