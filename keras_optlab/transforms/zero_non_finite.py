"""Zeros for NaN and infinite gradient entries."""

from keras import ops

from keras_optlab.core import Values
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import TensorTransform


class ZeroNonFinite(TensorTransform):
    r"""Zeros in place of NaN and infinite gradient entries.

    The step is taken with the finite entries. By default an optimizer skips the whole
    step before any transform runs: pass `skip_non_finite=False`, or this transform has
    no effect. With gradient accumulation it sees the average over the window, where a
    non-finite entry of one micro-batch spoils the same entry of the others.

    Source: none; zero is the gradient value that moves no weight.
    optax' `zero_nans` replaces NaN only.

    >>> from keras_optlab import optimizers, transforms
    >>> zero = transforms.ZeroNonFinite()
    >>> optimizer = optimizers.SGD(gradient_transforms=[zero], skip_non_finite=False)
    """

    sides = ("gradient",)

    def one(
        self, x: Tensor, seen: Values, s: Values, h: Values
    ) -> tuple[Tensor, Values]:
        return ops.where(ops.isfinite(x), x, ops.zeros_like(x)), s
