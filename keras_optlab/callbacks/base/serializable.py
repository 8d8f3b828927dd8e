"""Serialization of callbacks by the arguments of their constructors."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras

from keras_optlab.core.declared import plain
from keras_optlab.core.errors import suggest

# An optimizer trains now, data may be large, and a tracker is connected to a service.
NOT_SAVED = "optimizer", "data", "tracker"


class Serializable:
    """A callback whose configuration is the arguments of its constructor.

    State from a `fit` is not part of the configuration. `optimizer` and `data` are not,
    either: a deserialized callback uses those of the model and of `fit`.

    Attributes:
        hints: Advice for argument names of Keras and other libraries, by that name.

    >>> from keras_optlab.callbacks import TimeStopping
    >>> config = keras.saving.serialize_keras_object(TimeStopping(seconds=60))
    >>> config["config"]
    {'seconds': 60}
    >>> keras.saving.deserialize_keras_object(config).seconds
    60.0
    """

    hints: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        signature = inspect.signature(cls.__init__)
        own = list(signature.parameters.values())[1:]
        cls.__signature__ = signature.replace(parameters=own)
        package = ".".join(cls.__module__.split(".")[:2])
        keras.saving.register_keras_serializable(package)(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Store the arguments before the constructor changes them."""
        callback = super().__new__(cls)
        signature = inspect.signature(cls)
        _check_names(cls, signature, args, kwargs)
        bound = signature.bind_partial(*args, **kwargs)
        callback._arguments = bound.arguments  # pyright: ignore[reportAttributeAccessIssue]
        return callback

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, without `NOT_SAVED`, as plain values."""
        given: dict[str, Any] = vars(self)["_arguments"]
        return {
            k: os.fspath(v) if isinstance(v, os.PathLike) else plain(v)
            for k, v in given.items()
            if k not in NOT_SAVED
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return a callback constructed from the result of `get_config`."""
        load = keras.saving.deserialize_keras_object
        return cls(**{k: load(v) for k, v in config.items()})


def _check_names(
    cls: type[Serializable],
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    """Raise if an argument has an unknown name, or too many are positional."""
    kinds = {k: p.kind for k, p in signature.parameters.items()}
    if inspect.Parameter.VAR_KEYWORD not in kinds.values():
        for name in kwargs.keys() - kinds.keys():
            hint = cls.hints.get(name) or suggest(name, kinds)
            raise TypeError(
                f"{cls.__name__} has no argument `{name}`. "
                f"Received: {name}={kwargs[name]!r}. {hint}"
            )
    ordered = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    positional = [k for k, kind in kinds.items() if kind in ordered]
    several = inspect.Parameter.VAR_POSITIONAL in kinds.values()
    if not several and len(args) > len(positional):
        raise TypeError(
            f"{cls.__name__} takes {', '.join(positional) or 'nothing'} in order, and "
            f"other arguments by name. Received: {', '.join(map(repr, args))}"
        )
