"""Every optimizer by name. A class enters by being defined."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any

from keras_optlab.core.errors import suggest
from keras_optlab.core.paper import Paper

_classes: dict[str, type] = {}


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
        bytes_per_parameter: Optimizer state for each float32 weight with the default
            arguments; what is kept once for a whole tensor is not counted.
        elementwise: Whether each weight is updated from its own gradient alone.
        hyperparameters: The arguments of its own, by name.
        keras_twin: Name of the class in `keras.optimizers` with the same numbers.
    """

    name: str
    cls: type
    summary: str
    paper: Paper
    bytes_per_parameter: int
    elementwise: bool
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


def names(pattern: str = "*") -> list[str]:
    """Return the sorted names of all optimizers that match a glob.

    >>> from keras_optlab import optimizers
    >>> optimizers.names("adam*")
    ['adam', 'adamax', 'adamw']
    """
    return sorted(fnmatch.filter(_classes, pattern))


def find(name: str) -> type:
    """Return the class of a name, or raise with the nearest name."""
    if not isinstance(name, str) or name.lower() not in _classes:
        raise ValueError(
            f"No optimizer has this name. Received: {name!r}. "
            + suggest(str(name), _classes)
        )
    return _classes[name.lower()]


def create(name: str, **kwargs: Any) -> Any:
    """Make an optimizer by name.

    Args:
        name: One of `names()`, in any case.
        **kwargs: The arguments of its class.

    Raises:
        ValueError: if no optimizer has the name; the message names the nearest.

    >>> from keras_optlab import optimizers
    >>> optimizers.create("adamw", learning_rate=1e-3)
    AdamW()
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
    (2014, 8, '[0, 1)')
    """
    cls: Any = find(name)
    own = {k: f for k, f in cls.fields.items() if k in cls.own_fields}
    slots = [s for s in cls.slots if s.shape == "weight" and _on(cls, s)]
    return OptimizerInfo(
        name=name.lower(),
        cls=cls,
        summary=(cls.__doc__ or cls.__name__).strip().splitlines()[0],
        paper=cls.paper,
        bytes_per_parameter=4 * len(slots),
        elementwise=cls.elementwise,
        hyperparameters={
            k: Hyperparameter(f.default, f.domain, f.doc, f.adjustable)
            for k, f in own.items()
        },
        keras_twin=cls.keras_twin,
    )


def _on(cls: Any, slot: Any) -> bool:
    return slot.when is None or bool(cls.fields[slot.when].default)


def _home(cls: type) -> str:
    return cls.__module__.partition(".")[0]
