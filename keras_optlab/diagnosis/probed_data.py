"""What a probe sees of the data, and of the model's outputs for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops, tree

from keras_optlab.diagnosis.rules.data import SORTED_BATCHES
from keras_optlab.engine import undisturbed
from keras_optlab.engine.backend.keras_adapter import sublayers
from keras_optlab.finders.data import is_in_arrays

Facts = dict[str, float | str]
First = tuple[np.ndarray | None, float | None]
SAME_SIZE = 8  # examples that a batch needs to count as one of one class
LARGER = 10.0  # targets over outputs
OUTSIDE = 0.01  # share of the targets
TOLERANCE = 1e-3
SCALING = (layers.Normalization, layers.Rescaling, layers.Embedding)
SCALING += (layers.BatchNormalization, layers.LayerNormalization)
SCALING += (layers.GroupNormalization, layers.UnitNormalization)
REGRESSION = {"meansquarederror", "meanabsoluteerror", "huber", "logcosh"}
RANGES = {  # of the activations of a last layer
    "relu": (0.0, np.inf),
    "softplus": (0.0, np.inf),
    "exponential": (0.0, np.inf),
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu6": (0.0, 6.0),
}


def facts_of_data(model: Any, data: Any, seen: Sequence[Any], first: First) -> Facts:
    """Return what the rules about data read.

    Args:
        model: The model.
        data: The inputs as the user gave them.
        seen: Batches of inputs, targets and sample weights.
        first: What `first_outputs` returned before the first step.
    """
    facts: Facts = {}
    bad = _not_finite(seen)
    if bad:
        return {"not finite": bad}  # everything else would be infinite too
    output, received = first
    targets = [_array(y) for _, y, _ in seen if y is not None and not tree.is_nested(y)]
    if received is not None:
        facts["input size"] = received
    if output is None or len(targets) < len(seen) or not np.isfinite(output).all():
        return facts
    y = np.concatenate([t.reshape(len(t), -1) for t in targets])
    facts |= {"output low": float(output.min()), "output high": float(output.max())}
    loss, from_logits = _loss_of(model)
    if "crossentropy" in loss.lower():
        facts["loss"] = loss
        kind = _kind(output, model, loss, from_logits)
        facts |= {} if kind is None else {"logits": kind}
        if not is_in_arrays(data):  # `fit` shuffles arrays
            facts |= _order(targets, output.shape[-1])
    elif loss.lower().replace("_", "") in REGRESSION and y.dtype.kind in "fiu":
        facts |= _regression(y.astype("float64"), output, model)
    return facts


def _regression(y: np.ndarray, output: np.ndarray, model: Any) -> Facts:
    facts: Facts = {}
    size, own = (float(np.sqrt(np.mean(np.square(a)))) for a in (y, output))
    if size > LARGER * own:
        facts |= {"target size": size, "output size": own}
    name = _last_activation(model)
    if name in RANGES:
        low, high = RANGES[name]
        outside = float(np.mean((y < low - TOLERANCE) | (y > high + TOLERANCE)))
        if outside > OUTSIDE:
            facts |= {"unreachable": outside, "last activation": name}
    return facts


def _kind(output: np.ndarray, model: Any, loss: str, from_logits: bool) -> str | None:
    """Return what the outputs are, if the loss takes something else."""
    within = output.min() >= -TOLERANCE and output.max() <= 1 + TOLERANCE
    binary = "binary" in loss.lower()
    if not from_logits:
        return None if within or (not binary and output.min() >= 0) else "logits"
    if binary:
        sure = _last_activation(model) == "sigmoid"
    else:
        sure = bool(np.allclose(output.sum(axis=-1), 1.0, atol=1e-2))
    return "probabilities" if within and sure and output.shape[-1:] != () else None


def _order(targets: Sequence[np.ndarray], units: int) -> Facts:
    """Return the number of batches, if each holds one class only."""
    labels = [
        t.argmax(axis=-1) if t.ndim > 1 and t.shape[-1] > 1 else t.reshape(len(t))
        for t in targets
        if len(t) >= SAME_SIZE
    ]
    alone = [np.unique(x) for x in labels]
    if len(alone) < SORTED_BATCHES or any(len(x) > 1 for x in alone):
        return {}
    classes = len({x[0] for x in alone})
    # all of one class in a problem of two may be how rare the other one is
    if classes < 2 and units < 3:
        return {}
    return {
        "batches of one class": float(len(alone)),
        "classes": float(max(classes, units)),
    }


def first_outputs(model: Any, x: Any) -> First:
    """Return the output for a batch, and the size of what the first weights received.

    What a model does to its inputs before that layer may be anywhere in its code.
    """
    first: list[float | None] = []
    watched = [z for z in sublayers(model) if z.weights and _is_whole(z)]
    own = [vars(layer).get("call") for layer in watched]
    for layer in watched:
        vars(layer)["call"] = _watching(layer, first)
    try:
        with undisturbed(model):
            x = tree.map_structure(_tensor, x)
            output = model(x, training=False)
    except Exception:  # a model that is not called, but trained by a step of its own
        return None, None
    finally:
        for layer, call in zip(watched, own, strict=True):
            vars(layer).pop("call")
            vars(layer).update({} if call is None else {"call": call})
    size = first[0] if first else None
    if tree.is_nested(output):
        return None, size
    return np.asarray(ops.convert_to_numpy(output), "float64"), size


def _watching(layer: Any, first: list[float | None]) -> Any:
    call = layer.call

    def watched(*args: Any, **kwargs: Any) -> Any:
        if not first:
            scaled = isinstance(layer, SCALING)
            first.append(None if scaled or not args else _size(args[0]))
        return call(*args, **kwargs)

    return watched


def _is_whole(layer: Any) -> bool:
    """Return whether a layer uses its inputs itself, not by layers in it."""
    return isinstance(layer, layers.RNN) or not any(True for _ in sublayers(layer))


def _size(x: Any) -> float | None:
    """Return the root mean square of an input; `None` of several, or in a trace."""
    try:
        values = _array(x)
    except Exception:  # each backend has its own for a tensor without a value
        return None
    if values.dtype.kind not in "fiu":
        return None
    return float(np.sqrt(np.mean(np.square(values.astype("float64")))))


def _loss_of(model: Any) -> tuple[str, bool]:
    """Return the name of the compiled loss, or `""`, and its `from_logits`."""
    given = getattr(model, "loss", None)
    if isinstance(given, list | tuple | dict) and len(given) == 1:
        given = next(iter(given.values() if isinstance(given, dict) else given))
    if given is None or isinstance(given, list | tuple | dict):
        return "", False
    try:
        loss = keras.losses.get(given)
        if isinstance(loss, keras.losses.Loss):
            config = loss.get_config()
            return type(loss).__name__, bool(config.get("from_logits", False))
    except (ValueError, TypeError, NotImplementedError):
        return "", False
    name = getattr(loss, "__name__", "")
    return "".join(part.capitalize() for part in name.split("_")), False


def _last_activation(model: Any) -> str:
    """Return the name of the activation of the last layer, `""` if it is not known."""
    last = model.layers[-1] if getattr(model, "layers", None) else None
    if isinstance(last, layers.Softmax | layers.ReLU):
        return type(last).__name__.lower()
    return getattr(getattr(last, "activation", None), "__name__", "")


def _not_finite(seen: Sequence[Any]) -> str:
    """Say where NaN or infinity are, `""` if nowhere."""
    found = []
    for name, part in ("the inputs", 0), ("the targets", 1):
        rows = total = 0
        whole: dict[int, np.ndarray] = {}  # columns of a table without a finite entry
        for batch in seen:
            for leaf in _leaves(batch[part]):
                bad = ~np.isfinite(leaf.reshape(len(leaf), -1))
                rows, total = rows + int(bad.any(axis=1).sum()), total + len(leaf)
                here = np.asarray(bad.all(axis=0))
                whole[len(here)] = np.asarray(whole.get(len(here), here) & here)
        if rows:
            share = 100 * rows / total
            found.append(f"{share:.3g} % of the rows of {name}{_in_columns(whole)}")
    return " and ".join(found)


def _in_columns(whole: dict[int, np.ndarray]) -> str:
    """Say which columns have no finite entry, if some of one table have none."""
    (columns,) = whole.values() if len(whole) == 1 else (np.zeros(0, bool),)
    numbers = np.flatnonzero(columns)
    if not 0 < len(numbers) < len(columns):
        return ""
    of_them = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
    return (
        f" (in each row of column {of_them}, as when a mean or deviation was NaN: fill "
        "empty cells before scaling)"
    )


def _leaves(part: Any) -> Iterator[np.ndarray]:
    for leaf in tree.flatten(part):
        if leaf is not None:
            array = _array(leaf)
            if array.dtype.kind == "f" and array.ndim:
                yield array


def _array(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x) if ops.is_tensor(x) else x)


def _tensor(x: Any) -> Any:
    return x if x is None or ops.is_tensor(x) else ops.convert_to_tensor(x)
