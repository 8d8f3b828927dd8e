"""Every optimizer by name. A class enters by being defined."""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass
from typing import Any

from keras_optlab.core.errors import shown, suggest
from keras_optlab.core.paper import Paper
from keras_optlab.core.slots import Weight
from keras_optlab.core.values import Values

MATRIX = (256, 64)  # whose state is counted

_classes: dict[str, type] = {}
_wrappers: dict[str, type] = {}


@dataclass(frozen=True)
class Hyperparameter:
    """What `info` tells of one argument.

    Attributes:
        default: The value if left out.
        domain: Legal values, such as `"[0, 1)"`.
        doc: Meaning and symbol.
        adjustable: Whether it may change, or follow a schedule, while training runs.
    """

    default: Any
    domain: str
    doc: str
    adjustable: bool


@dataclass(frozen=True)
class OptimizerInfo:
    """What is known about an optimizer before it is made.

    Attributes:
        name: The name that `create` takes.
        cls: The class.
        summary: First line of its documentation.
        paper: Where it was published.
        bytes_per_parameter: Optimizer state for each weight of a float32 matrix of 256
            by 64 with the default arguments; of a wrapper, what it adds.
        family: What kind of algorithm it is, such as `"adaptive"`.
        elementwise: Whether each entry of a weight is updated from its own gradient
            alone.
        learning_rate_free: Whether the step size is found while training, and the
            learning rate is a factor on it.
        hyperparameters: The arguments of its own, by name.
        keras_twin: Name of the class in `keras.optimizers` with the same numbers.
    """

    name: str
    cls: type
    summary: str
    paper: Paper
    bytes_per_parameter: float
    family: str
    elementwise: bool
    learning_rate_free: bool
    hyperparameters: dict[str, Hyperparameter]
    keras_twin: str | None


def register(cls: type) -> str:
    """Enter a class under its lower-case name and return that name.

    A name that another package holds stays with it; the newcomer is entered as
    `"package.name"`. Defining a class again, as notebooks do, replaces it.
    """
    name = cls.__name__.lower()
    holder = _classes.get(name)
    if holder is not None and _home(holder) != _home(cls):
        name = f"{_home(cls)}.{name}"
    _classes[name] = cls
    return name


def register_wrapper(cls: type) -> None:
    """Enter a class that makes optimizers of others, under its lower-case name."""
    _wrappers[cls.__name__.lower()] = cls


def wrappers(pattern: str = "*") -> list[str]:
    """Return the sorted names of all that is wrapped around an optimizer.

    `create` and `info` know these names too.

    >>> from keras_optlab import optimizers
    >>> optimizers.wrappers("look*")
    ['lookahead', 'looksam']
    >>> optimizers.create("lookahead", optimizer=optimizers.SGD(), sync_period=3)
    Lookahead(SGD(learning_rate=0.01, momentum=0.0), sync_period=3, slow_step_size=0.5)
    """
    return sorted(fnmatch.filter(_wrappers, check_pattern(pattern)))


def twin_of(keras_class: str) -> type | None:
    """Return our class that has the numbers of one in `keras.optimizers`."""
    twins = (
        c for c in _classes.values() if getattr(c, "keras_twin", None) == keras_class
    )
    return next(twins, None)


def names(pattern: str = "*") -> list[str]:
    """Return the sorted names of all optimizers that match a glob.

    >>> from keras_optlab import optimizers
    >>> optimizers.names("adam*")
    ['adam', 'adamax', 'adammini', 'adamw']
    """
    return sorted(fnmatch.filter(_classes, check_pattern(pattern)))


def check_pattern(pattern: Any) -> str:
    """Return a glob, or raise if it is none."""
    if not isinstance(pattern, str):
        raise TypeError(f"expected a glob. Received: pattern={shown(pattern)}")
    return pattern


def find(name: str) -> type:
    """Return the class of a name, or raise with the nearest name."""
    known = _classes | _wrappers
    if not isinstance(name, str):
        raise TypeError(f"expected an optimizer's name. Received: name={shown(name)}")
    if name.lower() not in known:
        raise ValueError(
            f"No optimizer has this name. Received: {name!r}. {suggest(name, known)}"
        )
    return known[name.lower()]


def known_fields() -> set[str]:
    """Return the hyperparameters that weights of a group may have of their own."""
    return {
        k
        for cls in (_classes | _wrappers).values()
        for k, field in cls.fields.items()  # type: ignore[attr-defined]
        if field.adjustable or field.by_group
    }


def fields_named(name: str) -> list[Any]:
    """Return all declarations of one name, of whatever optimizer."""
    classes: Any = (_classes | _wrappers).values()
    found = {id(f): f for cls in classes if (f := cls.fields.get(name)) is not None}
    return list(found.values())


def create(name: str, **kwargs: Any) -> Any:
    """Make an optimizer by name.

    Args:
        name: One of `names()` or `wrappers()`, in any case.
        **kwargs: The arguments of its class.

    Raises:
        TypeError: if the name is no word, or an argument is of the wrong kind.
        ValueError: if no optimizer has the name; the message names the nearest.

    >>> from keras_optlab import optimizers
    >>> optimizers.create("sgd", momentum=0.9)
    SGD(learning_rate=0.01, momentum=0.9)
    >>> optimizers.create("adamv")
    Traceback (most recent call last):
        ...
    ValueError: No optimizer has this name. Received: 'adamv'. Did you mean ...
    """
    return find(name)(**kwargs)


def info(name: str) -> OptimizerInfo:
    """Return what is known about an optimizer.

    >>> from keras_optlab import optimizers
    >>> adam = optimizers.info("adam")
    >>> adam.paper.year, adam.bytes_per_parameter, adam.hyperparameters["beta_1"].domain
    (2014, 8.0, '[0, 1)')
    """
    cls: Any = find(name)
    own = {k: f for k, f in cls.fields.items() if k in cls.own_fields}
    defaults = {k: f.validate(f.default) for k, f in cls.fields.items()}
    weight = Weight(MATRIX, "", Values(**defaults))
    shapes = [slot.shape_for(weight) for slot in cls.slots]
    entries = sum(math.prod(shape) for shape in shapes if shape is not None)
    return OptimizerInfo(
        name=name.lower(),
        cls=cls,
        summary=(cls.__doc__ or cls.__name__).strip().splitlines()[0],
        paper=cls.paper,
        bytes_per_parameter=round(4 * entries / math.prod(MATRIX), 2),
        family=cls.family,
        elementwise=cls.elementwise and not cls.needs_sums,
        learning_rate_free=cls.learning_rate_free,
        hyperparameters={
            k: Hyperparameter(f.default, f.domain, f.doc, f.adjustable)
            for k, f in own.items()
        },
        keras_twin=cls.keras_twin,
    )


def _home(cls: type) -> str:
    return cls.__module__.partition(".")[0]
