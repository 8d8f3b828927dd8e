"""`Candidate`: an optimizer that takes part in a study, and what to search for it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keras_optlab import optimizers
from keras_optlab.core.arguments import mapping, text
from keras_optlab.core.declared import plain
from keras_optlab.core.errors import shown, suggest
from keras_optlab.core.tuning import Domain, LogUniform, Tuning, Uniform
from keras_optlab.lab.trials.setting import (
    KERAS,
    WARMUP,
    Setting,
    class_names,
    find_class,
)

LENGTH = LogUniform(0.05, 1.0)  # share of the budget, where time to a target counts
WARMUPS = Uniform(0.05, 0.4)
OF_SCHEDULE = ("schedule", "length", "warmup")


@dataclass(frozen=True)
class Candidate:
    """An optimizer in a study.

    Args:
        optimizer: Its name, such as `"adamw"`, `"ema(adamw)"`, `"keras.adam"`.
        fixed: Arguments that are not searched, by name: values that JSON has, or
            objects that Keras can serialize, such as groups; also `schedule`, `length`
            and `warmup` of the `Setting`. With a `learning_rate`, the optimizer is
            taken as it is written: the other arguments have their defaults, and the
            rate is constant unless a `schedule` is given.
        space: What to search beside or instead of the declared space, by name.
        label: How to call it in the study. Defaults to what was written.

    >>> Candidate.parse("adam(learning_rate=0.001)").domains()
    {}
    >>> sorted(Candidate.parse("adamw").domains())
    ['beta_2', 'learning_rate', 'weight_decay']
    """

    optimizer: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    space: Mapping[str, Domain] = field(default_factory=dict)
    label: str = ""

    def __post_init__(self) -> None:
        text("optimizer", self.optimizer)
        mapping("fixed", self.fixed)
        mapping("space", self.space)
        text("label", self.label, least=0)
        _check_nesting(class_names(self.optimizer))
        known = {*self._known(), *OF_SCHEDULE}
        for name in (*self.fixed, *self.space):
            if name not in known:
                part = "fixed" if name in self.fixed else "space"
                raise ValueError(
                    f"{self.optimizer} does not take this argument of `{part}`. "
                    f"Received: {name!r}. {suggest(name, known)}"
                )
        if not self.label:
            object.__setattr__(self, "label", self._written())
        plain_values = {k: plain(v) for k, v in self.fixed.items()}
        object.__setattr__(self, "fixed", plain_values)  # a study is a JSON file

    @classmethod
    def parse(cls, text: Any) -> Candidate:
        """Return the candidate for a text like `"ema(adamw, average_decay=0.99)"`.

        Raises:
            TypeError: if it is neither a text nor a `Candidate`.
            ValueError: if it cannot be read, or there is no such optimizer.
        """
        if isinstance(text, cls):
            return text
        if not isinstance(text, str):
            raise TypeError(
                "expected an optimizer's name or a lab.Candidate. "
                f"Received: {shown(text)}"
            )
        try:
            node = ast.parse(text.strip(), mode="eval").body
            name, fixed = _read(node)
        except (SyntaxError, ValueError) as error:
            raise ValueError(
                "expected an optimizer like 'adamw', 'ema(adamw)' or "
                f"'adam(learning_rate=0.001)'. Received: {text!r}"
            ) from error
        return cls(name, fixed)

    @property
    def tuning(self) -> Tuning:
        """What its class declares; for a wrapper, what the inner one declares."""
        return optimizers.info(self._ours()[-1]).tuning

    @property
    def schedule(self) -> str:
        """The schedule of its rate: that of the inner optimizer, or constant.

        A wrapper whose own schedule is constant does in place of one what the decay of
        the rate does, as averages do.
        """
        *wrappers, _ = (optimizers.info(name).tuning for name in self._ours())
        constant = any(tuning.schedule == "constant" for tuning in wrappers)
        constant = constant or self.is_as_written
        declared = "constant" if constant else self.tuning.schedule
        return self.fixed.get("schedule", declared)

    @property
    def is_as_written(self) -> bool:
        """Whether the rate is given: nothing but `space` is searched then."""
        return "learning_rate" in self.fixed

    def domains(self, with_length: bool = False, fine: bool = False) -> dict[str, Any]:
        """Return what is searched, by name.

        Args:
            with_length: Whether the length of the training is searched too.
            fine: Whether the share of the warm-up is.
        """
        if self.is_as_written:
            return dict(self.space)
        found: dict[str, Any] = {}
        rate = self.tuning.learning_rate
        if rate is not None:
            found["learning_rate"] = rate
        for name in reversed(self._ours()):
            found |= optimizers.info(name).tuning.others
        timed = self.schedule != "constant"
        found |= {"length": LENGTH} if with_length and timed else {}
        found |= {"warmup": WARMUPS} if fine and self.schedule == "one_cycle" else {}
        found |= self.space
        known = self._known() | set(OF_SCHEDULE)
        return {k: v for k, v in found.items() if k not in self.fixed and k in known}

    def setting(self, values: Mapping[str, Any]) -> Setting:
        """Return the setting with values for what is searched."""
        chosen = {**values, **self.fixed}
        return Setting(
            self.optimizer,
            {k: v for k, v in chosen.items() if k not in OF_SCHEDULE},
            self.schedule,
            chosen.get("length", 1.0),
            chosen.get("warmup", WARMUP),
        )

    def at(self, shares: Mapping[str, float], domains: Mapping[str, Any]) -> Setting:
        """Return the setting at a point of the unit cube."""
        return self.setting({k: domains[k].at(share) for k, share in shares.items()})

    def _ours(self) -> list[str]:
        """Return the names of the classes, for one of Keras that of its twin."""
        names = class_names(self.optimizer)
        return [name.removeprefix(KERAS) for name in names]

    def _known(self) -> set[str]:
        """Return the arguments that it takes."""
        known: set[str] = set()
        for name in class_names(self.optimizer):
            cls = find_class(name)
            fields = getattr(cls, "fields", None)
            code = cls.__init__.__code__
            known |= {*(fields or code.co_varnames[1 : code.co_argcount])}
        return known

    def _written(self) -> str:
        inside = ", ".join(f"{k}={v!r}" for k, v in self.fixed.items())
        return f"{self.optimizer}({inside})" if inside else self.optimizer


def parsed(optimizers: Any) -> list[Candidate]:
    """Return the candidates for a list of names and candidates, or for one."""
    if isinstance(optimizers, str | Candidate):
        optimizers = [optimizers]
    is_list = isinstance(optimizers, list | tuple)
    if not is_list or not optimizers:
        raise (ValueError if is_list else TypeError)(
            "`optimizers` must be a list of names or lab.Candidates, not empty. "
            f"Received: optimizers={shown(optimizers)}"
        )
    return [Candidate.parse(o) for o in optimizers]


def _check_nesting(names: list[str]) -> None:
    """Raise unless all names but the last are of wrappers."""
    wrappers = set(optimizers.wrappers())
    for name in names[:-1]:
        find_class(name)
        if name not in wrappers:
            raise ValueError(
                f"{name} is no wrapper of another optimizer. Wrappers are "
                f"{', '.join(sorted(wrappers))}. Received: {name}({names[-1]})"
            )
    find_class(names[-1])
    if names[-1] in wrappers:
        raise ValueError(
            f"{names[-1]} is a wrapper around another optimizer. Write for instance "
            f"{names[-1]}(adamw). Received: {names[-1]}"
        )


def _read(node: ast.expr) -> tuple[str, dict[str, Any]]:
    """Return the names, nested in brackets, and the arguments of a call."""
    if isinstance(node, ast.Call):
        name = _read(node.func)[0]
        arguments = {k.arg or "": ast.literal_eval(k.value) for k in node.keywords}
        if not node.args:
            return name, arguments
        (inside,) = node.args
        inner, of_inner = _read(inside)
        return f"{name}({inner})", of_inner | arguments
    return ast.unparse(node).lower(), {}
