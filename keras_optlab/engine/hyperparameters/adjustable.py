"""Making the numbers of regularizers and constraints adjustable in training."""

from __future__ import annotations

import keras

from keras_optlab.core.declared import Declared
from keras_optlab.engine.backend.keras_adapter import add_step_state, constant
from keras_optlab.engine.hyperparameters.variables import (
    HyperparameterVariables,
    scalar_dtype,
)


def make_adjustable(model: keras.Model, declared: Declared) -> bool:
    """Store an object's numbers in variables; return `False` if they were already.

    A Python number is a constant of the compiled step. With variables, and after a
    retrace, `declared.l2 = 0.1` changes the number in the step. The variables are not
    weights, and are not in `get_weights` and saved files.

    Args:
        model: The model whose step uses the object.
        declared: The object, such as a regularizer.
    """
    if declared.scalars is not None:
        return False

    def add_variable(name: str, value: float) -> keras.Variable:
        variable = keras.Variable(
            constant(value), shape=(), dtype=scalar_dtype(), trainable=False, name=name
        )
        add_step_state(model, variable)
        return variable

    declared.scalars = HyperparameterVariables(
        type(declared), declared._values, add_variable
    )
    return True
