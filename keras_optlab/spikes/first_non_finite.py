"""Where the first NaN or infinity of a batch comes from."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.core.paths import path_of
from keras_optlab.core.types import Tensor
from keras_optlab.engine import state_untouched
from keras_optlab.engine.backend.derivatives import value_and_gradient

NAMES = "inputs", "targets", "sample weights"


@dataclass(frozen=True)
class NonFinite:
    """Where a batch first has a NaN or an infinity.

    Attributes:
        kind: `"data"`, `"weight"`, `"layer"`, `"loss"` or `"gradient"`.
        text: What was found, as a clause.
    """

    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


def non_finite_data(batch: Any) -> NonFinite | None:
    """Return the first NaN or infinity in the arrays of a batch, if there is one.

    >>> x = np.array([[1.0, 2.0], [3.0, np.nan]])
    >>> non_finite_data((x, np.zeros(2))).text
    'inputs: feature 1 of the batch has NaN, in 1 of 2 rows, first in row 1'
    """
    parts = keras.utils.unpack_x_y_sample_weight(batch)
    for name, part in zip(NAMES, parts, strict=True):
        for path, x in _named(part):
            text = _in_array(x)
            if text:
                return NonFinite("data", f"{name}{path}: {text}")
    return None


def first_non_finite(model: keras.Model, batch: Any) -> NonFinite | None:
    """Run a batch again, and return where it first has a NaN or an infinity.

    Looked at in this order: the data, the weights, the output of each layer, the loss,
    the gradient of each weight. The state of the model and of the random generators is
    as before; random layers draw other numbers than in the step. A custom `train_step`
    is not run: the forward pass and the loss are those of Keras' own step.

    Args:
        model: The model, compiled and built.
        batch: Data, targets and sample weights, as in a training step.

    Returns:
        `None` if all is finite.
    """
    found = non_finite_data(batch) or _non_finite_weight(model)
    if found is not None:
        return found
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    with state_untouched(model):
        y_pred = None
        with _stopped_at_first() as layers:
            y_pred = model(x, training=True)
        if layers:
            return layers[0]
        loss = model.compute_loss(x, y, y_pred, sample_weight)
        if _kinds(loss):
            text = f"loss: it is {_kinds(loss)}, and the outputs were finite"
            return NonFinite("loss", text)
        return _non_finite_gradient(model, x, y, sample_weight)


def traced(model: keras.Model, batches: Sequence[Any]) -> str:
    """Return what `first_non_finite` finds in some batches, or why it finds nothing."""
    for batch in batches:
        try:
            found = first_non_finite(model, batch)
        except Exception as error:  # noqa: BLE001 - a custom step may need another form
            return f"the batch could not be run again ({type(error).__name__}: {error})"
        if found is not None:
            return found.text
    return "run again, the batch is finite everywhere"


class _Stop(BaseException):
    """Ends a forward pass; Keras would change the message of an `Exception`."""


@contextlib.contextmanager
def _stopped_at_first() -> Iterator[list[NonFinite]]:
    """Stop at the first layer or operation with an output not finite, and list it."""
    given, found = keras.Operation.__call__, []

    @functools.wraps(given)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = given(self, *args, **kwargs)
        kinds = _kinds(outputs)
        if kinds:
            before = _kinds((args, kwargs))
            inputs = f"its input has {before}" if before else "its input was finite"
            text = f"layer {self.name}: output has {kinds}, {inputs}"
            found.append(NonFinite("layer", text))
            raise _Stop
        return outputs

    keras.Operation.__call__ = checked
    try:
        yield found
    except _Stop:
        pass
    finally:
        keras.Operation.__call__ = given


def _non_finite_weight(model: keras.Model) -> NonFinite | None:
    for variable in model.weights:
        kinds = _kinds(variable.value)
        if kinds:
            return NonFinite("weight", f"weight {path_of(variable)} has {kinds}")
    return None


def _non_finite_gradient(
    model: Any, x: Any, y: Any, sample_weight: Any
) -> NonFinite | None:
    variables = list(model.trainable_variables)
    shapes = [tuple(v.shape) for v in variables]
    ends = list(accumulate(map(math.prod, shapes)))

    def loss(w: Tensor) -> Tensor:
        parts = ops.split(w, ends[:-1]) if len(ends) > 1 else [w]
        rows = zip(variables, parts, shapes, strict=True)
        held = [(v, ops.cast(ops.reshape(p, s), v.dtype)) for v, p, s in rows]
        with keras.StatelessScope(state_mapping=held, collect_losses=True):
            y_pred = model(x, training=True)
            value = model.compute_loss(x, y, y_pred, sample_weight)
        return ops.cast(value, "float32")

    present = [np.ravel(ops.convert_to_numpy(v.value)) for v in variables]
    _, gradient = value_and_gradient(loss, "float32")(np.concatenate(present))
    parts = np.split(gradient, ends[:-1])
    bad = [v for v, g in zip(variables, parts, strict=True) if not _all_finite(g)]
    if not bad:
        return None
    names = ", ".join(path_of(v) for v in bad[-3:])
    more = f" and {len(bad) - 3} before it" if len(bad) > 3 else ""
    text = f"gradient of {names}{more} only: the outputs and the loss were finite"
    return NonFinite("gradient", text)


def _named(part: Any) -> list[tuple[str, Any]]:
    """Return the arrays in a part of a batch, each with its place in it."""
    if isinstance(part, dict):
        return [(f"[{k!r}]{p}", x) for k, v in part.items() for p, x in _named(v)]
    if isinstance(part, list | tuple):
        return [(f"[{i}]{p}", x) for i, v in enumerate(part) for p, x in _named(v)]
    return [] if part is None else [("", part)]


def _in_array(x: Any) -> str:
    """Return which features have a NaN or an infinity, and in which rows."""
    if not _is_float(x):
        return ""
    x = np.asarray(ops.convert_to_numpy(x))
    bad = ~np.isfinite(x)
    if not bad.any():
        return ""
    kinds = _kinds(x)
    if x.ndim < 2:
        return f"{kinds} in {bad.sum()} of {bad.size} rows, first in row {bad.argmax()}"
    by_feature = bad.any(axis=0)
    places = np.argwhere(by_feature)
    first = [int(i) for i in places[0]]
    name = f"feature {first[0] if len(first) == 1 else tuple(first)}"
    if len(places) > 1:
        name += f" and {len(places) - 1} more"
        name = "some of every feature" if by_feature.all() else name
    rows = bad.reshape(len(bad), -1).any(axis=1)
    return (
        f"{name} of the batch has {kinds}, in {rows.sum()} of {len(rows)} rows, first "
        f"in row {rows.argmax()}"
    )


def _kinds(xs: Any) -> str:
    """Return "NaN", "Inf" or both, as far as they occur; "" if all is finite."""
    tensors = [x for x in keras.tree.flatten(xs) if _is_float(x)]
    if all(_all_finite(x) for x in tensors):
        return ""
    arrays = [np.asarray(ops.convert_to_numpy(x), "float64") for x in tensors]
    found = [("NaN", np.isnan), ("Inf", np.isinf)]
    return " and ".join(k for k, f in found if any(f(x).any() for x in arrays))


def _all_finite(x: Any) -> bool:
    return bool(ops.convert_to_numpy(ops.all(ops.isfinite(x))))


def _is_float(x: Any) -> bool:
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        return False
    try:
        return "float" in keras.backend.standardize_dtype(dtype)
    except ValueError:  # no type of Keras, such as a string
        return False
