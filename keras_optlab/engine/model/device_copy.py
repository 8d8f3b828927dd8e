"""Copies of what training changes, in the memory of the device, to go back to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.finite import all_finite
from keras_optlab.engine.backend.keras_adapter import (
    KerasAdapter,
    inner_optimizer,
    rate_source,
    state_variables,
)
from keras_optlab.engine.backend.modules import copied
from keras_optlab.engine.backend.variables import assign_each, has_value


class DeviceCopy:
    """The weights, statistics, optimizers and metrics of a model at one moment.

    Not in it, so that going back does not change them: the seeds of layers such as
    `Dropout`, which would repeat their random numbers; frozen weights; numbers that
    callbacks drive, such as the rate and its scale; the loss scale; counters of skipped
    steps, and records for callbacks.

    The copies are on the device. TensorFlow makes a copy when a step first writes the
    variable; on JAX and torch it is made at once.

    Args:
        model: The model, with its training weights. On JAX its variables must hold the
            state, as they do after reading `callback.model`.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._state = [(v, copied(v)) for v in _trained(model)]
        self._metrics = [(v, copied(v)) for v in _ready(model.metrics_variables)]

    def restore(self, with_metrics: bool) -> bool:
        """Go back to this state; return whether the metrics went back too.

        Args:
            with_metrics: Whether they do, if all of them existed; otherwise they begin
                anew, as at the start of an epoch.
        """
        metrics = self._model.metrics_variables
        with_metrics = with_metrics and len(self._metrics) == len(metrics)
        pairs = self._state + (self._metrics if with_metrics else [])
        values = [x for _, x in pairs]
        if keras.backend.backend() == "jax":  # a step donates what it is given
            values = [ops.copy(x) for x in values]
        assign_each([v for v, _ in pairs], values)
        if not with_metrics:
            self._model.reset_metrics()
        return with_metrics

    @property
    def is_finite(self) -> bool:
        """Whether it has no NaN and no infinity."""
        return _are_finite([x for _, x in self._state])


def has_finite_weights(model: Any) -> bool:
    """Return whether no trainable weight has a NaN or an infinity."""
    return _are_finite([v.value for v in _ready(model.trainable_variables)])


def optimizers_in(model: Any) -> list[Any]:
    """Return the optimizers that may train a model: compiled in, or its attributes.

    Those inside a `LossScaleOptimizer` or a `MultiOptimizer` stand for them.
    """
    waiting, found = [getattr(model, "optimizer", None), *vars(model).values()], {}
    while waiting:
        x = inner_optimizer(waiting.pop(0))
        if isinstance(x, keras.optimizers.Optimizer):
            inside = list(getattr(x, "optimizers", []))
            waiting += inside
            if not inside:
                found[id(x)] = x
    return list(found.values())


def _trained(model: Any) -> list[Variable]:
    """Return the variables that going back changes."""
    variables = [*model.trainable_variables]
    variables += [v for v in state_variables(model) if _is_float(v)]
    for optimizer in optimizers_in(model):
        kept = {id(v) for v in _not_trained(optimizer)}
        variables += [v for v in optimizer.variables if id(v) not in kept]
    return _ready({id(v): v for v in variables}.values())


def _not_trained(optimizer: Any) -> Iterator[Variable]:
    """Yield the variables of an optimizer that training does not determine."""
    yield rate_source(optimizer)
    if not isinstance(optimizer, KerasAdapter):
        return
    ours: Any = optimizer
    yield from ours.skips.variables
    yield from ours.recorder.variables
    yield ours.training_span.variable
    if ours.norm_guard is not None:
        yield from ours.norm_guard.variables
    for store in (ours.scalars, *ours.transform_scalars):
        yield from store.variables.values()


def _ready(variables: Any) -> list[Variable]:
    return [v for v in variables if has_value(v)]


def _are_finite(xs: Sequence[Tensor]) -> bool:
    floats = [x for x in xs if _is_float(x)]
    return not floats or bool(ops.convert_to_numpy(all_finite(floats)))


def _is_float(x: Variable | Tensor) -> bool:
    return "float" in keras.backend.standardize_dtype(x.dtype)
