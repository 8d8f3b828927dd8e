"""Classes whose constructor, validation and configuration come from declarations."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, ClassVar, Protocol, dataclass_transform

import keras

from keras_optlab.core.errors import suggest
from keras_optlab.core.fields import Choice, Decay, Field, Flag, Hyper, Option
from keras_optlab.core.rates import StepSize
from keras_optlab.core.records import Record


class Live(Protocol):
    """Holds the values of an object whose numbers may move while a step runs."""

    variables: dict[str, Any]

    def read(self, field: Field) -> Any:
        """Return the present value."""

    def write(self, field: Field, value: Any) -> None:
        """Move it."""


@dataclass_transform(field_specifiers=(Hyper, Decay, Flag, Choice, Option, StepSize))
class Declared:
    """Base of what is made from declared arguments and saved by Keras.

    >>> class Point(Declared):
    ...     x: float = Hyper(default=1.0, doc="abscissa")
    >>> Point(2).get_config()
    {'x': 2.0}
    >>> Point(x=-1)
    Traceback (most recent call last):
        ...
    ValueError: `x` (abscissa) must be a number > 0. Received: x=-1
    """

    fields: ClassVar[dict[str, Field]] = {}
    own_fields: ClassVar[tuple[str, ...]] = ()

    live: Live | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {k: f for k, f in vars(cls).items() if isinstance(f, Field)}
        cls.own_fields = tuple(own)
        cls.fields = cls.fields | own
        for name, field in own.items():
            if field.keras_owned:
                delattr(cls, name)  # leaves Keras' own property or attribute in view
        cls.__signature__ = signature_of(cls.fields)
        # With the room, since a regularizer and a constraint may share a name.
        room = ".".join(cls.__module__.split(".")[:2])
        keras.saving.register_keras_serializable(room)(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._values = self.bind(*args, **kwargs)

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Record:
        """Return a checked value for every field from a call's arguments."""
        parameters = inspect.signature(cls).parameters
        for name in kwargs:
            if name not in parameters:
                raise TypeError(
                    f"{cls.__name__} has no such argument. "
                    f"Received: {name}={kwargs[name]!r}. {suggest(name, parameters)}"
                )
        try:
            bound = inspect.signature(cls).bind(*args, **kwargs)
        except TypeError as error:
            known = [k for k, f in cls.fields.items() if not f.kw_only]
            raise TypeError(
                f"{cls.__name__}: {error}. Received: {args!r}. "
                f"In order, it takes {', '.join(known)}; all others by name."
            ) from None
        bound.apply_defaults()
        values = bound.arguments
        return Record(**{k: f.validate(values[k]) for k, f in cls.fields.items()})

    def read_field(self, field: Field) -> Any:
        """Return a field's value; its default as long as construction goes on."""
        if self.live is not None:
            return self.live.read(field)
        values = vars(self).get("_values")
        return field.default if values is None else getattr(values, field.name)

    def write_field(self, field: Field, value: Any) -> None:
        """Move a number of a running object; everything else is fixed."""
        if self.live is None:
            raise AttributeError(
                f"`{field.name}` is fixed unless an optimizer or a callback has charge "
                f"of the {type(self).__name__}. Received: {field.name}={value!r}. "
                "Construct a new one."
            )
        self.live.write(field, value)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal object, ready to serialize."""
        return {k: plain(getattr(self, k)) for k in self.fields}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Make an object from what `get_config` returned."""
        load = keras.saving.deserialize_keras_object
        return cls(**{k: load(v, custom_objects) for k, v in config.items()})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._changed(self.fields))})"

    def _changed(self, names: Iterable[str]) -> list[str]:
        """Return those arguments in words that are not at their default."""
        fields = [self.fields[name] for name in names]
        present = [
            (f, getattr(self._values if f.keras_owned else self, f.name))
            for f in fields
        ]
        return [f"{f.name}={v!r}" for f, v in present if v != f.default]


def signature_of(fields: dict[str, Field]) -> inspect.Signature:
    """Return the signature of a constructor that takes these arguments."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = [
        inspect.Parameter(name, kinds[field.kw_only], default=field.default)
        for name, field in sorted(fields.items(), key=lambda f: f[1].kw_only)
    ]
    return inspect.Signature(parameters)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; objects as Keras serializes them."""
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, bool | int | float | str | None):
        return value
    return keras.saving.serialize_keras_object(value)
