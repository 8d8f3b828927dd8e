"""Forward passes in training mode that return the statistics of each batch.

The moving statistics of a layer are a moving average of those of the batches. With a
momentum of 0 they are those of the last batch, whatever kind of layer it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.modules import jax_module, torch_module
from keras_optlab.engine.backend.normalization import (
    normalization_layers,
    running_statistics,
)
from keras_optlab.engine.backend.repeatable import (
    random_numbers,
    replayed_random_numbers,
)
from keras_optlab.engine.backend.replicas import is_distributed
from keras_optlab.engine.backend.variables import read, to_numpy

Statistics = list[tuple[Variable, np.ndarray]]
Pass = Callable[[Any], list[Tensor]]


def mean_statistics(model: Any, batches: Iterable[Any]) -> Statistics:
    """Return the mean of the batches' statistics; leave the model as it was.

    Each batch counts by its number of examples. Nothing is returned without a batch.
    """
    layers = normalization_layers(model)
    variables = [v for layer in layers for v in running_statistics(layer)]
    found: list[list[Tensor]] = []
    sizes: list[int] = []
    with _unchanged(model, layers), replayed_random_numbers(random_numbers()):
        for v in variables:
            v.assign(ops.zeros_like(v.value))  # a NaN would stay, even times 0
        run = _pass_of(model, variables)
        for x in batches:
            sizes.append(len(keras.tree.flatten(x)[0]))
            found.append(run(x))
    if not found:
        return []
    rows = [[ops.convert_to_numpy(x) for x in row] for row in found]
    means = [
        np.average(np.asarray(column, "float64"), axis=0, weights=sizes)
        for column in zip(*rows, strict=True)
    ]
    return list(zip(variables, means, strict=True))


def _pass_of(model: Any, variables: list[Variable]) -> Pass:
    """Return the compiled pass of a model, made at the first use."""
    key = [id(v) for v in variables], model.run_eagerly, model.jit_compile
    kept = vars(model).get("_optlab_normalization_pass")
    if kept is None or kept[0] != key:
        make = _PASSES[keras.backend.backend()]
        kept = vars(model)["_optlab_normalization_pass"] = key, make(model, variables)
    begin = kept[1]
    return begin()


@contextlib.contextmanager
def _unchanged(model: Any, layers: list[Any]) -> Iterator[None]:
    """Set momenta to 0; restore them and all state but the weights at exit."""
    state = [*model.non_trainable_variables, *model.metrics_variables]
    before = [to_numpy(v) for v in state]  # copies: JAX' trainer donates buffers
    momenta = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = 0.0
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for v, x in zip(state, before, strict=True):
            v.assign(x)


# For each backend: a function that begins a series of passes.


def _on_tensorflow(model: Any, variables: list[Variable]) -> Callable[[], Pass]:
    import tensorflow as tf

    def run(x: Any) -> list[Tensor]:
        model(x, training=True)
        return [tf.identity(read(v)) for v in variables]

    if model.run_eagerly:
        return lambda: run
    jit = True if model.jit_compile and not is_distributed(model) else None
    traced: dict[Any, Pass] = {}  # TensorFlow warns if it finds the trace itself

    def spec(x: Any) -> Any:
        return tf.TensorSpec([None, *x.shape[1:]], x.dtype)

    def compiled(x: Any) -> list[Tensor]:
        specs = keras.tree.map_structure(spec, x)
        key = str(specs)
        if key not in traced:
            function = tf.function(run, autograph=False, jit_compile=jit)
            traced[key] = function.get_concrete_function(specs)
        return traced[key](x)

    return lambda: compiled


def _on_jax(model: Any, variables: list[Variable]) -> Callable[[], Pass]:
    others = model.non_trainable_variables
    places = [next(i for i, o in enumerate(others) if o is v) for v in variables]

    def forward(weights: Any, others: Any, x: Any) -> Any:
        return model.stateless_call(weights, others, x, training=True)[1]

    if not model.run_eagerly:
        forward = jax_module().jit(forward)

    def begin() -> Pass:
        weights = [v.value for v in model.trainable_variables]
        state = [v.value for v in model.non_trainable_variables]

        def run(x: Any) -> list[Tensor]:
            state[:] = forward(weights, state, x)
            return [state[i] for i in places]

        return run

    return begin


def _on_torch(model: Any, variables: list[Variable]) -> Callable[[], Pass]:
    torch = torch_module()

    def run(x: Any) -> list[Tensor]:
        with torch.no_grad():
            model(x, training=True)
            return [read(v).clone() for v in variables]

    return lambda: run


_PASSES = {"tensorflow": _on_tensorflow, "jax": _on_jax, "torch": _on_torch}
