"""`Recommendation`: what `recommend` found, as code and as a table."""

from __future__ import annotations

import functools
from typing import Any

from keras_optlab.core.errors import shown
from keras_optlab.finders.text_table import text_table
from keras_optlab.lab.problems import Problem
from keras_optlab.lab.race import Round
from keras_optlab.lab.trials import Setting


class Recommendation:
    """An optimizer for a model, and the race that it won.

    `print` it for code to paste, and the results of the race.

    Args:
        problem: The model and its data.
        rounds: The rounds of the race.

    Attributes:
        label: Name of the optimizer.
        setting: Its `Setting`.
        rounds: The rounds of the race, each with the records of its trials.
    """

    def __init__(self, problem: Problem, rounds: list[Round]) -> None:
        self.rounds = rounds
        self._problem = problem
        best = rounds[-1].records[0]
        self.label: str = best["label"]
        self.setting = Setting(**best["setting"])

    def optimizer(self, updates: int) -> Any:
        """Return a new optimizer.

        Args:
            updates: Length of the training in updates.
        """
        return self.setting.build(updates)

    @functools.cached_property
    def code(self) -> str:
        """Code that compiles and trains the model."""
        problem = self._problem
        return "\n".join(
            [
                "import keras_optlab as kol",
                "",
                "model.compile(",
                f"    {self.setting.code(None)},".replace("\n", "\n    "),
                f"    loss={_loss(problem)},",
                ")",
                f"model.fit(x, y, batch_size={problem.batch_size}, "
                f"epochs={problem.epochs:g})",
            ]
        )

    def __str__(self) -> str:
        return "\n".join([self.code, "", self._headline(), "", self.table()])

    def _headline(self) -> str:
        last = self.rounds[-1].records
        monitor = self._problem.monitor
        text = f"Validation {monitor} {_figure(last[0])} after {_updates(last[0])}"
        if len(last) > 1:
            text += f"; next, {last[1]['label']}: {_figure(last[1])}"
        return f"{text}. One seed each: `lab.compare` tells whether it is better."

    def table(self) -> str:
        """Return the rounds as text, each with its best first."""
        rows = [("round", "optimizer", "rate", "updates", self._problem.monitor)]
        for number, found in enumerate(self.rounds, 1):
            for record in found.records:
                rate = record["setting"]["arguments"].get("learning_rate")
                updates = str(record["updates"])
                shown_rate = "-" if rate is None else f"{rate:g}"
                row = record["label"], shown_rate, updates, _figure(record)
                rows.append((str(number), *row))
        return text_table(rows)


def _figure(record: dict[str, Any]) -> str:
    value = record.get("value")
    return record["status"] if value is None else f"{value:.4g}"


def _updates(record: dict[str, Any]) -> str:
    return f"{record['updates']} updates, {record['seconds']:.0f} s"


def _loss(problem: Problem) -> str:
    if problem.loss is None:
        return "model.loss"
    return repr(problem.loss) if isinstance(problem.loss, str) else shown(problem.loss)
