"""Cautious updates."""

from keras import ops

from keras_optlab.core import Values
from keras_optlab.core.numerics import maximum
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import TensorTransform
from keras_optlab.transforms.means import mean


class Cautious(TensorTransform):
    r"""Cautious updates: entries that do not point against the gradient become 0.

    With an update $\Delta$, which is added to the weight, and the gradient $g$,
    $\phi = [-\Delta g > 0]$ and
    $\Delta \leftarrow \Delta \phi / \max(\operatorname{mean}(\phi), 10^{-3})$,
    so that the mean size of the update stays about the same.

    Source: Liang, Chen, Liu and Liu, 2024, arXiv:2411.16085, Algorithm 1. The
    rescaling is the one of C-AdamW in the authors' code; their C-Lion divides by
    $(\sum \phi + 1) / n$ instead.

    >>> from keras_optlab import optimizers, transforms
    >>> c_adamw = optimizers.AdamW(update_transforms=[transforms.Cautious()])
    """

    sides = ("update",)

    def one(
        self, x: Tensor, seen: Values, s: Values, h: Values
    ) -> tuple[Tensor, Values]:
        if 0 in x.shape:
            return x, s
        agrees = ops.cast(x * seen.g < 0, x.dtype)
        return x * (agrees / maximum(mean(agrees), 1e-3)), s
