"""Rewinding the state that a train step has written, for a second pass over a batch.

Keras lists the state of layers and metrics, but a step may write more: the states of a
recurrent layer, a seed that no layer owns, a variable of a user's own. In a TensorFlow
graph, each operation that may write a variable is recorded when it is created. In eager
execution, everything that can be reached from the model is copied.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import keras

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.modules import (
    copied,
    default_graph,
    holds_state,
    torch_module,
)
from keras_optlab.engine.backend.variables import raw
from keras_optlab.engine.model.reachable import numbers_in, reach

Handle = Any
READING = {"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape"}
DRAWING = {  # random operations, whose internal state cannot be rewound
    "Multinomial",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoissonV2",
    "RandomShuffle",
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "TruncatedNormal",
}


class Recording(Protocol):
    """A recording of the state that a step writes."""

    def stop(self) -> None:
        """End the recording; `rewound` restores this state at its end."""

    def rewound(self) -> contextlib.AbstractContextManager[None]:
        """Restore the state at the start; at exit, restore the state at `stop`."""
        ...


def record(roots: list[Any], leave_out: list[Any]) -> Recording:
    """Start a recording.

    Args:
        roots: Objects from which all state that the step writes can be reached.
        leave_out: Objects to ignore.
    """
    graph = default_graph()
    return EagerRecording(roots, leave_out) if graph is None else GraphRecording(graph)


class GraphRecording:
    """A recording by the operations that are added to a TensorFlow graph.

    Args:
        graph: The graph of the function that is traced.
    """

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._handles: dict[int, Handle] = {}
        self._before: dict[int, Tensor] = {}
        self._users: dict[int, list[Any]] = {}
        self._drawn: list[Any] = []
        self._create = graph._create_op_internal
        self._creating = contextlib.ExitStack()
        self._creating.enter_context(_created_by(self._see_and_create, graph))
        self._stopped = False

    def _see_and_create(self, kind: str, inputs: Any, *args: Any, **kw: Any) -> Any:
        seen = [] if kind in READING else [self._seen(x) for x in inputs]
        operation = self._create(kind, inputs, *args, **kw)
        if kind in DRAWING:
            self._drawn.append(operation)
        for key in seen:
            if key is not None:
                self._users[key].append(operation)
        return operation

    def _seen(self, x: Tensor) -> int | None:
        """Read the variable of a handle, before it may be written; return its key."""
        import tensorflow as tf

        if x.dtype != tf.resource:
            return None
        handle = self._graph.capture(x)
        key = id(handle)
        if key not in self._handles and _dtype_of(handle) is not None:
            self._handles[key], self._users[key] = handle, []
            with self._graph.as_default():
                self._before[key] = _read(handle)
        return key if key in self._handles else None

    def stop(self) -> None:
        """End the recording; `rewound` restores this state at its end."""
        if self._stopped:
            return
        self._stopped = True
        self._creating.close()
        written = [
            key
            for key, handle in self._handles.items()
            if any(_writes(operation, handle) for operation in self._users[key])
        ]
        # the captured outer handles, by which branches identify a variable too
        outside = {id(inner): outer for outer, inner in self._graph.captures}
        self._written = [outside.get(key, self._handles[key]) for key in written]
        self._start = [self._before[key] for key in written]
        self._end = [_read(self._handles[key]) for key in written]

    @contextlib.contextmanager
    def rewound(self) -> Iterator[None]:
        """Restore the state at the start; at exit, restore the state at `stop`."""
        graph, drawn = default_graph(), iter(self._drawn)
        create = graph._create_op_internal

        def create_or_take(kind: str, *args: Any, **kw: Any) -> Any:
            first = next(drawn, None) if kind in DRAWING else None
            return create(kind, *args, **kw) if first is None else first

        self._write(self._start)
        with _created_by(create_or_take, graph):
            yield
        self._write(self._end)

    def _write(self, values: list[Tensor]) -> None:
        import tensorflow as tf

        for handle, x in zip(self._written, values, strict=True):
            tf.raw_ops.AssignVariableOp(resource=handle, value=x)


@contextlib.contextmanager
def _created_by(create: Callable[..., Any], graph: Any) -> Iterator[None]:
    """Replace the function by which a graph creates operations, within the context.

    `_create_op_internal` is private to TensorFlow, and the only method that does so.
    """
    before = graph._create_op_internal
    graph._create_op_internal = create
    try:
        yield
    finally:
        graph._create_op_internal = before


def _dtype_of(handle: Handle) -> int | None:
    """Return the dtype of a handle's variable, `None` for another kind of handle.

    The data of handles is private to TensorFlow; no public function returns the dtype.
    """
    from tensorflow.python.ops.handle_data_util import get_resource_handle_data

    known = get_resource_handle_data(handle)
    return known.shape_and_type[0].dtype if known.is_set else None


def _read(handle: Handle) -> Tensor:
    import tensorflow as tf

    x = tf.raw_ops.ReadVariableOp(resource=handle, dtype=_dtype_of(handle))
    return tf.identity(x)


def _writes(operation: Any, handle: Handle) -> bool:
    """Return whether an operation may write; functions list their read-only inputs."""
    try:
        only_read = operation.get_attr("_read_only_resource_inputs")
    except ValueError:
        return True
    return not any(operation.inputs[i] is handle for i in only_read)


class EagerRecording:
    """A recording by copies of all variables, tensors and numbers that can be reached.

    Args:
        roots: Objects from which all state that the step writes can be reached.
        leave_out: Objects to ignore.
    """

    def __init__(self, roots: list[Any], leave_out: list[Any]) -> None:
        reached = reach(roots, leave_out)
        self._optimized = bool(reached.optimizers)
        self._attributes = [(a, numbers_in(a)) for a in reached.attributes]
        self._states = [_State(x) for x in reached.variables]
        self._making = contextlib.ExitStack()
        self._making.enter_context(seen_when_made(self._see))
        self._stopped = False

    def _see(self, variable: keras.Variable) -> None:
        if holds_state(raw(variable)):
            self._states.append(_State(raw(variable)))

    def stop(self) -> None:
        """End the recording; `rewound` restores this state at its end."""
        if self._stopped:
            return
        self._stopped = True
        self._making.close()
        self._states = [x for x in self._states if x.stop(self._optimized)]
        self._moved = [
            (owner, {k: x for k, x in before.items() if owner.get(k, x) is not x})
            for owner, before in self._attributes
        ]
        self._now = [(owner, {k: owner[k] for k in own}) for owner, own in self._moved]

    @contextlib.contextmanager
    def rewound(self) -> Iterator[None]:
        """Restore the state at the start; at exit, restore the state at `stop`."""
        for state in self._states:
            state.write(state.start)
        for owner, before in self._moved:
            owner.update(before)
        try:
            yield
        finally:
            for state in self._states:
                state.write(state.end)
            for owner, now in self._now:
                owner.update(now)


@contextlib.contextmanager
def seen_when_made(see: Callable[[keras.Variable], None]) -> Iterator[None]:
    """Call a function with every Keras variable that is created within the context."""
    make, cls = keras.Variable.__init__, keras.Variable
    own = "__init__" in vars(cls)

    @functools.wraps(make)
    def make_and_see(variable: keras.Variable, *args: Any, **kw: Any) -> None:
        make(variable, *args, **kw)
        see(variable)

    cls.__init__ = make_and_see
    try:
        yield
    finally:
        if own:
            cls.__init__ = make
        else:
            del cls.__init__


class _State:
    """A variable of TensorFlow or a tensor of torch, with its values at two moments."""

    def __init__(self, x: Any) -> None:
        self._x = x
        self.start = self.end = copied(x)
        self._version = getattr(x, "_version", None)  # torch counts writes

    def stop(self, optimized: bool) -> bool:
        """Keep the present value as the last; return whether it may have changed.

        Args:
            optimized: Whether an optimizer may have written it; torch does not count
                the writes of some fused kernels.
        """
        counted = self._version is not None and not optimized
        if counted and self._x._version == self._version:
            return False
        self.end = copied(self._x)
        return True

    def write(self, value: Tensor) -> None:
        """Write a value."""
        if self._version is None:
            self._x.assign(value)
            return
        with torch_module().no_grad():
            self._x.copy_(value)
