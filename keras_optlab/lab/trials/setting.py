"""`Setting`: an optimizer with all that was chosen for it."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from keras_optlab import optimizers, schedules
from keras_optlab.core.arguments import choice, mapping, number, text
from keras_optlab.core.errors import suggest
from keras_optlab.core.tuning import SCHEDULES

KERAS = "keras."  # in front of the name of a class in `keras.optimizers`
WARMUP = 0.3  # share of a one-cycle schedule before its peak
LINE = 76  # characters of a line of code, with "optimizer = " in front


@dataclass(frozen=True)
class Setting:
    """An optimizer, its arguments, and its schedule.

    Attributes:
        optimizer: Its name; that of a wrapper has the inner one in brackets:
            `"adamw"`, `"ema(adamw)"`, `"keras.adam"`.
        arguments: Its arguments by name, also those of the inner optimizer; objects are
            serialized by Keras. `learning_rate` is the peak of the schedule.
        schedule: `"one_cycle"`, `"cosine"` or `"constant"`.
        length: Length of the training as a share of the problem's budget, in (0, 1].
            The schedule ends with the training.
        warmup: Share of a one-cycle schedule before its peak, in (0, 1).

    >>> setting = Setting("ema(adamw)", {"learning_rate": 0.01, "average_decay": 0.9})
    >>> type(setting.build(updates=100)).__name__
    'EMAOfAdamW'
    >>> print(setting.code(updates=100))
    kol.optimizers.EMA(
        kol.optimizers.AdamW(learning_rate=0.01),
        average_decay=0.9,
    )
    """

    optimizer: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    schedule: str = "constant"
    length: float = 1.0
    warmup: float = WARMUP

    def __post_init__(self) -> None:
        text("optimizer", self.optimizer)
        mapping("arguments", self.arguments)
        choice("schedule", self.schedule, SCHEDULES)
        number("length", self.length, "(0, 1]", "share of the budget")
        number("warmup", self.warmup, "(0, 1)", "share before the peak")

    def build(self, updates: int) -> Any:
        """Return a new optimizer.

        Args:
            updates: Length of the training in updates.

        Raises:
            ValueError: if there is no such optimizer, or an argument is out of range.
            TypeError: if it does not take an argument.
        """
        arguments = {k: loaded(v) for k, v in self.arguments.items()}
        return self._make(class_names(self.optimizer), arguments, updates)

    def _make(self, names: list[str], arguments: dict[str, Any], updates: int) -> Any:
        cls, *inner = names
        made = find_class(cls)
        if not inner:
            if "learning_rate" in arguments or self.schedule != "constant":
                peak = arguments.get("learning_rate", _default_rate(made))
                arguments["learning_rate"] = self._rate(peak, updates)
            return made(**arguments)
        own = {k: v for k, v in arguments.items() if k in made.own_fields}
        rest = {k: v for k, v in arguments.items() if k not in own}
        return made(self._make(inner, rest, updates), **own)

    def _rate(self, rate: float, updates: int) -> Any:
        if self.schedule == "one_cycle":
            return schedules.OneCycle(rate, steps=updates, warmup=self.warmup)
        if self.schedule == "cosine":
            return schedules.Cosine(rate, steps=updates)
        return rate

    def code(self, updates: int | None) -> str:
        """Return Python code that makes the optimizer, to paste.

        Args:
            updates: Length of the schedule; `None` is that of the `fit`.
        """
        return self._code(class_names(self.optimizer), dict(self.arguments), updates)

    def _code(
        self, names: list[str], arguments: dict[str, Any], updates: int | None
    ) -> str:
        cls, *inner = names
        made = find_class(cls)
        room = "keras.optimizers" if cls.startswith(KERAS) else "kol.optimizers"
        own = arguments
        if inner:
            own = {k: v for k, v in arguments.items() if k in made.own_fields}
        text = [f"{k}={self._text(k, v, updates)}" for k, v in own.items()]
        if inner:
            rest = {k: v for k, v in arguments.items() if k not in own}
            text.insert(0, self._code(inner, rest, updates))
        line = f"{room}.{made.__name__}({', '.join(text)})"
        if len(line) <= LINE and "\n" not in line:
            return line
        lines = textwrap.indent("".join(f"{part},\n" for part in text), "    ")
        return f"{room}.{made.__name__}(\n{lines})"

    def _text(self, name: str, value: Any, updates: int | None) -> str:
        if name != "learning_rate" or self.schedule == "constant":
            return repr(loaded(value))
        steps = "" if updates is None else f", steps={updates}"
        if self.schedule == "cosine":
            return f"kol.schedules.Cosine({value!r}{steps})"
        warmup = "" if self.warmup == WARMUP else f", warmup={self.warmup!r}"
        return f"kol.schedules.OneCycle({value!r}{steps}{warmup})"

    def with_constant_rate(self) -> Setting:
        """Return the setting without its schedule, as `find_rate` needs it."""
        return dataclasses.replace(self, schedule="constant")

    @property
    def is_rate_free(self) -> bool:
        """Whether the rule finds its step size itself."""
        inner = class_names(self.optimizer)[-1]
        return bool(getattr(find_class(inner), "learning_rate_free", False))

    def as_dict(self) -> dict[str, Any]:
        """Return the setting as JSON values."""
        return dataclasses.asdict(self)


def _default_rate(cls: Any) -> Any:
    """Return the rate of an optimizer that is not given one."""
    return inspect.signature(cls).parameters["learning_rate"].default


def loaded(value: Any) -> Any:
    """Return an argument with the objects that are serialized in it."""
    return keras.saving.deserialize_keras_object(value)


def class_names(optimizer: str) -> list[str]:
    """Return the names in `"ema(adamw)"`, from the outside in.

    >>> class_names("ema(sam(adamw))")
    ['ema', 'sam', 'adamw']
    """
    return [name.strip() for name in optimizer.lower().rstrip(")").split("(")]


def find_class(name: str) -> Any:
    """Return the class of an optimizer, or of one of Keras as `"keras.adam"`."""
    if not name.startswith(KERAS):
        return optimizers.info(name).cls
    known = {
        k.lower(): v
        for k, v in vars(keras.optimizers).items()
        if isinstance(v, type) and k not in ("Optimizer", "LossScaleOptimizer")
    }
    wanted = name.removeprefix(KERAS)
    if wanted not in known:
        raise ValueError(
            f"Keras has no optimizer of this name. Received: {name!r}. "
            f"{suggest(wanted, known)}"
        )
    return known[wanted]
