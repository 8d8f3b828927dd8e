"""`Wrapper`: base of optimizers around another one, such as EMA, Lookahead, SAM."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import keras

from keras_optlab.core import Paper, Slot, Tuning
from keras_optlab.core.declaration_checks import (
    check_field_names,
    check_no_overlap,
    check_slots,
)
from keras_optlab.core.declared import signature_of
from keras_optlab.core.errors import advise, shown
from keras_optlab.core.fields import Field
from keras_optlab.core.groups import check_groups
from keras_optlab.core.registry import register_wrapper, twin_of
from keras_optlab.engine.backend.torch_habits import NO_WEIGHTS, holds_weights
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.engine.rule import HOOKS

# The classes that `_around` makes derive from the wrapper and then from the inner
# optimizer's class, so that `super()` in a wrapper reaches the inner optimizer.
Base = Optimizer if TYPE_CHECKING else object

OPTIMIZER = inspect.Parameter("optimizer", inspect.Parameter.POSITIONAL_OR_KEYWORD)
GROUPS = Optimizer.fields["groups"]


class Wrapper(Base):
    """Base of wrappers: optimizers that extend the rule of another optimizer.

    A subclass declares arguments, slots and shared state, and implements `update` or
    other methods of a rule, as listed in the help of `Optimizer`. There
    `super().update(...)` runs the inner optimizer's rule. Defining the class registers
    it, as for an `Optimizer`.

    A wrapper around Adam is an optimizer with the arguments and state of both, and an
    instance of Adam's class too. Groups, schedules, clipping, saving and statistics
    work as for Adam. Names of arguments and slots must differ from the inner
    optimizer's.

    Args:
        optimizer: The inner optimizer: any keras_optlab optimizer, also a wrapper, that
            has not been built. Its arguments are copied; it is not used afterwards.
        *args: The subclass' own arguments, in the order of their declaration.
        groups: `Group`s of weights. They can set arguments of the wrapper and of the
            inner optimizer, which must then have no groups of its own.
        **kwargs: The subclass' own arguments, by name.

    Raises:
        TypeError: if `optimizer` is not a keras_optlab optimizer; if an argument is
            unknown, passed twice or one too many; when a class is defined, for a
            declaration that the engine cannot use.
        ValueError: if `optimizer` has been built, contains the same wrapper, or cannot
            be combined with this one.

    >>> from keras_optlab import optimizers
    >>> from keras_optlab.core import Beta
    >>> class Smoothed(Wrapper, family="averaging"):
    ...     "Smoothed: the moving average of another optimizer's steps."
    ...     smoothing: float = Beta(default=0.9, doc="coefficient of the average")
    ...     slots = (Slot("mean_step"),)
    ...     def update(self, w, g, s, h, t):
    ...         step, s = super().update(w, g, s, h, t)
    ...         mean = h.smoothing * s.mean_step + (1 - h.smoothing) * step
    ...         return mean, s.next(mean_step=mean)
    >>> optimizer = Smoothed(optimizers.SGD(0.1), smoothing=0.5)
    >>> w = keras.Variable([1.0, 1.0])
    >>> optimizer.apply([keras.ops.convert_to_tensor([2.0, -4.0])], [w])
    >>> w.numpy()
    array([0.9, 1.2], dtype=float32)
    """

    slots: ClassVar[tuple[Slot, ...]] = ()
    shared: ClassVar[tuple[Slot, ...]] = ()
    elementwise: ClassVar[bool] = True
    family: ClassVar[str] = "wrapper"
    learning_rate_free: ClassVar[bool] = False
    paper: ClassVar[Paper] = Paper("Unpublished", "Unknown", 0)
    keras_twin: ClassVar[str | None] = None
    tuning: ClassVar[Tuning | None] = None
    wrapper: ClassVar[type[Wrapper]]
    inner: ClassVar[type[Optimizer]]

    def __init_subclass__(cls, family: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.family = family or cls.family
        own = {k: v for k, v in vars(cls).items() if isinstance(v, Field)}
        if not issubclass(cls, Optimizer):
            bases = (*cls.__mro__[1:], *Optimizer.__mro__)
            check_no_overlap("argument", cls, Optimizer, own, Optimizer.fields)
            check_field_names(cls, own, (), bases, Optimizer.reserved_names)
            check_slots(cls, own | Optimizer.fields)
            cls.wrapper, cls.fields, cls.own_fields = cls, own, tuple(own)
            named = signature_of(own | {"groups": GROUPS}).parameters.values()
            cls.__signature__ = inspect.Signature([OPTIMIZER, *named])
            keras.saving.register_keras_serializable(_room(cls))(cls)
            register_wrapper(cls)
            for flag, hook in HOOKS.items():
                setattr(cls, flag, hasattr(cls, hook))

    def __new__(cls, optimizer: Any = None, *args: Any, **kwargs: Any) -> Self:
        """Create an instance of the class made for this wrapper and inner optimizer."""
        cls.wrapper.check(optimizer, **cls._named(args, kwargs))
        made = _around(cls.wrapper, type(optimizer))  # pyright: ignore[reportArgumentType]
        return super().__new__(made)

    def __init__(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        inside = optimizer.arguments() | {"name": optimizer._values.name}
        super().__init__(**inside | self._named(args, kwargs))
        if optimizer.exclude:
            optimizer.exclude(self)

    @classmethod
    def _named(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the wrapper's own arguments by name."""
        name, known = cls.wrapper.__name__, cls.wrapper.own_fields
        twice = [k for k in known[: len(args)] if k in kwargs]
        if len(args) > len(known) or twice:
            what = f"`{twice[0]}` twice" if twice else "too many arguments"
            raise TypeError(
                f"{name} was given {what}. Received: {args!r} after the optimizer. By "
                f"position it takes optimizer, {', '.join(known)}; groups by name."
            )
        return dict(zip(known, args, strict=False)) | kwargs

    @classmethod
    def check(cls, optimizer: Any, **kwargs: Any) -> None:
        """Raise if the constructor's arguments are not valid.

        A subclass may extend this to refuse inner optimizers that it cannot wrap.
        """
        name, kind = cls.__name__, type(optimizer).__name__
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{name} takes an optimizer of keras_optlab. "
                f"Received: {shown(optimizer)}.{_advice(optimizer)}"
            )
        known = (*cls.own_fields, "groups")
        for key, value in kwargs.items():
            if key in optimizer.fields and key not in known:
                raise TypeError(
                    f"`{key}` is an argument of the inner optimizer. "
                    f"Received: {key}={shown(value)}. Give it to {kind}."
                )
            if key not in known:
                advice = advise(key, value, optimizer.fields)
                if advice.startswith("Write"):
                    advice = f"{advice[:-1]} in {kind}(...)."
                else:
                    advice = advise(key, value, known)
                raise TypeError(
                    f"{name} has no such argument. "
                    f"Received: {key}={shown(value)}. {advice}"
                )
        if isinstance(optimizer, cls):
            raise ValueError(f"{name} wraps it already. Received: {optimizer!r}")
        for what, method in (
            ("looks at each batch more than once", "second_pass"),
            ("has evaluation weights of its own", "to_evaluation"),
        ):
            inner = getattr(type(optimizer), method)
            if hasattr(cls, method) and inner is not getattr(Optimizer, method):
                raise ValueError(
                    f"{kind} {what}, and so does {name}. Received: {optimizer!r} in "
                    f"{name}. Use one of them."
                )
        if optimizer.built:
            raise ValueError(
                f"{name} takes an optimizer that has not trained. "
                f"Received: one built for {len(optimizer.weights)} weights."
            )
        if check_groups(kwargs.get("groups")) and optimizer.groups:
            raise ValueError(
                f"Give groups to {name} only. "
                f"Received: groups={shown(kwargs['groups'])}, "
                f"and {optimizer.groups!r} of {kind}."
            )

    def __dir__(self) -> Iterable[str]:
        """Return the names meant for users."""
        own = ("check", "inner", "wrapper")
        return [name for name in super().__dir__() if name not in own]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        return _nested(type(self), super().get_config())

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Make an optimizer from what `get_config` returned."""
        load = keras.saving.deserialize_keras_object
        made = cls.wrapper(**{k: load(v, custom_objects) for k, v in config.items()})
        made.from_configuration = True
        return made

    def __repr__(self) -> str:
        return _words(self, type(self))


def _room(cls: type) -> str:
    return ".".join(cls.__module__.split(".")[:2])


def _advice(given: Any) -> str:
    """Return what to pass instead of a value that is not a keras_optlab optimizer."""
    if isinstance(given, str):
        return f" Make one: keras_optlab.optimizers.create({given!r})."
    if isinstance(given, type) and issubclass(given, Optimizer):
        return f" This is the class; make an object of it: {given.__name__}()."
    if holds_weights(given):
        return f" It {NO_WEIGHTS} Pass an optimizer, such as Adam()."
    twin = twin_of(type(given).__name__)
    if not isinstance(given, keras.optimizers.Optimizer) or twin is None:
        return ""
    return f" Its twin is keras_optlab.optimizers.{twin.__name__}."


def _nested(cls: type[Optimizer], config: dict[str, Any]) -> dict[str, Any]:
    """Return a flat config with the inner optimizer's part under `optimizer`."""
    if not issubclass(cls, Wrapper):
        return config
    own = {k: config.pop(k) for k in (*cls.own_fields, "groups") if k in config}
    inside = {  # as Keras serializes an object, but without creating the object
        "module": None if cls.inner.__module__ == "__main__" else cls.inner.__module__,
        "class_name": cls.inner.__name__,
        "config": _nested(cls.inner, config),
        "registered_name": keras.saving.get_registered_name(cls.inner),
    }
    return {"optimizer": inside} | own


