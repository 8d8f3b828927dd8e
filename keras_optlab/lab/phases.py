"""The trials of a comparison, phase by phase."""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from keras_optlab.lab.points import points
from keras_optlab.lab.problems import Problem
from keras_optlab.lab.scores import score
from keras_optlab.lab.studies import Records
from keras_optlab.lab.trials import Candidate, Setting, Trial

CONFIRMED = 3  # settings that are run again
CONFIRMATIONS = 2  # further seeds of each
FRESH = 1000  # first seed that no setting was chosen by


@dataclass
class Plan:
    """What a comparison runs.

    Attributes:
        problem: The problem, to score records.
        candidates: The optimizers.
        trials: Settings tried for each of them.
        seeds: Fresh seeds of the chosen setting.
        objective: What makes a setting good, as in `score`.
        seed: First seed.
        changes: Fields of the problem that the study changes.
        devices: Devices for each training.
        reference: What workers load the problem by.
    """

    problem: Problem
    candidates: Sequence[Candidate]
    trials: int
    seeds: int
    objective: str
    seed: int = 0
    changes: dict[str, Any] = field(default_factory=dict)
    devices: int = 1
    reference: str = ""

    @property
    def fresh_seeds(self) -> list[int]:
        """Seeds that took no part in choosing a setting."""
        return [self.seed + FRESH + number for number in range(self.seeds)]

    def domains(self, candidate: Candidate) -> dict[str, Any]:
        """Return what is searched for a candidate."""
        return candidate.domains(with_length=self.objective != "final")

    def settings(self, candidate: Candidate) -> list[Setting]:
        """Return the settings that are tried.

        Each candidate has points of its own, so that luck in them counts as noise.
        """
        domains = self.domains(candidate)
        seed = zlib.crc32(candidate.label.encode()) + self.seed
        shares = points(domains, self.trials, seed)
        return [candidate.at(point, domains) for point in shares]

    def _trial(self, candidate: Candidate, index: int, **more: Any) -> Trial:
        return Trial(
            self.reference,
            candidate.label,
            self.settings(candidate)[index],
            index,
            changes=self.changes,
            devices=self.devices,
            **more,
        )

    def search(self, candidate: Candidate) -> list[Trial]:
        """Return the trials of all settings; none if there is only one setting."""
        number = len(self.settings(candidate))
        stop = self.objective != "final"
        return [
            self._trial(candidate, i, seed=self.seed, stop_at_target=stop)
            for i in range(number)
            if number > 1
        ]

    def confirm(self, candidate: Candidate, records: Records) -> list[Trial]:
        """Return the trials of the best settings with further seeds.

        A study with one fresh seed has none, since nothing can be judged by it.
        """
        if self.seeds == 1:
            return []
        ranked = self._ranked(self.search(candidate), records)
        stop = self.objective != "final"
        return [
            self._trial(
                candidate, i, seed=self.seed + n, purpose="confirm", stop_at_target=stop
            )
            for i in ranked[:CONFIRMED]
            for n in range(1, CONFIRMATIONS + 1)
        ]

    def final(self, candidate: Candidate, records: Records) -> list[Trial]:
        """Return the trials of the chosen setting with fresh seeds."""
        index = self.chosen(candidate, records)
        return [
            self._trial(candidate, index, seed=seed, purpose="final")
            for seed in self.fresh_seeds
        ]

    def chosen(self, candidate: Candidate, records: Records) -> int:
        """Return the number of the setting with the best mean of all its seeds."""
        tried = [*self.search(candidate), *self.confirm(candidate, records)]
        confirmed = [t for t in tried if t.purpose == "confirm"]
        indices = {t.index for t in confirmed} or {t.index for t in tried}
        best = [t for t in tried if t.index in indices]
        return (self._ranked(best, records) or [0])[0]

    def _ranked(self, trials: list[Trial], records: Records) -> list[int]:
        """Return the numbers of settings, the best one first, by their mean score."""
        scores: dict[int, list[float]] = {}
        for trial in trials:
            record = records.get(trial.key, {})
            found = score(record, self.problem, self.objective)
            scores.setdefault(trial.index, []).append(found)
        means = {i: math.fsum(s) / len(s) for i, s in scores.items()}
        return sorted(means, key=lambda i: (means[i], i))

    @property
    def phases(self) -> list[Callable[[Candidate, Records], list[Trial]]]:
        """Functions that return the trials of each phase."""
        return [lambda candidate, _: self.search(candidate), self.confirm, self.final]

    def missing(self, phase: int, records: Records) -> Iterator[Trial]:
        """Yield the trials of a phase that have no record, all candidates in turn."""
        of_each = [self.phases[phase](c, records) for c in self.candidates]
        for turn in itertools.zip_longest(*of_each):
            for trial in turn:
                if trial is not None and not is_done(trial, records):
                    yield trial

    def total(self) -> int:
        """Return the number of trials of all phases."""
        counts = [len(self.search(c)) for c in self.candidates]
        again = CONFIRMATIONS if self.seeds > 1 else 0
        confirmed = [min(n, CONFIRMED) * again for n in counts]
        return sum(counts) + sum(confirmed) + self.seeds * len(counts)


def is_done(trial: Trial, records: Records) -> bool:
    """Return whether a trial has a record; one that failed is run again."""
    return trial.key in records and records[trial.key]["status"] != "failed"
