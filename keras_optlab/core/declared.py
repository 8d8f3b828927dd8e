"""Classes whose constructor, validation and configuration come from declarations."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol, dataclass_transform

import keras

from keras_optlab.core.declaration_checks import check_field_names
from keras_optlab.core.errors import advise, in_words, shown
from keras_optlab.core.fields import Beta, Choice, Field, Flag, Hyper, Option
from keras_optlab.core.rates import LearningRate
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.core.values import Values


class HyperparameterStore(Protocol):
    """Holds the values of an object whose numbers may move while a step runs."""

    variables: dict[str, Variable]
    values: dict[str, Any]

    def read(self, field: Field) -> Any:
        """Return the present value."""

    def write(self, field: Field, value: Any) -> None:
        """Move it."""

    def tensors(self, step: Tensor) -> Values:
        """Return all values as a step reads them."""
        ...


@dataclass_transform(field_specifiers=(Hyper, Beta, Flag, Choice, Option, LearningRate))
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

    scalars: HyperparameterStore | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {k: f for k, f in vars(cls).items() if isinstance(f, Field)}
        check_field_names(cls, own, cls.fields)
        cls.own_fields = tuple(own)
        cls.fields = cls.fields | own
        for name, field in own.items():
            if field.keras_owned:
                delattr(cls, name)  # leaves Keras' own property or attribute in view
        cls.__signature__ = signature_of(cls.fields, cls.positional())
        # With the room, since a regularizer and a constraint may share a name.
        room = ".".join(cls.__module__.split(".")[:2])
        keras.saving.register_keras_serializable(room)(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._values = self.bind(*args, **kwargs)

    @classmethod
    def positional(cls) -> tuple[str, ...]:
        """Return the arguments that need no name in a call, in order."""
        return tuple(name for name, field in cls.fields.items() if not field.kw_only)

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return a checked value for every field from a call's arguments."""
        parameters = inspect.signature(cls).parameters
        for name in kwargs:
            if name not in parameters:
                value = kwargs[name]
                raise TypeError(
                    f"{cls.__name__} has no such argument. Received: "
                    f"{name}={shown(value)}. {advise(name, value, parameters)}"
                )
        try:
            bound = inspect.signature(cls).bind(*args, **kwargs)
        except TypeError as error:
            known = [k for k, p in parameters.items() if p.kind != p.KEYWORD_ONLY]
            raise TypeError(
                f"{cls.__name__}: {error}. Received: {shown(args)}. "
                f"In order, it takes {', '.join(known) or 'none'}; all others by name."
            ) from None
        bound.apply_defaults()
        values = bound.arguments
        return Values(**{k: f.validate(values[k]) for k, f in cls.fields.items()})

    def read_field(self, field: Field) -> Any:
        """Return a field's value; its default as long as construction goes on."""
        if self.scalars is not None:
            return self.scalars.read(field)
        values = vars(self).get("_values")
        return field.default if values is None else getattr(values, field.name)

    def write_field(self, field: Field, value: Any) -> None:
        """Move a number of a running object; everything else is fixed."""
        if self.scalars is None:
            raise AttributeError(
                f"`{field.name}` is fixed unless an optimizer or a callback has charge "
                f"of the {type(self).__name__}. Received: {field.name}={value!r}. "
                "Construct a new one."
            )
        self.scalars.write(field, value)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal object, ready to serialize."""
        return {k: plain(getattr(self, k)) for k in self.fields}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Make an object from what `get_config` returned."""
        load = keras.saving.deserialize_keras_object
        return cls(**{k: load(v, custom_objects) for k, v in config.items()})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._in_words(self.fields))})"

    def _in_words(self, names: Iterable[str]) -> list[str]:
        """Return arguments as they would be written in a call.

        Numbers and schedules are always among them, all else if it is not the default.
        """
        present = [(self.fields[name], self._present(name)) for name in names]
        return [
            f"{field.name}={in_words(value)}"
            for field, value in present
            if (self._is_main(field) and _is_number(value))
            or not (value is field.default or value in (field.default, ()))
        ]

    def _present(self, name: str) -> Any:
        """Return an argument's value, as it is now."""
        owner = self._values if self.fields[name].keras_owned else self
        return getattr(owner, name)

    @classmethod
    def _is_main(cls, field: Field) -> bool:  # noqa: ARG003
        """Whether the argument says what the object does, even at its default."""
        return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def signature_of(
    fields: dict[str, Field], positional: Sequence[str] = ()
) -> inspect.Signature:
    """Return the signature of a constructor that takes these arguments.

    Args:
        fields: All arguments.
        positional: Those that need no name in a call, in their order.
    """
    others = [name for name in fields if name not in positional]
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return inspect.Signature(
        [
            inspect.Parameter(name, kind, default=fields[name].default)
            for names, kind in zip((positional, others), kinds, strict=True)
            for name in names
        ]
    )


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; objects as Keras serializes them."""
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, bool | int | float | str | None):
        return value
    return keras.saving.serialize_keras_object(value)
