"""Registry of all optimizers by name. Defining a class registers it."""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass
from typing import Any

from keras_optlab.core.axes import last_is_output
from keras_optlab.core.errors import shown, suggest
from keras_optlab.core.paper import Paper
from keras_optlab.core.slots import Weight
from keras_optlab.core.tuning import Tuning, around
from keras_optlab.core.values import Values

MATRIX = (256, 64)  # the weight for which `info` counts the state

_classes: dict[str, type] = {}
_wrappers: dict[str, type] = {}


@dataclass(frozen=True)
class Hyperparameter:
    """One argument of an optimizer, in the result of `info`.

    Attributes:
        default: Default value.
        domain: Legal values, such as `"[0, 1)"`.
        doc: Meaning and symbol.
        adjustable: Whether it can change, or follow a schedule, during training.
    """

    default: Any
    domain: str
    doc: str
    adjustable: bool


@dataclass(frozen=True)
class OptimizerInfo:
    """Description of an optimizer class, returned by `info`.

    Attributes:
        name: The name that `create` takes.
        cls: The class.
        summary: First line of its docstring.
        paper: Where it was published.
        bytes_per_parameter: Bytes of state for each entry of a float32 matrix of 256 by
            64, with the default arguments. For a wrapper, only its own slots count.
        family: What kind of algorithm it is, such as `"adaptive"`.
        elementwise: Whether the update of an entry of a weight depends on no other
            entry.
        learning_rate_free: Whether the rule estimates its step size, and the learning
            rate is a factor on it.
        hyperparameters: The arguments that the class and the rules it derives from
            declare, by name.
        keras_twin: Name of the class in `keras.optimizers` with the same updates.
        tuning: What to search when it is tuned, and when to use it at all. A class that
            does not declare it has rates around its default one.
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
    tuning: Tuning


def register(cls: type) -> str:
    """Register a class under its lower-case name, and return this name.

    If a class of another package has the name, the new one is registered as
    `"package.name"`. A class that is defined again, as in notebooks, replaces the old
    one.
    """
    name = cls.__name__.lower()
    holder = _classes.get(name)
    if holder is not None and _home(holder) != _home(cls):
        name = f"{_home(cls)}.{name}"
    _classes[name] = cls
    return name


def register_wrapper(cls: type) -> None:
    """Register a subclass of `Wrapper` under its lower-case name."""
    _wrappers[cls.__name__.lower()] = cls


def wrappers(pattern: str = "*") -> list[str]:
    """Return the sorted names of all wrappers (EMA, SAM, ...) that match a glob.

    `create` and `info` take these names too.

    >>> from keras_optlab import optimizers
    >>> optimizers.wrappers("look*")
    ['lookahead', 'looksam']
    >>> optimizers.create("lookahead", optimizer=optimizers.SGD(), sync_period=3)
    Lookahead(SGD(learning_rate=0.01, momentum=0.0), sync_period=3, slow_step_size=0.5)
    """
    return sorted(fnmatch.filter(_wrappers, check_pattern(pattern)))


def twin_of(keras_class: str) -> type | None:
    """Return the class with the updates of one in `keras.optimizers`, or `None`."""
    twins = (
        c for c in _classes.values() if getattr(c, "keras_twin", None) == keras_class
    )
    return next(twins, None)


def names(pattern: str = "*") -> list[str]:
    """Return the sorted names of all optimizers that match a glob.

    >>> from keras_optlab import optimizers
    >>> optimizers.names("adam*")
    ['adam', 'adamatan2', 'adamax', 'adammini', 'adamuon', 'adamw']
    """
    return sorted(fnmatch.filter(_classes, check_pattern(pattern)))


def check_pattern(pattern: Any) -> str:
    """Return a glob, or raise if it is not a string."""
    if not isinstance(pattern, str):
        raise TypeError(f"expected a glob. Received: pattern={shown(pattern)}")
    return pattern


def find(name: str) -> type:
    """Return the class with a name, or raise and suggest the nearest name."""
    known = _classes | _wrappers
    if not isinstance(name, str):
        raise TypeError(f"expected an optimizer's name. Received: name={shown(name)}")
    if name.lower() not in known:
        raise ValueError(
            f"No optimizer has this name. Received: {name!r}. {suggest(name, known)}"
        )
    return known[name.lower()]


def known_fields() -> set[str]:
    """Return the names of all hyperparameters that a group can set."""
    return {
        k
        for cls in (_classes | _wrappers).values()
        for k, field in cls.fields.items()  # type: ignore[attr-defined]
        if field.adjustable or field.by_group
    }


def fields_named(name: str) -> list[Any]:
    """Return the declarations of a hyperparameter in all optimizers."""
    classes: Any = (_classes | _wrappers).values()
    found = {id(f): f for cls in classes if (f := cls.fields.get(name)) is not None}
    return list(found.values())


def create(name: str, **kwargs: Any) -> Any:
    """Create an optimizer by name.

    Args:
        name: One of `names()` or `wrappers()`, in upper or lower case.
        **kwargs: The arguments of its class.

    Raises:
        TypeError: if the name is not a string, or an argument is of the wrong type.
        ValueError: if no optimizer has the name, with the nearest name in the message,
            or if an argument is out of range.

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
    """Return a description of an optimizer class.

    >>> from keras_optlab import optimizers
    >>> adam = optimizers.info("adam")
    >>> adam.paper.year, adam.bytes_per_parameter, adam.hyperparameters["beta_1"].domain
    (2014, 8.0, '[0, 1)')
    >>> adam.tuning.learning_rate, adam.tuning.schedule
    (LogUniform(low=0.0003, high=0.03, integer=False), 'one_cycle')
    >>> adam.tuning.use_when
    'You want a first result on any network, or to repeat older work.'
    """
    cls: Any = find(name)
    declared = {*cls.own_fields}
    for base in cls.__mro__:  # of rules that it derives from, not of all optimizers
        declared |= {*base.own_fields} if vars(base).get("registry_name") else set()
    own = {k: f for k, f in cls.fields.items() if k in declared}
    defaults = {k: f.validate(f.default) for k, f in cls.fields.items()}
    weight = Weight(MATRIX, "", Values(**defaults), last_is_output(MATRIX))
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
        tuning=cls.tuning or _around_default(cls),
    )


def _around_default(cls: Any) -> Tuning:
    rate = getattr(cls.fields.get("learning_rate"), "default", None)
    if isinstance(rate, int | float) and rate > 0:
        return Tuning(around(rate, factor=30))
    return Tuning(None)


def _home(cls: type) -> str:
    return cls.__module__.partition(".")[0]
