"""Adaptive gradient clipping (AGC)."""

from __future__ import annotations

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, Values
from keras_optlab.core.numerics import maximum
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import TensorTransform


def adaptive_clip(
    g: Tensor, w: Tensor, limit: Tensor, epsilon: Tensor | float = 1e-3
) -> Tensor:
    r"""Return $g_i \cdot m_i / \max(\|g_i\|, m_i)$, $m_i = c \max(\|w_i\|, \epsilon)$.

    The units $i$ are the slices along the last axis, the outputs of a kernel; a vector
    is one unit.
    """
    largest = limit * maximum(_unit_norms(w), epsilon)
    return g * (largest / maximum(_unit_norms(g), largest))


def _unit_norms(x: Tensor) -> Tensor:
    inputs = tuple(range(len(x.shape) - 1)) or None
    return ops.sqrt(ops.sum(ops.square(x), axis=inputs, keepdims=True))


class AdaptiveClip(TensorTransform):
    r"""Gradient clipping per output unit, relative to the norm of the unit's weights.

    For the weights $w_i$ that lead to unit $i$ and their gradient $g_i$,
    $g_i \leftarrow g_i \min(1, \lambda \max(\|w_i\|, \epsilon) / \|g_i\|)$.
    For a kernel of shape `(..., in, out)` the norms are over all axes but the last; a
    bias or another vector counts as one unit.

    Args:
        clip_factor: $\lambda > 0$, the largest ratio of the norms; a number or a
            schedule. The paper uses 0.01 for batches of 4096, more for smaller ones.
        epsilon: $\epsilon > 0$, lower bound on the weight norm, so that weights can
            leave zero; a number or a schedule.

    Source: Brock, De, Smith and Simonyan, 2021, arXiv:2102.06171, equation 3. The
    authors leave out the last layer; `AdaptiveClip` does not. optax treats kernels of
    three axes as attention kernels, with the norm over the first axis alone; here they
    are convolution kernels.

    >>> from keras_optlab import optimizers, transforms
    >>> clip = transforms.AdaptiveClip(clip_factor=0.02)
    >>> optimizer = optimizers.Momentum(gradient_transforms=[clip])
    """

    sides = ("gradient",)
    clips = True
    clip_factor: FloatOrSchedule = Hyper(
        default=0.01, doc="largest ratio λ of the norms"
    )
    epsilon: FloatOrSchedule = Hyper(
        default=1e-3, doc="lower bound ε on the weight norm"
    )

    def one(
        self, x: Tensor, seen: Values, s: Values, h: Values
    ) -> tuple[Tensor, Values]:
        return adaptive_clip(x, seen.w, h.clip_factor, h.epsilon), s
