"""Annealed gradient noise."""

from __future__ import annotations

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, Values
from keras_optlab.core.randomness import standard_normal
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import Transform


class AddNoise(Transform):
    r"""Gaussian gradient noise whose variance falls with every update.

    At update $t$, counted from 1, $g \leftarrow g + \sigma_t z$ with
    $z \sim \mathcal{N}(0, 1)$ for every entry and $\sigma_t^2 = \eta / t^\gamma$.

    Args:
        eta: $\eta \ge 0$, the variance at the first update; a number or a schedule.
            The paper tries 0.01, 0.3 and 1.
        gamma: $\gamma \ge 0$, how fast the variance falls; a number or a schedule.
        seed: An integer $\ge 0$.

    The noise depends only on the seed, the update and the shapes of all tensors: a
    resumed run sees the same noise as an uninterrupted one, and
    `keras.utils.set_random_seed` has no effect. The noise differs between backends and
    devices, and in TensorFlow between steps compiled with and without XLA.

    Source: Neelakantan et al., 2015, arXiv:1511.06807, where $t$ counts from 0 and the
    formula has $1 + t$; optax' `add_noise` is the same.

    >>> from keras_optlab import optimizers, transforms
    >>> noise = transforms.AddNoise(eta=0.3, seed=1)
    >>> optimizer = optimizers.SGD(gradient_transforms=[noise])
    """

    sides = ("gradient",)
    eta: FloatOrSchedule = Hyper(default=0.01, within=">= 0", doc="initial variance η")
    gamma: FloatOrSchedule = Hyper(
        default=0.55, within=">= 0", doc="power γ of the variance's decay"
    )
    seed: int = Hyper(
        default=0, within=">= 0", integer=True, adjustable=False, doc="seed"
    )

    def run(
        self,
        xs: list[Tensor],
        seen: list[Values],
        s: list[Values],
        z: Values,
        h: Values,
    ) -> tuple[list[Tensor], list[Values], Values]:
        t, count = seen[0].t, seen[0].count  # the same for all tensors
        sigma = ops.sqrt(h.eta / t**h.gamma)
        noise = standard_normal(xs, h.seed, count)
        rows = zip(xs, noise, strict=True)
        return [x + ops.cast(sigma, x.dtype) * n for x, n in rows], s, z
