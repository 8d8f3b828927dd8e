"""`train`: one training, on one device or several, and its record."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.core.arguments import (
    flag,
    local_path,
    mapping,
    number,
    optional_function,
)
from keras_optlab.lab.devices import check_batch, is_first_process, share
from keras_optlab.lab.problem_files import as_problem
from keras_optlab.lab.studies import Study
from keras_optlab.lab.trials import Candidate, Setting, Trial, run

Progress = Callable[[int, int, dict[str, float]], None]


def train(
    problem: Any,
    optimizer: str | Candidate | Setting,
    *,
    data: Any = None,
    arguments: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
    seed: int = 0,
    stop_at_target: bool = False,
    folder: str | Path | None = None,
    progress: Progress | None = None,
    devices: int | None = None,
    coordinator: str | None = None,
    process: int | None = None,
    processes: int | None = None,
) -> dict[str, Any]:
    """Train once, evaluate on the test data, and return the record.

    Args:
        problem: Name of a problem, `"module:function"`, `"file.py"`, a `Problem`, or a
            function that returns a new compiled model.
        optimizer: Its name, or a call as in `"ema(adamw, average_decay=0.99)"`, a
            `Candidate`, or a `Setting`.
        data: With a function that returns a model: `Data`, or `(x, y)`, which is split.
        arguments: Further arguments of the optimizer by name; also `schedule`
            (`"one_cycle"`, `"cosine"`, `"constant"`), `warmup` (share of a one-cycle
            schedule, in (0, 1)) and `length` (share of the problem's budget, in
            (0, 1]). The rate of a name without a schedule is constant.
        changes: Fields of the problem to change, such as `{"epochs": 2}`.
        seed: Seed of the weights and of the order of the batches; integer >= 0.
        stop_at_target: Whether to end when the target is reached.
        folder: Folder to keep the record in, as a study; `None` keeps none.
        progress: Called after each update with its number, the number of all, and the
            mean training loss and metrics so far by name; in the first process only.
        devices: Devices of this process that share each batch; integer >= 1. `None` is
            one. `batch_size` must be a multiple of all devices.
        coordinator: `"host:port"` of process 0, where several processes train together:
            on JAX only. Each makes the same call with its own `process`.
        process: Number of this process, from 0.
        processes: Number of processes; integer >= 1.

    Returns:
        The record, as `run_trial` returns it; the same in each process, but for times.

    Raises:
        TypeError: if an argument has a wrong type.
        ValueError: if an argument is out of range, the backend cannot do this, or the
            folder has another study.
        ConnectionError: if the processes do not meet.
        OSError: if the record cannot be written.

    Example:
        >>> from keras_optlab import lab
        >>> record = lab.train(
        ...     "mnist-logreg", "adam", arguments={"learning_rate": 0.01},
        ...     changes={"epochs": 0.02})
        >>> record["status"], record["updates"]
        ('complete', 8)
    """
    seed = number("seed", seed, f"[0, {2**31}]", "seed", integer=True)
    stop_at_target = flag("stop_at_target", stop_at_target)
    changes = dict(mapping("changes", {} if changes is None else changes))
    arguments = dict(mapping("arguments", {} if arguments is None else arguments))
    folder = None if folder is None else local_path("folder", folder)
    optional_function("progress", progress)
    made = as_problem(problem, data)
    made = made.with_changes(**changes)
    trial = Trial(
        problem if isinstance(problem, str) else made.name,
        *_labelled(optimizer, arguments),
        seed=seed,
        purpose="final",
        changes=changes,
        stop_at_target=stop_at_target,
    )
    call = {"problem": trial.problem, **trial.as_dict()}
    count = share(devices, coordinator, process, processes, call)
    if made.splits.rows is not None:
        check_batch(min(made.batch_size, made.splits.rows), count)
    trial = replace(trial, devices=count)
    updates = run.updates_of(made, trial.setting)
    trial.setting.build(updates)  # raises, if it cannot
    first = is_first_process()
    with _study(folder if first else None, trial) as study:
        callbacks = [_Progress(progress, updates)] if first and progress else []
        record = run.train(trial, None, lambda: made, callbacks)
        if study is not None:
            study.records.add(record)
    return record


def _labelled(optimizer: Any, arguments: dict[str, Any]) -> tuple[str, Setting]:
    """Return the label and the setting of an optimizer with further arguments."""
    if isinstance(optimizer, Setting):
        return optimizer.optimizer, optimizer
    candidate = Candidate.parse(optimizer)
    fixed = {**candidate.fixed, **arguments}
    if not isinstance(optimizer, Candidate):
        fixed.setdefault("schedule", "constant")
    return candidate.label, replace(candidate, fixed=fixed).setting({})


@contextlib.contextmanager
def _study(folder: str | Path | None, trial: Trial) -> Iterator[Study | None]:
    """Have a folder for the record."""
    if folder is None:
        yield None
        return
    config = {"kind": "train", "problem": trial.problem, **trial.as_dict()}
    study = Study(folder, config)
    with study.opened({"engine": "here", "workers": 1, "devices": trial.devices}):
        yield study


class _Progress(Callback):
    def __init__(self, progress: Progress, updates: int) -> None:
        super().__init__()
        self._progress, self._updates = progress, updates

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._progress(batch + 1, self._updates, dict(logs or {}))
