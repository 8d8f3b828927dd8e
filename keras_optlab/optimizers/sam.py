"""Sharpness-aware minimization."""

from keras_optlab.core import FloatOrSchedule, Hyper, LogUniform, Paper, Tuning
from keras_optlab.core.numerics import global_norm
from keras_optlab.engine.wrapper import Wrapper


class SAM(Wrapper, family="sharpness-aware"):
    r"""SAM: the gradient at weights moved uphill by a radius, to find flat minima.

    $$\epsilon = \rho\, \frac{g}{\|g\|_2}, \qquad
      \hat g = \nabla L(\theta + \epsilon)$$

    with the norm over all weights. The inner optimizer receives $\hat g$ as the
    gradient. Both passes use the same batch and dropout masks; metrics and batch
    normalization statistics are those at $\theta$. A train step takes twice as long.
    Train by `compile` and `fit` only, and not under a `tf.distribute` strategy.

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer`.
        sam_rho: $\rho$ >= 0, the radius.

    Source: Foret, Kleiner, Mobahi and Neyshabur, 2020, arXiv:2010.01412, Algorithm 1
    with $p = 2$.

    >>> from keras_optlab import optimizers
    >>> optimizer = SAM(optimizers.SGD(0.1, momentum=0.9), sam_rho=0.05)
    """

    sam_rho: FloatOrSchedule = Hyper(default=0.05, within=">= 0", doc="radius ρ")

    paper = Paper(
        "Sharpness-aware minimization for efficiently improving generalization",
        "Foret, Kleiner, Mobahi and Neyshabur",
        2020,
        "2010.01412",
    )
    tuning = Tuning(
        None,
        others={"sam_rho": LogUniform(0.01, 0.5)},
        use_when="Generalization counts more than time, as with noisy labels.",
        not_when="Time is the budget: each step computes two gradients, in `fit` only.",
    )

    def second_pass(self, batch, ws, gs, s, h, t):
        scale = h.sam_rho / (global_norm(gs) + 1e-12)
        worst = [w + scale * g for w, g in zip(ws, gs, strict=True)]
        return batch.gradients_at(worst), s
