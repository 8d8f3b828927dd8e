"""`Race`: rates by the finder, then successive halving, in a given time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from keras_optlab.core.tuning import LogUniform
from keras_optlab.finders import find_rate
from keras_optlab.lab.problems import Problem
from keras_optlab.lab.problems.problem import x_and_y
from keras_optlab.lab.scores import score
from keras_optlab.lab.trials import Candidate, Setting, Trial
from keras_optlab.lab.trials.run import train

FOR_RATES = 1 / 3  # share of the time
HIGHER = 3.0  # a rate with a schedule may be higher than one without
FINDER_STEPS = 60
FEWEST = 100  # updates of a trial, with a step of usual length

Progress = Callable[[dict[str, Any], float, float], None]


@dataclass(frozen=True)
class Round:
    """The trials of one round, the best one first.

    Attributes:
        records: Their records.
        seconds: The time that each was given.
    """

    records: list[dict[str, Any]]
    seconds: float


class Race:
    """A race of optimizers for a model.

    Args:
        problem: The problem.
        candidates: The optimizers.
        seconds: The time for all.
        seed: Seed; integer >= 0.
        progress: Called after each trial with its record, the seconds that have passed,
            and those of the whole race.

    Attributes:
        rounds: A `Round` for each, in order.
    """

    def __init__(
        self,
        problem: Problem,
        candidates: Sequence[Candidate],
        seconds: float,
        seed: int,
        progress: Progress | None = None,
    ) -> None:
        self.problem, self.candidates, self.seed = problem, candidates, seed
        self.progress = progress
        now = time.monotonic()
        self.begun, self.deadline = now, now + seconds
        self.deadline_of_rates = now + FOR_RATES * seconds
        self.rounds: list[Round] = []
        self._step_seconds: dict[str, float] = {}
        self._overhead = 0.0  # seconds of a trial that are not training

    def run(self) -> None:
        """Find rates, and race until one is left.

        Raises:
            ValueError: if no trial could be trained.
        """
        entries = [(c.label, s) for c in self.candidates for s in self._settings(c)]
        self._measure(*entries[0])
        while len(entries) > 1 or not self.rounds:
            entries = self._round(entries)

    def _measure(self, label: str, setting: Setting) -> None:
        """Train for a moment, to know how long a step and a start take."""
        record = self._train(label, setting, 0.0)
        self._overhead = record["total_seconds"] - record.get("seconds", 0.0)

    def _settings(self, candidate: Candidate) -> list[Setting]:
        """Return settings with the rate that is found, and a higher one."""
        domains = candidate.domains()
        middle = {k: d.at(0.5) for k, d in domains.items()}
        rates = domains.get("learning_rate")
        if not isinstance(rates, LogUniform):
            return [candidate.setting(middle)]
        rate = self._found(candidate.setting(middle)) or middle["learning_rate"]
        legal = [min(max(r, rates.low), rates.high) for r in (rate, HIGHER * rate)]
        chosen = dict.fromkeys(float(f"{r:.3g}") for r in legal)
        return [candidate.setting(middle | {"learning_rate": r}) for r in chosen]

    def _found(self, setting: Setting) -> float | None:
        """Return the finder's rate; `None` without one, or without time for it."""
        constant = setting.with_constant_rate()
        if constant.is_rate_free or time.monotonic() > self.deadline_of_rates:
            return None
        keras.utils.set_random_seed(self.seed)
        model = self.problem.new_model()
        self.problem.compile(model, constant.build(1))
        x, y = x_and_y(self.problem.splits.train)
        rows = self.problem.splits.rows
        size = None if rows is None else min(self.problem.batch_size, rows)
        found = find_rate(model, x, y, batch_size=size, steps=FINDER_STEPS, runs=1)
        return found.suggestion() if found.found else None

    def _round(self, entries: list[tuple[str, Setting]]) -> list[tuple[str, Setting]]:
        """Train all entries for the same time, and return those that go on."""
        seconds = self._share(len(entries)) - self._overhead
        records = [self._train(label, s, seconds) for label, s in entries]
        known = [r for r in records if r["status"] != "failed"]
        if not known:
            raise ValueError(
                f"No optimizer could be trained. Received: {records[0]['error']}"
            )
        spent = [r["total_seconds"] - r["seconds"] for r in known]
        self._overhead = sum(spent) / len(spent)
        ranked = sorted(known, key=lambda r: score(r, self.problem, "final"))
        self.rounds.append(Round(ranked, seconds))
        whole = all(r["updates"] >= self.problem.updates for r in known)
        kept = 1 if whole else max(1, len(entries) // 2)
        while kept > 1 and self._share(kept) < 2 * self._overhead:
            kept //= 2  # so many would be started for longer than trained
        return [(r["label"], Setting(**r["setting"])) for r in ranked[:kept]]

    def _share(self, entries: int) -> float:
        """Return the seconds for each trial of a round, if all rounds take as long."""
        rounds = max(1, math.ceil(math.log2(entries)))
        return max(0.0, self.deadline - time.monotonic()) / rounds / entries

    def _train(self, label: str, setting: Setting, seconds: float) -> dict[str, Any]:
        updates = self._updates(label, seconds)
        problem = self.problem.with_changes(
            epochs=updates / self.problem.updates_per_epoch
        )
        trial = Trial(problem.name, label, setting, seed=self.seed)
        record = train(trial, None, lambda: problem)
        if record.get("step_seconds"):
            self._step_seconds[label] = record["step_seconds"]
        if self.progress is not None:
            passed = time.monotonic() - self.begun
            self.progress(record, passed, self.deadline - self.begun)
        return record

    def _updates(self, label: str, seconds: float) -> int:
        """Return how many updates an optimizer can take in a time."""
        known = self._step_seconds.values()
        if not known:
            return min(FEWEST, self.problem.updates)
        typical = sorted(known)[len(known) // 2]
        seconds = max(seconds, FEWEST * typical)
        fit = round(seconds / self._step_seconds.get(label, typical))
        return max(1, min(fit, self.problem.updates))
