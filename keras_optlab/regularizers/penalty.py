"""The penalty behind L1, L2 and their sum."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_optlab.core import Declared, Hyper


class Penalty(Declared, keras.regularizers.Regularizer):
    """A sum of norms of a tensor, each with a factor that a subclass declares."""

    l1: float = 0.0
    l2: float = 0.0

    def __call__(self, x: Any) -> Any:
        """Penalty of a tensor, a scalar of its dtype."""
        penalty = ops.zeros((), dtype=x.dtype)
        if self.l1:
            penalty = penalty + self.l1 * ops.sum(ops.absolute(x))
        if self.l2:
            penalty = penalty + self.l2 * ops.sum(ops.square(x))
        return penalty


def factor(doc: str, default: float) -> Any:
    """Declare the factor of a norm: a finite number >= 0."""
    return Hyper(default=default, doc=doc, within=">= 0", adjustable=False)
