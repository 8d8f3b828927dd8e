"""`Comparison`: what a study of `compare` or `tune` found."""

from __future__ import annotations

import functools
import math
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_optlab.core.arguments import local_path
from keras_optlab.core.errors import shown
from keras_optlab.lab.requirements import need
from keras_optlab.lab.scores import OBJECTIVES, error_of
from keras_optlab.lab.statistics import Judgement, Measure, judge
from keras_optlab.lab.studies import Study
from keras_optlab.lab.trials import Setting

if TYPE_CHECKING:
    import pandas as pd


class Comparison:
    """The result of `compare` or `tune`, or of a folder with a study.

    `print` it for the ranking and the verdicts.

    Args:
        study: The study, or its folder. It may be unfinished.

    Raises:
        FileNotFoundError: if the folder has no study.
        ValueError: if it is of another version.

    Attributes:
        study: The `Study`.
        objective: By what settings were chosen: `"updates"`, `"seconds"` or `"final"`.
        labels: What was compared.
    """

    def __init__(self, study: Study | str | Path) -> None:
        if not isinstance(study, Study):
            study = Study(local_path("study", study))
        self.study = study
        config = self.study.config
        self.objective: str = config["objective"]
        self.labels: list[str] = [o["label"] for o in config["optimizers"]]

    def records(self, label: str, purpose: str = "final") -> list[dict[str, Any]]:
        """Return the records of an optimizer: `"search"`, `"confirm"` or `"final"`."""
        return [
            record
            for record in self.study.records.values()
            if record["label"] == label and record["purpose"] == purpose
        ]

    @property
    def is_finished(self) -> bool:
        """Whether all trials have been run."""
        config, finals = self.study.config, [len(self.records(k)) for k in self.labels]
        complete = [n >= config["seeds"] for n in finals]
        return any(complete) if config["kind"] == "tune" else all(complete)

    @functools.cached_property
    def settings(self) -> dict[str, Setting]:
        """The chosen setting of each optimizer that has one."""
        found = {label: self.records(label) for label in self.labels}
        return {k: Setting(**v[0]["setting"]) for k, v in found.items() if v}

    def updates_of(self, label: str) -> int:
        """Return the length of the training with the chosen setting."""
        budget = self.study.config["problem_facts"]["updates"]
        return max(1, round(budget * self.settings[label].length))

    @property
    def best(self) -> str:
        """Label of the optimizer that is first in the ranking."""
        return self.judge().ranking[0].label

    def code(self, label: str | None = None) -> str:
        """Return Python code that makes an optimizer with its chosen setting.

        Args:
            label: The optimizer; `None` is the best one.
        """
        label = label or self.best
        return self.settings[label].code(self.updates_of(label))

    def judge(self, objective: str | None = None) -> Judgement:
        """Return the ranking and the verdicts.

        Args:
            objective: `"updates"` or `"seconds"` to the target, or the `"final"` value.
                `None` is that by which settings were chosen.

        Raises:
            ValueError: if nothing was measured, or there is no target.
        """
        objective = objective or self.objective
        if objective not in self.objectives:
            raise ValueError(
                f"expected an objective of {', '.join(self.objectives)}. "
                f"Received: objective={shown(objective)}"
            )
        ordered = sorted(self.labels, key=self._final_error)  # that of equal scores
        scores = {k: self.scores(k, objective) for k in ordered if self.records(k)}
        if not scores:
            raise ValueError(
                "The study has no final results yet. Received: "
                f"{len(self.study.records)} records in {str(self.study.folder)!r}. "
                "Run the same comparison again to go on."
            )
        reruns = {k: self._reruns(k, objective) for k in scores}
        known = {k: v for k, v in reruns.items() if len(v) > 1}
        return judge(scores, self._measure(objective), reruns=known)

    def _final_error(self, label: str) -> float:
        """Return the mean final value of an optimizer, lower is better."""
        mode = self.study.config["problem_facts"]["mode"]
        errors = [error_of(s, mode) for s in self.scores(label, "final")]
        return statistics.fmean(errors or [math.inf])

    @property
    def objectives(self) -> tuple[str, ...]:
        """What can be judged: `"final"` alone if there is no target."""
        return (
            OBJECTIVES if self.study.config["problem_facts"]["target"] else ("final",)
        )

    def scores(
        self, label: str, objective: str, purpose: str = "final"
    ) -> list[float | None]:
        """Return the score of each seed; `None` for one that failed."""
        return [score_of(r, objective) for r in self.records(label, purpose)]

    def _reruns(self, label: str, objective: str) -> list[list[float | None]]:
        """Return the scores of the confirmed settings, with seeds that did not rank.

        A setting that failed or missed the target once has no mean to compare.
        """
        of_setting: dict[int, list[float | None]] = {}
        for record in self.records(label, "confirm"):
            found = score_of(record, objective)
            of_setting.setdefault(record["index"], []).append(found)
        return [s for s in of_setting.values() if len(s) > 1 and None not in s]

    def _measure(self, objective: str) -> Measure:
        facts = self.study.config["problem_facts"]
        monitor, target = facts["monitor"], facts["target"]
        if objective == "final":
            return self._measure_of_values(facts["mode"], f"final {monitor}")
        aim = f"{target['metric']} {target['value']:g}"
        limit: Any = facts["updates"]
        if objective == "seconds":
            limit = {k: max(limit * self._step_seconds(k), 1e-9) for k in self.labels}
        return Measure("effort", f"{objective} to {aim}", limit=limit)

    def _step_seconds(self, label: str) -> float:
        """Return the median seconds of an update; 0 without any."""
        known = [r.get("step_seconds") for r in self.records(label)]
        return statistics.median([s for s in known if s] or [0.0])

    def _measure_of_values(self, mode: str, name: str) -> Measure:
        values = [v for k in self.labels for v in self.scores(k, "final")]
        known = [v for v in values if v is not None]
        if mode == "max":
            rows = self.study.config["problem_facts"]["test_rows"]
            return Measure("accuracy", name, resolution=1 / rows if rows else None)
        return Measure("value" if min(known, default=0) < 0 else "loss", name)

    def table(self) -> pd.DataFrame:
        """Return a row for each optimizer, the best first, as a pandas data frame."""
        need("pandas")
        import pandas as pd

        judgements = {name: self.judge(name) for name in self.objectives}
        rows = []
        for standing in judgements[self.objective].ranking:
            label = standing.label
            finals = self.records(label)
            row: dict[str, Any] = {"optimizer": label, "place": standing.place}
            for name, judgement in judgements.items():
                of_label = next(s for s in judgement.ranking if s.label == label)
                row |= {f"{name}": of_label.median, f"{name}_low": of_label.low}
                row |= {f"{name}_high": of_label.high}
            row["reached"] = sum(r.get("reached") is not None for r in finals)
            row["seeds"] = len(finals)
            row["step_ms"] = 1000 * _median([r.get("step_seconds") for r in finals])
            row["optimizer_mb"] = _median([r.get("optimizer_bytes") for r in finals])
            row["optimizer_mb"] /= 1e6
            row["updates_trained"] = self.updates_of(label)
            row |= self.settings[label].arguments
            row["schedule"] = self.settings[label].schedule
            rows.append(row)
        return pd.DataFrame(rows)

    def trials(self) -> pd.DataFrame:
        """Return a row for each trial, as a pandas data frame."""
        need("pandas")
        import pandas as pd

        names = ("label", "purpose", "index", "seed", "status", "error", "value")
        names += ("updates", "seconds", "step_seconds", "first_seconds")
        names += ("total_seconds", "optimizer_bytes")
        rows = []
        for record in self.study.records.values():
            reached = record.get("reached") or {}
            setting = record["setting"]
            rows.append(
                {k: record.get(k) for k in names}
                | {f"{k}_to_target": reached.get(k) for k in ("updates", "seconds")}
                | {k: setting[k] for k in ("schedule", "length", "warmup")}
                | setting["arguments"]
            )
        return pd.DataFrame(rows)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report: one HTML file. Return its path.

        Args:
            path: Where to write it; `None` is `report.html` in the study's folder.
        """
        from keras_optlab.lab.report import write_report

        return write_report(self, path)

    def to_markdown(self) -> str:
        """Return the verdict, the ranking and the settings as Markdown."""
        from keras_optlab.lab.exports import to_markdown

        return to_markdown(self)

    def to_csv(self, path: str | Path) -> tuple[Path, Path]:
        """Write `ranking.csv` and `trials.csv` into a folder. Return their paths.

        Args:
            path: The folder; it is made.
        """
        from keras_optlab.lab.exports import to_csv

        return to_csv(self, path)

    def log_hparams(self, log_dir: str | Path) -> Path:
        """Log each trial as a run of TensorBoard, for its page HPARAMS.

        Args:
            log_dir: A new or empty folder.
        """
        from keras_optlab.lab.exports import log_hparams

        return log_hparams(self, log_dir)

    def __str__(self) -> str:
        return str(self.judge())


def score_of(record: dict[str, Any], objective: str) -> float | None:
    """Return the score of a record: a value, or the effort to the target."""
    if objective == "final":
        return record.get("value")
    return (record.get("reached") or {}).get(objective)


def _median(values: list[float | None]) -> float:
    known = sorted(v for v in values if v is not None)
    return known[len(known) // 2] if known else float("nan")
