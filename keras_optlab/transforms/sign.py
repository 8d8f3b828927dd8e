"""Sign updates."""

from keras import ops

from keras_optlab.core import Values
from keras_optlab.core.types import Tensor
from keras_optlab.transforms.base import TensorTransform


class Sign(TensorTransform):
    r"""Sign updates: every weight moves by the learning rate, along its update.

    An update $\Delta$ becomes $\eta \operatorname{sign}(\Delta)$, and zero stays zero.
    $\eta$ is the present rate, with its schedule and its group's factor.

    As an update transform, it takes the sign of the rule's update: after `SGD` it is
    signSGD, and after `SGD` with momentum it is Signum.

    Source: Bernstein, Wang, Azizzadenesheli and Anandkumar, 2018, arXiv:1802.04434,
    Algorithm 1. optax' `scale_by_sign` is the same, before the learning rate.

    >>> from keras_optlab import optimizers, transforms
    >>> signum = optimizers.SGD(
    ...     1e-3, momentum=0.9, update_transforms=[transforms.Sign()]
    ... )
    """

    sides = ("update",)

    def one(
        self, x: Tensor, seen: Values, s: Values, h: Values
    ) -> tuple[Tensor, Values]:
        return ops.cast(seen.learning_rate, x.dtype) * ops.sign(x), s
