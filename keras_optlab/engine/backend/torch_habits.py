"""Habits of PyTorch's optimizers, each answered by what to write with Keras.

PyTorch's optimizers hold the weights and read the gradients from them. Keras'
optimizers receive both in `apply`; `model.compile` or the first `apply` builds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from keras_optlab.core.errors import shown
from keras_optlab.core.number_checks import as_number
from keras_optlab.core.types import Tensor

WEIGHTS = "net.trainable_variables"
if keras.backend.backend() == "torch":
    APPLY = f"optimizer.apply([v.value.grad for v in {WEIGHTS}], {WEIGHTS})"
    CLEAR = "Write net.zero_grad()."
else:
    APPLY = f"optimizer.apply(gradients, {WEIGHTS})"
    CLEAR = "Leave it out: weights of this backend do not store gradients."
NO_WEIGHTS = (
    "takes no weights: `model.compile(optimizer)` passes those of the model, or "
    f"`optimizer.build({WEIGHTS})` in a custom loop."
)
GROUPS = "groups=[Group(layer, learning_rate=0.1)], where 0.1 is a factor on the rate"


class OnlyInTorch:
    """A name that PyTorch's optimizers have; its use raises what to write."""

    def __init__(self, instead: str) -> None:
        self.instead = instead

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Any, owner: type) -> Any:
        if optimizer is None:
            return self
        raise self._error(optimizer)

    def __set__(self, optimizer: Any, value: Any) -> None:
        raise self._error(optimizer)

    def _error(self, optimizer: Any) -> Exception:
        return AttributeError(
            f"{type(optimizer).__name__} is a Keras optimizer and has no "
            f"`{self.name}`. Received: optimizer.{self.name}. {self.instead}"
        )


class TorchHabits:
    """The names of PyTorch's optimizers, and its parameters, refused with advice."""

    lr = OnlyInTorch("Write optimizer.learning_rate.")  # Keras 2 had it too
    step = OnlyInTorch(f"Write {APPLY}.")
    zero_grad = OnlyInTorch(CLEAR)
    param_groups = OnlyInTorch(
        f"Set optimizer.learning_rate; for other rates in some layers, pass {GROUPS}."
    )
    state_dict = OnlyInTorch(
        "Write net.compile(optimizer) and net.save('net.keras'): the file has the "
        "weights and the optimizer's state."
    )
    load_state_dict = OnlyInTorch(
        "Write net = keras.saving.load_model('net.keras'); net.optimizer has the state."
    )

    def build(self, variables: Any) -> None:
        """Create the state for these weights."""
        super().build(_variables(variables))  # pyright: ignore[reportAttributeAccessIssue]

    def apply(self, grads: Sequence[Tensor], trainable_variables: Any = None) -> None:
        """Update weights by their gradients."""
        if trainable_variables is not None:
            trainable_variables = _variables(trainable_variables)
        super().apply(grads, trainable_variables)  # pyright: ignore[reportAttributeAccessIssue]


def _variables(weights: Any) -> list[Any]:
    """Return weights as a list; raise if they are PyTorch's parameters."""
    weights = list(weights)
    if weights and _is_parameter(weights[0]):
        raise TypeError(
            "expected the variables of a Keras model. "
            f"Received: {type(weights[0]).__name__}s of PyTorch, as of "
            f"net.parameters(). Write {WEIGHTS}."
        )
    return weights


def holds_weights(value: Any) -> bool:
    """Return whether a value is a model, or what PyTorch's optimizers take first."""
    if isinstance(value, list | tuple):
        return any(
            isinstance(x, keras.Variable | dict) or _is_parameter(x) for x in value[:1]
        )
    return isinstance(value, keras.Layer | Iterator)


def check_no_weights(
    name: str, default: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Raise if an optimizer is constructed with weights, as in PyTorch.

    Args:
        name: Class of the optimizer.
        default: Its default learning rate.
        args: Arguments of the constructor.
        kwargs: The same by name.
    """
    given = [*args[:1], kwargs.get("learning_rate"), kwargs.get("params")]
    weights = next((x for x in given if holds_weights(x)), None)
    if weights is None:
        return
    rates = [*args[1:2], kwargs.get("learning_rate"), kwargs.get("lr"), default]
    rate = next(x for x in rates if as_number(x) is not None)
    received = [shown(x) for x in args] + [f"{k}={shown(v)}" for k, v in kwargs.items()]
    groups = isinstance(weights, list | tuple) and isinstance(weights[0], dict)
    raise TypeError(
        f"{name} {NO_WEIGHTS} Received: {', '.join(received)}. "
        f"Write {name}(learning_rate={shown(rate)})"
        + (f"; for other rates in some layers, add {GROUPS}." if groups else ".")
    )


def _is_parameter(value: Any) -> bool:
    return hasattr(value, "requires_grad") and not isinstance(value, keras.Variable)
