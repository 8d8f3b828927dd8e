"""The order in which ways to execute steps are tried, and which one wins."""

from __future__ import annotations

import math
from typing import Any

import keras

from keras_optlab.finders.trials import Bench, Trial

TOLERANCE = 0.03  # a step this much slower is as good
FIRST_STAGE = 0.5  # share of the time until which candidates of one kind are added
LAST_STAGE = 0.25  # share of the time for which nothing is added any more
LONGEST = 0.01  # share of the time for one execution; its overhead is far smaller
TWICE = 2.0
MAY_WIN = 1.1  # times slower in a few rounds
ROUNDS = 3
LAST_ROUNDS = 7
READS = 3
LITTLE = 0.2  # share of a step for reading that `prefetch` need not hide
PREFETCH = -1  # `tf.data.AUTOTUNE`


class ExecutionSearch:
    """Finds the best of some ways to execute steps.

    Steps per execution come first, with `jit_compile` as the model has it: fewest and
    most, and those between only if the most are faster. Then the other `jit_compile` is
    compiled once, with the best number of steps. It is dropped if it is more than twice
    as slow: the overhead of an execution, which more steps reduce, is at most the whole
    time of the faster step.

    Args:
        bench: Runs the trials.
        fit_arguments: Data and batch size for `fit`.
        steps: Candidates for `steps_per_execution`, ascending.
        jit_compile: The only value allowed, or `None`.

    Attributes:
        trials: All candidates.
        present: The one that the model has; it may not be allowed.
        chosen: The winner.
        reading: Reading the data alone.
        prefetched: Whether a `tf.data.Dataset` is read faster with `prefetch`.
    """

    def __init__(
        self,
        bench: Bench,
        fit_arguments: dict[str, Any],
        steps: list[int],
        jit_compile: bool | None,
    ) -> None:
        self._bench, self._data, self._steps = bench, fit_arguments, steps
        self._seconds = bench.left()
        model = bench.model
        now = bool(model.jit_compile)
        both = [now, not now] if jit_compile is None else [jit_compile]
        if model.run_eagerly and keras.backend.backend() != "torch":
            both = [False]  # nothing is compiled
        self._grid = {
            (jit, n): Trial(jit, n, fit_arguments) for jit in both for n in steps
        }
        key = now, model.steps_per_execution
        self.present = self._grid.get(key) or Trial(*key, fit_arguments)
        self._jits = both
        self.trials = list(dict.fromkeys([self.present, *self._grid.values()]))
        self.chosen = self.present
        self.reading: Trial | None = None
        self.prefetched = False

    def run(self) -> None:
        """Try the candidates and choose one."""
        self._require(self.present)
        best = self._steps_of(self._jits[0])
        self.reading = self._read(best[0].steps_per_execution)
        finalists = [self.present, *best]
        if len(self._jits) > 1:
            finalists += self._other(best[0])
        scores = self._bench.race(finalists, LAST_ROUNDS)
        allowed = {t: s for t, s in scores.items() if t in self._grid.values()}
        sure = {t: s for t, s in allowed.items() if len(t.times) >= ROUNDS}
        allowed = sure or allowed  # one sample may be fast by chance
        limit = min(allowed.values()) * (1 + TOLERANCE)
        self.chosen = min((t for t in allowed if allowed[t] <= limit), key=self._order)
        self._prefetch()
        for trial in self.trials:
            if not trial.times and not trial.note:
                trial.note = "not run: no time left"

    def _order(self, trial: Trial) -> tuple[bool, int]:
        changes = trial.jit_compile != self.present.jit_compile
        return changes, trial.steps_per_execution

    def _require(self, trial: Trial) -> None:
        """Take the first sample of a trial that has to work."""
        watch = self._bench.sample(trial)
        steady = (watch.step_seconds or 0.0) * trial.steps_per_execution
        trial.compile_seconds = max((watch.first or 0.0) - steady, 0.0)

    def _try_out(self, trial: Trial, like: Trial) -> bool:
        """Take the first sample of a trial, unless its executions are too long."""
        if trial.times:
            return True
        execution = like.step_seconds * trial.steps_per_execution
        if execution > LONGEST * self._seconds and trial.steps_per_execution > 1:
            trial.note = f"not run: an execution takes about {execution:.1f} s"
            return False
        return self._bench.try_out(trial)

    def _steps_of(self, jit: bool) -> list[Trial]:
        """Return the best trials of one `jit_compile`, the best first."""
        fewest, *between = [self._grid[jit, n] for n in self._steps]
        if not fewest.times and not self._bench.try_out(fewest):
            if jit == self.present.jit_compile or len(self._jits) == 1:
                raise RuntimeError(f"No candidate could be run. {fewest.note}")
            return [self.present]
        while between and not self._try_out(between[-1], fewest):
            between.pop()
        if not between:
            return [fewest]
        field, spare = [fewest, between.pop()], (1 - FIRST_STAGE) * self._seconds
        scores = self._bench.race(field, ROUNDS, spare)
        if scores[fewest] <= 1 + TOLERANCE:
            for trial in between:
                trial.note = "not run: the most steps were no faster than the fewest"
            return field
        for trial in reversed(between):
            if self._bench.left() > spare and self._try_out(trial, fewest):
                field.append(trial)
        return self._halve(field, spare)

    def _halve(self, field: list[Trial], spare: float) -> list[Trial]:
        """Race trials and drop the slower half, again and again; the best first."""
        while True:
            scores = self._bench.race(field, ROUNDS, spare)
            field = sorted(field, key=scores.__getitem__)
            near = [t for t in field if scores[t] <= 1 + TOLERANCE]
            kept = field[: max((len(field) + 1) // 2, len(near))]
            if len(kept) == len(field) or self._bench.left() < spare:
                return near
            field = kept

    def _other(self, best: Trial) -> list[Trial]:
        """Return trials of the other `jit_compile` that may win, and their rivals."""
        other = not best.jit_compile
        steps = best.steps_per_execution
        if keras.backend.backend() == "jax" and not other:
            steps = self._steps[0]  # each operation alone, also within an execution
        trial, rival = self._grid[other, steps], self._grid[not other, steps]
        if self._bench.left() <= 0 or not self._bench.try_out(trial):
            return []
        scores = self._bench.race([trial, rival], 1)
        if scores[trial] > TWICE:
            self._leave_out(other, "not run: too slow with other steps")
            return []
        score = self._bench.race([trial, rival], ROUNDS)[trial]
        found = [trial] if score <= MAY_WIN else []
        if score == 1.0:
            for n in [n for n in self._steps if n > steps]:
                enough = self._bench.left() > LAST_STAGE * self._seconds
                if enough and self._try_out(self._grid[other, n], trial):
                    found.append(self._grid[other, n])
        self._leave_out(other, "not run: slower with other steps")
        return found

    def _leave_out(self, jit: bool, why: str) -> None:
        for n in self._steps:
            trial = self._grid[jit, n]
            if not trial.times and not trial.note:
                trial.note = why

    def _read(self, steps: int) -> Trial:
        """Time reading the data alone."""
        reading = Trial(False, steps, self._data, reads_only=True)
        for _ in range(READS):
            if not self._bench.try_out(reading):
                break
        return reading

    def _prefetch(self) -> None:
        """Try `prefetch` for a `tf.data.Dataset` if reading takes a large part."""
        dataset = self._data["x"]
        if self.reading is None or not hasattr(dataset, "prefetch"):
            return
        if not LITTLE < self.reading.step_seconds / self.chosen.step_seconds < math.inf:
            return
        data = self._data | {"x": dataset.prefetch(PREFETCH)}
        chosen = self.chosen
        trial = Trial(chosen.jit_compile, chosen.steps_per_execution, data)
        if self._bench.left() > 0 and self._bench.try_out(trial):
            scores = self._bench.race([trial, chosen], LAST_ROUNDS)
            self.prefetched = scores[chosen] > 1 + TOLERANCE
