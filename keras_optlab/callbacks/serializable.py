"""Callbacks that can be written down and made anew."""

from __future__ import annotations

import inspect
import os
from typing import Any, Self

import keras

from keras_optlab.core.declared import plain


class Serializable:
    """Keeps the arguments of the constructor, which make an equal callback.

    What happened in a `fit` is not part of the configuration.

    >>> from keras_optlab.callbacks import TimeStopping
    >>> config = keras.saving.serialize_keras_object(TimeStopping(seconds=60))
    >>> config["config"]
    {'seconds': 60}
    >>> keras.saving.deserialize_keras_object(config).seconds
    60.0
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        signature = inspect.signature(cls.__init__)
        own = list(signature.parameters.values())[1:]
        cls.__signature__ = signature.replace(parameters=own)
        room = ".".join(cls.__module__.split(".")[:2])
        keras.saving.register_keras_serializable(room)(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note the arguments before the constructor changes them."""
        callback = super().__new__(cls)
        bound = inspect.signature(cls).bind_partial(*args, **kwargs)
        callback._arguments = bound.arguments  # pyright: ignore[reportAttributeAccessIssue]
        return callback

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal callback, ready to serialize."""
        given: dict[str, Any] = vars(self)["_arguments"]
        return {
            k: os.fspath(v) if isinstance(v, os.PathLike) else plain(v)
            for k, v in given.items()
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a callback from what `get_config` returned."""
        load = keras.saving.deserialize_keras_object
        return cls(**{k: load(v) for k, v in config.items()})
