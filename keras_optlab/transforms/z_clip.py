"""Gradient clipping of outlier norms."""

from typing import Any

from keras import ops

from keras_optlab.core import Beta, FloatOrSchedule, Hyper, Slot, Values
from keras_optlab.core.numerics import ema, global_norm, minimum
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import Transform
from keras_optlab.transforms.clip import clip_by_global_norm


class ZClip(Transform):
    r"""Global-norm clipping of outliers, by the z-score of the gradient norm.

    $\mu$ and $\sigma^2$ are moving averages of the norm $G_t$ of all gradients and of
    its variance. With $z_t = (G_t - \mu_{t-1}) / (\sigma_{t-1} + \epsilon)$, a norm of
    $z_t > z_{\text{thres}}$ is clipped, and more for larger $z_t$:

    $$G^*_t = \mu_{t-1} + \frac{z_{\text{thres}}^2}{z_t} \sigma_{t-1}, \qquad
      g \leftarrow g\, G^*_t / G_t$$

    and otherwise $G^*_t = G_t$. Then
    $\mu_t = \alpha \mu_{t-1} + (1 - \alpha) G^*_t$ and
    $\sigma^2_t = \alpha \sigma^2_{t-1} + (1 - \alpha) (G^*_t - \mu_t)^2$. The first
    `warmup_steps` updates do not clip; the mean and variance of their norms initialize
    the moving averages.

    Args:
        alpha: $\alpha$ in [0, 1), decay rate of the averages; a number or a schedule.
        threshold: $z_{\text{thres}} > 0$; a number or a schedule.
        warmup_steps: Number of warm-up updates >= 1.
        max_norm: An additional limit > 0 on the norm, in the warm-up too; a number, a
            schedule, or `None` for none. The averages use norms before this limit;
            after `global_clipnorm`, which precedes all transforms, they would use
            clipped norms. The authors' default, 1.0, suits language models; other
            models may have larger norms throughout, so here it is `None`.
        epsilon: $\epsilon > 0$; a number or a schedule.

    Non-finite norms do not enter the averages.

    Source: Kumar, Owen, Chowdhury and Güra, 2025, arXiv:2504.02507, and the authors'
    code for the order of the averages.

    >>> from keras_optlab import optimizers, transforms
    >>> clip = transforms.ZClip(max_norm=1.0)
    >>> optimizer = optimizers.AdamW(gradient_transforms=[clip])
    """

    sides = ("gradient",)
    clips = True
    shared = (Slot("mean"), Slot("variance"), Slot("steps"))
    alpha: FloatOrSchedule = Beta(default=0.97, doc="decay rate α of the averages")
    threshold: FloatOrSchedule = Hyper(default=2.5, doc="largest z that is not clipped")
    warmup_steps: int = Hyper(
        default=25, within=">= 1", integer=True, adjustable=False, doc="warm-up updates"
    )
    max_norm: FloatOrSchedule | None = Hyper(default=None, doc="largest norm")
    epsilon: FloatOrSchedule = Hyper(default=1e-6, doc="stabilizer ε")

    def run(
        self,
        xs: list[Tensor],
        seen: list[Values],
        s: list[Values],
        z: Values,
        h: Values,
    ) -> tuple[list[Tensor], list[Values], Values]:
        total = global_norm(xs)
        norm, sigma = ops.cast(total, z.mean.dtype), ops.sqrt(z.variance)
        score = (norm - z.mean) / (sigma + h.epsilon)
        lowered = z.mean + h.threshold / score * h.threshold * sigma
        warm = z.steps >= h.warmup_steps
        outlier = ops.logical_and(warm, score > h.threshold)
        norm = ops.where(outlier, lowered, norm)
        limit = norm if h.max_norm is None else minimum(norm, h.max_norm)
        return clip_by_global_norm(xs, limit, total), s, self._with(norm, z, h)

    def _with(self, norm: Tensor, z: Values, h: Values) -> Any:
        """Return the averages with one more norm: simple at first, moving later."""
        steps = z.steps + 1
        simple = steps <= h.warmup_steps
        mean = ops.where(
            simple, z.mean + (norm - z.mean) / steps, ema(z.mean, norm, h.alpha)
        )
        change = (norm - z.mean) * (norm - mean) - z.variance
        variance = ops.where(
            simple,
            z.variance + change / steps,
            ema(z.variance, ops.square(norm - mean), h.alpha),
        )
        known = ops.isfinite(variance)
        return z.next(
            mean=ops.where(known, mean, z.mean),
            variance=ops.where(known, variance, z.variance),
            steps=ops.where(known, steps, z.steps),
        )
