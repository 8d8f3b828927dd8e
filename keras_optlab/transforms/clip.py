"""Clipping by value, by each tensor's norm, and by the norm of all tensors."""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, Values
from keras_optlab.core.numerics import global_norm, maximum, minimum, norm
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import TensorTransform, Transform


def clip_by_value(x: Tensor, limit: Tensor) -> Tensor:
    r"""Return $\min(\max(x, -c), c)$, entry by entry."""
    return minimum(maximum(x, -limit), limit)


def clip_by_norm(x: Tensor, limit: Tensor) -> Tensor:
    r"""Return $x \cdot c / \max(\|x\|, c)$."""
    return x * (limit / maximum(norm(x), limit))


def clip_by_global_norm(
    xs: Sequence[Tensor], limit: Tensor, total: Tensor | None = None
) -> list[Tensor]:
    r"""Return all tensors times $\min(1, c / \|(x_1, \dots, x_n)\|)$.

    Args:
        xs: The tensors.
        limit: The limit $c \ge 0$.
        total: The global norm, if it is known.
    """
    length = global_norm(xs) if total is None else total
    limit = ops.cast(limit, length.dtype)
    scale = ops.where(length > limit, limit / length, ops.ones_like(length))
    return [x * ops.cast(scale, x.dtype) for x in xs]


class ClipByValue(TensorTransform):
    r"""Clipping of every entry to $[-c, c]$.

    Args:
        value: The limit $c > 0$; a number or a schedule.

    >>> from keras_optlab import optimizers, transforms
    >>> clip = transforms.ClipByValue(0.5)
    >>> optimizer = optimizers.SGD(gradient_transforms=[clip])
    """

    clips = True
    value: FloatOrSchedule = Hyper(default=1.0, doc="largest entry c")

    def one(
        self, x: Tensor, seen: Values, s: Values, h: Values
    ) -> tuple[Tensor, Values]:
        return clip_by_value(x, h.value), s


class ClipByNorm(TensorTransform):
    r"""Clipping of each tensor to a Euclidean norm of at most $c$.

    Args:
        norm: The limit $c > 0$; a number or a schedule.

    Source: Pascanu, Mikolov and Bengio, 2013, arXiv:1211.5063, Algorithm 1, for each
    tensor separately.

    >>> from keras_optlab import optimizers, transforms
    >>> optimizer = optimizers.SGD(gradient_transforms=[transforms.ClipByNorm(1.0)])
    """

    clips = True
    norm: FloatOrSchedule = Hyper(default=1.0, doc="largest norm c")

    def one(
        self, x: Tensor, seen: Values, s: Values, h: Values
    ) -> tuple[Tensor, Values]:
        return clip_by_norm(x, h.norm), s


class ClipByGlobalNorm(Transform):
    r"""Clipping of all tensors by one factor, to a global norm of at most $c$.

    Args:
        norm: The limit $c > 0$; a number or a schedule.

    Source: Pascanu, Mikolov and Bengio, 2013, arXiv:1211.5063, Algorithm 1.

    >>> from keras_optlab import optimizers, transforms
    >>> clip = transforms.ClipByGlobalNorm(1.0)
    >>> optimizer = optimizers.SGD(gradient_transforms=[clip])
    >>> optimizer.gradient_transforms[0].norm = 0.5  # while training, too
    """

    clips = True
    norm: FloatOrSchedule = Hyper(default=1.0, doc="largest norm c")

    def run(
        self,
        xs: list[Tensor],
        seen: list[Values],
        s: list[Values],
        z: Values,
        h: Values,
    ) -> tuple[list[Tensor], list[Values], Values]:
        return clip_by_global_norm(xs, h.norm), s, z
