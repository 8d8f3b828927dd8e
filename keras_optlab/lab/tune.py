"""`tune`: the best setting of some optimizers for a problem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from keras_optlab.core.arguments import optional_function
from keras_optlab.lab.comparison import Comparison
from keras_optlab.lab.engines import Engine, Running, make_engine
from keras_optlab.lab.phases import CONFIRMATIONS, CONFIRMED, Plan, is_done
from keras_optlab.lab.preparation import Progress, prepared
from keras_optlab.lab.pruning import Pruning, pruning_of
from keras_optlab.lab.sampler import Sampler
from keras_optlab.lab.scores import promise, score
from keras_optlab.lab.studies import Study
from keras_optlab.lab.trials import Setting, Trial, run_trial


def tune(
    problem: Any,
    optimizers: Sequence[Any],
    *,
    data: Any = None,
    trials: int = 60,
    minutes: float | None = None,
    seeds: int = 5,
    epochs: float | None = None,
    target: float | None = None,
    objective: str | None = None,
    folder: str | Path | None = None,
    engine: str | Engine = "processes",
    workers: int | None = None,
    address: str | None = None,
    devices: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Find the best setting of one or several optimizers for a problem.

    1. *Search*: settings are chosen by Optuna's TPE, among all optimizers together, and
       trained once. Trials that are behind are ended early (`Pruning`).
    2. *Confirmation*: the best three settings are trained with two more seeds. The one
       with the best mean is chosen.
    3. *Final*: it is trained with fresh seeds and evaluated on the test data.

    To say which optimizer is better, use `compare`, which gives each the same budget.

    A study that was ended, by Ctrl-C or a crash, goes on if called again with the same
    arguments.

    Args:
        problem: As in `compare`.
        optimizers: As in `compare`.
        data: As in `compare`.
        trials: Settings tried in all; integer >= 1.
        minutes: End the search after this time too; > 0.
        seeds: Fresh seeds of the chosen setting; integer >= 1.
        epochs: Length of a training, if not that of the problem; > 0.
        target: Value of the target, if not that of the problem.
        objective: As in `compare`.
        folder: Where to keep the study. `None` is `studies/<problem>-tuned`.
        engine: As in `compare`.
        workers: As in `compare`.
        address: As in `compare`.
        devices: As in `compare`.
        seed: First seed; integer >= 0.
        progress: As in `compare`.

    Returns:
        A `Comparison`, whose `best` is the chosen setting, and `code()` what to paste.

    Raises:
        TypeError: if an argument has a wrong type.
        ValueError: if an argument is out of range, or the folder has another study.
        RuntimeError: if another process works on the study, or all trials fail.
        OSError: if a record cannot be written. The others are not lost.

    Example:
        >>> from keras_optlab import lab
        >>> result = lab.tune("mnist-cnn", ["adamw", "muon"])  # doctest: +SKIP
        >>> print(result.code())  # doctest: +SKIP
    """
    optional_function("progress", progress)
    plan, study = prepared(
        "tune",
        problem,
        optimizers,
        data,
        folder,
        {"epochs": epochs, "target": target},
        objective,
        {
            "trials": trials,
            "seeds": seeds,
            "devices": devices,
            "seed": seed,
            "minutes": minutes,
        },
    )
    search = Search(plan, study, minutes)
    search.run(make_engine(engine, workers, address), progress)
    return Comparison(study)


class Search:
    """The trials of a study of `tune`."""

    def __init__(self, plan: Plan, study: Study, minutes: float | None) -> None:
        self.plan, self.study, self.minutes = plan, study, minutes
        self.domains = {
            c.label: c.domains(plan.objective != "final", fine=True)
            for c in plan.candidates
        }
        self.sampler = Sampler(plan.candidates, self.domains, plan.seed)
        self.total = plan.trials + CONFIRMED * CONFIRMATIONS + plan.seeds

    def run(self, engine: Engine, progress: Progress | None) -> None:
        """Run all trials that have no record."""
        with self.study.opened(engine.description):

            def keep(record: dict[str, Any]) -> None:
                self.study.records.add(record)
                if progress is not None:
                    progress(record, len(self.study.records), self.total)

            self._workers = engine.workers
            running = Running(engine, run_trial, keep, self._pruning)
            running.run(self._next(running))
            self.study.check_progress()
            for phase in (self._confirm, self._final):
                trials = phase()
                running.run(t for t in trials if not is_done(t, self.study.records))

    def _next(self, running: Running) -> Iterator[Trial]:
        """Yield trials of the search until the budget is used."""
        while True:
            numbers = {r["index"] for r in self._searched()}
            numbers |= {t.index for t in running.trials}
            free = (i for i in range(self.plan.trials) if i not in numbers)
            number = next(free, None)
            if number is None or self._is_late():
                return
            now = [(t.label, t.setting) for t in running.trials]
            label, setting = self.sampler.ask(self._scored(), now)
            yield self._trial(label, setting, number, self.plan.seed, "search")

    def _is_late(self) -> bool:
        spent = sum(r.get("total_seconds", 0.0) for r in self._searched())
        late = self.minutes is not None and spent / self._workers > 60 * self.minutes
        return late and len(self._searched()) >= CONFIRMED

    def _searched(self) -> list[dict[str, Any]]:
        return [r for r in self.study.records.values() if r["purpose"] == "search"]

    def _scored(self) -> list[tuple[str, Setting, float]]:
        problem, objective = self.plan.problem, self.plan.objective
        return [
            (r["label"], Setting(**r["setting"]), promise(r, problem, objective))
            for r in self._searched()
        ]

    def _score(self, record: dict[str, Any]) -> float:
        return score(record, self.plan.problem, self.plan.objective)

    def _pruning(self, trial: Trial) -> tuple[Pruning | None]:
        if trial.purpose != "search":
            return (None,)
        problem = self.plan.problem
        updates = max(1, round(problem.updates * trial.setting.length))
        return (
            pruning_of(
                self._searched(),
                trial.index,
                updates,
                problem.monitor,
                problem.mode,
                self.plan.objective,
            ),
        )

    def _confirm(self) -> list[Trial]:
        """Return the trials of the best settings with further seeds."""
        ended = [r for r in self._searched() if r["status"] != "pruned"]
        ranked = sorted(ended, key=lambda r: (self._score(r), r["index"]))
        return [
            self._again(record, self.plan.seed + n, "confirm")
            for record in ranked[:CONFIRMED]
            for n in range(1, CONFIRMATIONS + 1)
        ]

    def _final(self) -> list[Trial]:
        """Return the trials of the setting with the best mean of all its seeds."""
        scores: dict[int, list[float]] = {}
        confirmed = {t.index for t in self._confirm()}
        for record in self.study.records.values():
            if record["index"] in confirmed and record["purpose"] != "final":
                scores.setdefault(record["index"], []).append(self._score(record))
        best = min(scores, key=lambda i: (sum(scores[i]) / len(scores[i]), i))
        record = next(r for r in self._searched() if r["index"] == best)
        seeds = self.plan.fresh_seeds
        return [self._again(record, seed, "final") for seed in seeds]

    def _again(self, record: dict[str, Any], seed: int, purpose: str) -> Trial:
        setting = Setting(**record["setting"])
        return self._trial(record["label"], setting, record["index"], seed, purpose)

    def _trial(
        self, label: str, setting: Setting, index: int, seed: int, purpose: str
    ) -> Trial:
        plan = self.plan
        stop = plan.objective != "final" and purpose != "final"
        return Trial(
            plan.reference,
            label,
            setting,
            index,
            seed,
            purpose,
            plan.changes,
            stop,
            plan.devices,
        )
