"""NaN and infinite entries of gradients."""

from keras import ops

from keras_optlab.transforms.base import TensorTransform


class ZeroNonFinite(TensorTransform):
    r"""Replace the entries of a gradient that are NaN or infinite by zero.

    The finite entries are kept, so the step is taken with what there is. An optimizer
    skips a step with such entries as a whole, before any transform sees it, unless it
    is made with `skip_non_finite=False`; pass that, or this transform has no effect.
    With gradient accumulation it sees the average over the window, where one such entry
    of a micro-batch has spoilt those of the others.

    Source: none; the entries are wrong, and zero is the value that moves no weight.
    optax' `zero_nans` replaces NaN only.

    >>> from keras_optlab import optimizers, transforms
    >>> zero = transforms.ZeroNonFinite()
    >>> optimizer = optimizers.SGD(gradient_transforms=[zero], skip_non_finite=False)
    """

    sides = ("gradient",)

    def one(self, x, seen, s, h):
        return ops.where(ops.isfinite(x), x, ops.zeros_like(x)), s
