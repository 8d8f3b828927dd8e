"""Making the numbers of something in a model's loss adjustable while it trains."""

from __future__ import annotations

import keras

from keras_optlab.core.declared import Declared
from keras_optlab.engine.backend.keras_adapter import add_step_state, constant
from keras_optlab.engine.hyperparameters.variables import (
    HyperparameterVariables,
    scalar_dtype,
)


def make_adjustable(model: keras.Model, declared: Declared) -> bool:
    """Keep an object's numbers in variables of the model; return whether it is news.

    A Python number in a loss is a constant of the compiled step. Afterwards
    `declared.l2 = 0.1` moves the number, once the step has been traced anew. The
    variables are no weights: `get_weights` and saved files do not have them.

    Args:
        model: The model in whose loss the object takes part.
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
