"""`Declared`: constructor, validation and configuration from declared arguments."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol, dataclass_transform

import keras

from keras_optlab.core.declaration_checks import check_field_names
from keras_optlab.core.errors import advise, in_words, shown
from keras_optlab.core.fields import Beta, Choice, Field, Flag, Hyper, Option
from keras_optlab.core.rates import LearningRate
from keras_optlab.core.spans import Moment
from keras_optlab.core.types import Variable
from keras_optlab.core.values import Values


class HyperparameterStore(Protocol):
    """Interface of a store for hyperparameters that can change during training."""

    variables: dict[str, Variable]
    values: dict[str, Any]

    def read(self, field: Field) -> Any:
        """Return the current value."""

    def write(self, field: Field, value: Any) -> None:
        """Change the value."""

    def tensors(self, moment: Moment) -> Values:
        """Return all values as a rule reads them in a step."""
        ...


@dataclass_transform(field_specifiers=(Hyper, Beta, Flag, Choice, Option, LearningRate))
class Declared:
    """Base of classes with declared arguments, which Keras can save.

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
    reserved_names: ClassVar[frozenset[str]] = frozenset()

    scalars: HyperparameterStore | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {k: f for k, f in vars(cls).items() if isinstance(f, Field)}
        bases = cls.__mro__[1:]
        check_field_names(cls, own, cls.fields, bases, cls.reserved_names)
        cls.own_fields = tuple(own)
        cls.fields = cls.fields | own
        for name, field in own.items():
            if field.keras_owned:
                delattr(cls, name)  # or it would hide Keras' attribute
        cls.__signature__ = signature_of(cls.fields, cls.positional())
        # With the module, since a regularizer and a constraint may share a name.
        package = ".".join(cls.__module__.split(".")[:2])
        keras.saving.register_keras_serializable(package)(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._values = self.bind(*args, **kwargs)

    @classmethod
    def positional(cls) -> tuple[str, ...]:
        """Return the names of the positional arguments, in order."""
        return tuple(name for name, field in cls.fields.items() if not field.kw_only)

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return the validated values of all fields, given a call's arguments."""
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
                f"By position it takes {', '.join(known) or 'none'}; others by name."
            ) from None
        bound.apply_defaults()
        values = bound.arguments
        return Values(**{k: f.validate(values[k]) for k, f in cls.fields.items()})

    def read_field(self, field: Field) -> Any:
        """Return a field's value; during construction, its default."""
        if self.scalars is not None:
            return self.scalars.read(field)
        values = vars(self).get("_values")
        return field.default if values is None else getattr(values, field.name)

    def write_field(self, field: Field, value: Any) -> None:
        """Change a number if an optimizer or a callback stores it, else raise."""
        if self.scalars is None:
            raise AttributeError(
                f"`{field.name}` is fixed unless an optimizer or a callback controls "
                f"this {type(self).__name__}. Received: {field.name}={value!r}. "
                f"Construct a new {type(self).__name__}."
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
        """Return arguments as text, as written in a call.

        Numbers for which `_is_main` holds are always included. Other arguments are
        included if they are not the default.
        """
        present = [(self.fields[name], self._present(name)) for name in names]
        return [
            f"{field.name}={in_words(value)}"
            for field, value in present
            if (self._is_main(field) and _is_number(value))
            or not (value is field.default or value in (field.default, ()))
        ]

    def _present(self, name: str) -> Any:
        """Return an argument's current value."""
        owner = self._values if self.fields[name].keras_owned else self
        return getattr(owner, name)

    @classmethod
    def _is_main(cls, field: Field) -> bool:  # noqa: ARG003
        """Return whether `repr` shows a number even if it is the default."""
        return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def signature_of(
    fields: dict[str, Field], positional: Sequence[str] = ()
) -> inspect.Signature:
    """Return the signature of a constructor that takes these arguments.

    Args:
        fields: All arguments.
        positional: Names of those that may be passed by position, in order.
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
    """Return a value in a form for JSON; objects are serialized by Keras."""
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, bool | int | float | str | None):
        return value
    return keras.saving.serialize_keras_object(value)
