"""Gradient centralization."""

from keras_optlab.core import Values
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import TensorTransform
from keras_optlab.transforms.means import mean


class Centralize(TensorTransform):
    r"""Gradient centralization: each output unit's gradient minus its mean.

    For a kernel of shape `(..., in, out)` the mean is taken over all axes but the last;
    biases and other vectors stay unchanged:
    $g_{:,j} \leftarrow g_{:,j} - \frac{1}{M} \sum_i g_{i,j}$.

    Source: Yong, Huang, Hua and Zhang, 2020, arXiv:2004.01461, equation 1. Their
    kernels are `(out, in, ...)`, so their mean is over all axes but the first.

    >>> from keras_optlab import optimizers, transforms
    >>> optimizer = optimizers.SGD(gradient_transforms=[transforms.Centralize()])
    """

    sides = ("gradient",)

    def one(
        self, x: Tensor, seen: Values, s: Values, h: Values
    ) -> tuple[Tensor, Values]:
        inputs = tuple(range(len(x.shape) - 1))
        if not inputs or 0 in x.shape:
            return x, s
        return x - mean(x, inputs), s
