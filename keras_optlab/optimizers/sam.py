"""Sharpness-aware minimization."""

from keras_optlab.core import FloatOrSchedule, Hyper, Paper
from keras_optlab.core.numerics import global_norm
from keras_optlab.engine.wrapper import Wrapper


class SAM(Wrapper, family="sharpness-aware"):
    r"""SAM: the gradient of the worst point nearby, for flat minima.

    $$\epsilon = \rho\, \frac{g}{\|g\|_2}, \qquad
      \hat g = \nabla L(\theta + \epsilon)$$

    with the norm over all weights, and the inner optimizer takes $\hat g$ for the
    gradient. Both are of the same batch, with the same dropout masks; metrics and the
    statistics of batch normalization are those at $\theta$. A train step takes twice as
    long. It trains models by `compile` and `fit` only, and not under a `tf.distribute`
    strategy.

    Args:
        optimizer: The inner optimizer, any of ours.
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

    def second_pass(self, batch, ws, gs, s, h, t):
        scale = h.sam_rho / (global_norm(gs) + 1e-12)
        worst = [w + scale * g for w, g in zip(ws, gs, strict=True)]
        return batch.gradients_at(worst), s