def _words(optimizer: Any, cls: type[Optimizer]) -> str:
    """Return the constructor call of an optimizer, or of one inside it, as text."""
    if not issubclass(cls, Wrapper):
        return f"{cls.__name__}({', '.join(optimizer._in_words(cls.fields))})"
    own = [_words(optimizer, cls.inner), *optimizer._in_words(cls.own_fields)]
    return f"{cls.wrapper.__name__}({', '.join(own)})"


@functools.cache
def _around(wrapper: type[Wrapper], inner: type[Optimizer]) -> Any:
    """Return the class of a wrapper around an inner optimizer's class."""
    check_no_overlap("argument", wrapper, inner, wrapper.own_fields, inner.fields)
    for kind in ("slots", "shared"):
        outers, inners = ([s.name for s in getattr(c, kind)] for c in (wrapper, inner))
        check_no_overlap(kind, wrapper, inner, outers, inners)
    declared = {
        "slots": (*inner.slots, *wrapper.slots),
        "shared": (*inner.shared, *wrapper.shared),
        "elementwise": inner.elementwise and wrapper.elementwise,
        "fields": inner.fields,  # `Declared` adds those of the wrapper
        "inner": inner,
        "__module__": wrapper.__module__,
        "__doc__": wrapper.__doc__,
    }
    name = f"{wrapper.__name__}Of{inner.__name__}"
    made = type(name, (wrapper, inner), wrapper.fields | declared, registered=False)
    # Saved files name the wrapper, since this class is made only when it is needed.
    keras.saving.register_keras_serializable(_room(wrapper), wrapper.__name__)(made)
    return made
