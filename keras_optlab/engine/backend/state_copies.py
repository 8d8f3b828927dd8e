"""Copies of variables in the memory of the host, to be written back later."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.core.types import Variable
from keras_optlab.engine.backend.modules import eager_scope, torch_module


class StateCopies:
    """The values of variables at the moment they were added.

    The copies are on the host: they take no memory of a GPU, and JAX cannot donate
    their buffers to a step.

    """

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Variable, Any]] = {}

    def add(self, variable: Variable) -> None:
        """Copy a variable of Keras or of the backend, unless it has been copied."""
        if id(variable) not in self._copies:
            with eager_scope():
                self._copies[id(variable)] = variable, _copy(variable)

    def restore(self) -> None:
        """Write all values back."""
        for variable, value in list(self._copies.values()):
            write_value(variable, value)


def _copy(variable: Variable) -> Any:
    if keras.backend.backend() == "torch":
        return variable.detach().to("cpu", copy=True)
    value = variable.value if isinstance(variable, keras.Variable) else variable
    return np.array(ops.convert_to_numpy(value))


def write_value(variable: Variable, value: Any) -> None:
    """Write a value into a variable of Keras or of the backend."""
    if keras.backend.backend() != "torch" or isinstance(variable, keras.Variable):
        variable.assign(value)
        return
    with torch_module().no_grad():
        variable.copy_(value)
