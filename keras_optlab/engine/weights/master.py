r"""Float32 copies of weights in bfloat16 or float16, for `master_weights=True`.

Steps smaller than the spacing of a short dtype would be lost. They are added to the
copy, and the weight is set to the rounded copy. The copy is a slot, so it is saved and
restored as one.

A weight can also be written from elsewhere: by `set_weights`, a constraint, a callback,
an average. An entry that is not the rounded copy has been written, and counts instead.
"""

from __future__ import annotations

from keras import ops

from keras_optlab.core.slots import Shape, Slot, Weight
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.variables import read
from keras_optlab.engine.weights.parameter import Parameter, Slots

# By dtype: the largest relative error of rounding, and the largest absolute error below
# the smallest normal number.
ROUNDING = {"bfloat16": (2.0**-8, 2.0**-134), "float16": (2.0**-11, 2.0**-25)}


def of_short(weight: Weight) -> Shape | None:
    """Return the shape of a weight in a short dtype; `None` for others."""
    return weight.shape if weight.dtype in ROUNDING else None


MASTER = Slot("master_weight", init="weight", shape=of_short)


def present_weight(p: Parameter, variable: Variable, slots: Slots) -> Tensor:
    """Return a weight in the dtype of its rule: its float32 copy where that is valid.

    The comparison allows for the error of rounding. XLA may skip a conversion to a
    short dtype and back, so equality with the rounded copy cannot be relied on.
    """
    w = ops.cast(read(variable), p.dtype)
    if MASTER.name not in slots:
        return w
    master = ops.cast(read(slots[MASTER.name]), p.dtype)
    relative, absolute = ROUNDING[p.short_dtype]
    error = ops.abs(w) * relative
    error = ops.where(error > absolute, error, absolute)
    return ops.where(ops.abs(master - w) <= error, master, w)
