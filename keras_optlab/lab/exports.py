"""A comparison in other forms: Markdown, CSV, and TensorBoard's page HPARAMS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_optlab.tensorboard import EventWriter, summaries

if TYPE_CHECKING:
    import pandas as pd

    from keras_optlab.lab.comparison import Comparison

Value = bool | int | float | str

MARKDOWN = re.compile(r"[\\`*_|<>\[\]]")


def to_markdown(comparison: Comparison) -> str:
    """Return the verdicts on the best one, the ranking, and the settings as Markdown.

    Args:
        comparison: The comparison; at least one final run is done.

    Raises:
        ValueError: if nothing can be judged yet.
        ImportError: if pandas is not installed.
    """
    judgement = comparison.judge()
    best = judgement.ranking[0].label
    table = comparison.table().dropna(axis="columns", how="all")
    head = [str(name) for name in table.columns]
    rows = [[_cell(v) for v in row] for row in table.itertuples(index=False)]
    parts = [
        f"**{_escaped(judgement.headline)}**",
        _table(head, rows),
        "\n".join(
            f"- {_escaped(pair.sentence)}"
            for pair in judgement.pairs
            if best in (pair.first, pair.second)
        ),
        "\n".join(_escaped(note) for note in judgement.notes),
        *(f"```python\n{comparison.code(s.label)}\n```" for s in judgement.ranking),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def to_csv(comparison: Comparison, path: str | Path) -> tuple[Path, Path]:
    """Write the ranking and all trials as CSV, and return the paths.

    Args:
        comparison: The comparison.
        path: A folder, which is made, for `ranking.csv` and `trials.csv`.

    Raises:
        NotADirectoryError: if there is a file of this name.
        ValueError: if nothing can be judged yet.
        ImportError: if pandas is not installed.
        OSError: if they cannot be written.
    """
    folder = Path(path)
    if folder.is_file():
        raise NotADirectoryError(
            f"`path` must be a folder, for two files. Received: path={str(path)!r}"
        )
    tables: dict[str, pd.DataFrame] = {
        "ranking": comparison.table(),
        "trials": comparison.trials(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f"{name}.csv" for name in tables]
    for file, table in zip(written, tables.values(), strict=True):
        table.to_csv(file, index=False)
    return written[0], written[1]


def log_hparams(comparison: Comparison, log_dir: str | Path) -> Path:
    """Log each trial as a run of TensorBoard, for the page HPARAMS; return the folder.

    The optimizer, its setting and the purpose of the trial are the hyperparameters, the
    results are the metrics. A run has its curves too. Show them by
    `tensorboard --logdir LOG_DIR`.

    Args:
        comparison: The comparison, perhaps unfinished.
        log_dir: A folder for these runs alone; it is made.

    Raises:
        FileExistsError: if the folder is not empty: TensorBoard would show the runs
            twice.
        OSError: if it cannot be written.
    """
    folder = Path(log_dir)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(
            "`log_dir` must be a new or empty folder, since TensorBoard would mix its "
            f"runs with these. Received: log_dir={str(log_dir)!r}"
        )
    records = list(comparison.study.records.values())
    monitor = comparison.study.config["problem_facts"]["monitor"]
    for number, record in enumerate(records):
        writer = EventWriter(folder / _run_name(record, number))
        try:
            _log(writer, record, monitor)
        finally:
            writer.close()
    return folder


def _log(writer: EventWriter, record: dict[str, Any], monitor: str) -> None:
    writer.write(summaries.session_start(_hyperparameters(record)), 0)
    curve = record.get("curve") or {}
    updates = curve.get("updates", [])
    for name in curve.keys() - {"updates", "seconds"}:
        for update, value in zip(updates, curve[name], strict=True):
            if value is not None:
                writer.write(summaries.scalars({f"trial/{name}": value}), int(update))
    results = _results(record, monitor)
    if results:
        writer.write(summaries.scalars(results), record.get("updates") or 0)
    writer.write(summaries.session_end(record["status"] != "failed"), 0)


def _hyperparameters(record: dict[str, Any]) -> dict[str, Value]:
    """Return the columns on the left.

    TensorBoard shows the first five, in the order of the alphabet: so the names of
    arguments that only some optimizers have come last. The seed is in the name of the
    run, and TensorBoard knows the status.
    """
    setting = record["setting"]
    arguments = dict(setting["arguments"])
    first = {"optimizer": record["label"], "purpose": record["purpose"]}
    if "learning_rate" in arguments:
        first["learning_rate"] = arguments.pop("learning_rate")
    others = {k: setting[k] for k in ("schedule", "length", "warmup")} | arguments
    values = first | {f"setting/{name}": value for name, value in others.items()}
    return {k: v if isinstance(v, Value) else str(v) for k, v in values.items()}


def _results(record: dict[str, Any], monitor: str) -> dict[str, float]:
    reached = record.get("reached") or {}
    step, size = record.get("step_seconds"), record.get("optimizer_bytes")
    values = {
        f"result/{monitor}": record.get("value"),
        "result/updates_to_target": reached.get("updates"),
        "result/seconds_to_target": reached.get("seconds"),
        "result/step_ms": None if step is None else 1000 * step,
        "result/optimizer_mb": None if size is None else size / 1e6,
    }
    return {k: float(v) for k, v in values.items() if v is not None}


def _run_name(record: dict[str, Any], number: int) -> str:
    """Return the name of a run, which is that of a folder on any system."""
    label = _as_folder(record["label"])[:60]
    where = f"{record['purpose']}-{record['index']}-seed-{record['seed']}"
    return f"{number:04d}-{label}-{_as_folder(where)}"


def _as_folder(text: str) -> str:
    return re.sub(r"[^\w.=-]+", "_", text).strip("_.")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"  # NaN is not itself
    return _escaped(str(value))


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return MARKDOWN.sub(lambda found: f"\\{found[0]}", text).replace("\n", " ")
