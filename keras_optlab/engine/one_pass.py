"""A weight's update in one pass over memory, where operations run one by one.

TensorFlow on a CPU goes over memory once for each operation of a rule. Compiled by XLA,
a weight at a time, the rule is a loop or two, and waits for no other weight's gradient
as one cluster of all of them would. Compiled code is shared by weights of one shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any

import keras

from keras_optlab.engine.backends import in_replica, raw

Tensor = Any
Variable = Any
Step = Callable[..., None]

WORTH_IT = 2**16  # entries of a weight; below, to start compiled code costs more


def pays(variable: Variable) -> bool:
    """Return whether to update a weight in one pass, in the graph now traced."""
    if keras.backend.backend() != "tensorflow" or in_replica():
        return False
    import tensorflow as tf

    if tf.executing_eagerly() or math.prod(variable.shape) < WORTH_IT:
        return False
    return "CPU" in raw(variable).device


class Passes:
    """The compiled steps of one trace, each shared by all weights that agree in a key.

    What a step reads of the trace beside its arguments must depend on the key alone.
    """

    def __init__(self) -> None:
        self._functions: dict[Hashable, Step] = {}

    def run(self, key: Hashable, step: Step, *args: Any) -> None:
        """Run a step that assigns to the variables among its arguments."""
        import tensorflow as tf

        if key not in self._functions:
            compiled = tf.function(step, jit_compile=True, autograph=False)
            self._functions[key] = compiled
        self._functions[key](*args)
