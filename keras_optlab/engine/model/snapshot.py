"""Keeping the whole state of a model, its optimizer and its data for a trial run."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_optlab.engine.backend.generators import generator_states, set_back
from keras_optlab.engine.backend.keras_adapter import optimizers_of
from keras_optlab.engine.backend.modules import in_training_mode
from keras_optlab.engine.backend.state_copies import StateCopies
from keras_optlab.engine.backend.variables import has_value, raw
from keras_optlab.engine.model.reachable import numbers_in, reach
from keras_optlab.engine.model.rewind import seen_when_made

ENGINE = (
    "at_evaluation_weights",
    "warned_of_end",
    "times_loaded",
    "_warned_of_averages",
)
MODEL = "stop_training", "steps_per_execution", "jit_compile"


class Snapshot:
    """The state of a model and all that trains it, to be put back any number of times.

    It has: all variables of the model (weights, statistics, seeds), its metrics and its
    optimizers; numbers, arrays and tensors in attributes of the user's objects that the
    model refers to; the random generators of Python, NumPy, TensorFlow, torch, Keras
    and of the data; what the optimizers of this package keep beside variables.

    Args:
        model: The compiled model.
        data: The data; their random generators are kept.
    """

    def __init__(self, model: Any, data: Any = None) -> None:
        self.model = model
        self._copies = StateCopies()
        reached = reach([model])
        for variable in [*_keras_variables(model, reached), *reached.variables]:
            self.add(variable)
        attributes = [*reached.attributes, getattr(data, "__dict__", {})]
        self._numbers = [(a, numbers_in(a)) for a in attributes]
        self._generators = generator_states(data)
        self._engine = [_EngineState(x) for x in optimizers_of(model)]
        self.undo: list[Callable[[], None]] = []  # called first at the end
        self._of_model = {k: getattr(model, k) for k in MODEL}
        self._train_function = getattr(model, "train_function", None)
        self._history = vars(model).get("history")

    def add(self, variable: Any) -> None:
        """Keep the present value of a variable, unless it is kept already."""
        if has_value(variable):
            on_jax = keras.backend.backend() == "jax"
            self._copies.add(variable if on_jax else raw(variable))

    def put_back(self) -> None:
        """Put everything back, except for `train_function`."""
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()  # else it could write a failed step's state
        self._copies.restore()
        for owner, before in self._numbers:
            owner.update(before)
        for one in self._engine:
            one.put_back()
        set_back(self._generators)
        self.model.stop_training = self._of_model["stop_training"]

    def end(self) -> None:
        """Put everything back."""
        try:
            for undo in self.undo:
                undo()
        finally:
            self.put_back()
        for name, value in self._of_model.items():
            setattr(self.model, name, value)
        self.model.train_function = self._train_function
        vars(self.model).pop("history", None)
        if self._history is not None:
            self.model.history = self._history


@contextlib.contextmanager
def state_kept(model: Any, data: Any = None) -> Iterator[Snapshot]:
    """Put the whole state of a model back at the end, however the context ends.

    Variables that are created within the context get their first values back. The
    train function is made anew within the context, so that the model's own keeps its
    trace and the state of random operations in it.

    Args:
        model: The compiled model.
        data: The data; their random generators are kept.
    """
    snapshot = Snapshot(model, data)
    try:
        with seen_when_made(snapshot.add), in_training_mode(model), _silent(model):
            model.train_function = None
            yield snapshot
    finally:
        with interrupts_deferred():
            snapshot.end()


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Defer Ctrl-C until the end of the context."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[Any] = []
    handler = signal.signal(signal.SIGINT, lambda *args: pending.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if pending and callable(handler):
            handler(*pending[0])


@contextlib.contextmanager
def _silent(model: Any) -> Iterator[None]:
    """Have the optimizers not warn of skipped steps."""
    watches = [x.skip_watch for x in optimizers_of(model)]
    before = [x.suspended for x in watches]
    for watch in watches:
        watch.suspended = True
    try:
        yield
    finally:
        for watch, suspended in zip(watches, before, strict=True):
            watch.suspended = suspended


class _EngineState:
    """What an optimizer of this package keeps beside its variables."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.flags = {k: x for k, x in vars(optimizer).items() if k in ENGINE}
        self.by_hand = optimizer.training_span.by_hand
        watch = vars(optimizer.skip_watch)
        self.watch = {k: x for k, x in watch.items() if k != "suspended"}
        self.waiting = list(optimizer.plan.waiting) if optimizer.built else None

    def put_back(self) -> None:
        """Put it back."""
        for name in ENGINE:
            vars(self.optimizer).pop(name, None)
        vars(self.optimizer).update(self.flags)
        self.optimizer.training_span.by_hand = self.by_hand
        vars(self.optimizer.skip_watch).update(self.watch)
        if self.waiting is not None:
            self.optimizer.plan.waiting = list(self.waiting)


def _keras_variables(model: Any, reached: Any) -> list[Any]:
    optimizers = [model.optimizer, *reached.optimizers]
    found = [*model.variables, *(v for m in model.metrics for v in m.variables)]
    return found + [v for x in optimizers if x is not None for v in x.variables]
