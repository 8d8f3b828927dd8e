"""`run_trial`: train once, and return the record."""

from __future__ import annotations

import functools
import gc
import json
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_optlab.engine.backend.devices import over_devices, part_of
from keras_optlab.engine.backend.ordered_batches import batches_in_order
from keras_optlab.engine.backend.threads import threads_in_use
from keras_optlab.lab.devices import check_batch
from keras_optlab.lab.problems import Problem, Target, find
from keras_optlab.lab.trials.recorder import Recorder, Report
from keras_optlab.lab.trials.setting import Setting
from keras_optlab.lab.trials.trial import Trial

OF_VALUE = (0.25, 0.5, 1.0)  # shares of the training after which to evaluate
OF_TARGET = (0.25, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
OF_CONSTANT = tuple(1.15**-i for i in range(20))
MOST_POINTS = 60  # of a curve in a record


def run_trial(trial: Trial, report: Report | None = None) -> dict[str, Any]:
    """Train once, and return the record: the trial and its results, as JSON values.

    While settings are searched, the model is evaluated on the validation data; in the
    end on the test data, as often as the problem says. An error is recorded, not
    raised.

    Args:
        trial: What to train.
        report: As in `Recorder`.

    Returns:
        The values of `trial.as_dict()`, and
        `status`: `"complete"`, `"diverged"`, `"target"`, `"pruned"` or `"failed"`;
        `value`: the metric at the end, `None` if it diverged;
        `reached`: updates and seconds to the target;
        `updates`, `planned` (updates without an early end), `seconds`, `step_seconds`,
        `first_seconds` (of the first update, which compiles), `total_seconds`; `curve`;
        `parameters`; `optimizer_bytes`; `threads` of an operation on the CPU.
    """
    return train(trial, report, lambda: _problem(trial.problem, _key(trial.changes)))


def train(
    trial: Trial,
    report: Report | None,
    problem: Callable[[], Problem],
    callbacks: Sequence[Any] = (),
) -> dict[str, Any]:
    """Train once on a problem, which a function returns; see `run_trial`.

    The callbacks run outside of the clock.
    """
    begun = time.perf_counter()
    try:
        with over_devices(trial.devices):
            found = _train(trial, report, problem(), callbacks)
    except Exception as error:
        found: dict[str, Any] = {"status": "failed", "error": _in_words(error)}
    gc.collect()  # models and data refer to themselves, and a process has many trials
    found["total_seconds"] = round(time.perf_counter() - begun, 3)
    return trial.as_dict() | _finite(found)


def _train(
    trial: Trial, report: Report | None, problem: Problem, callbacks: Sequence[Any]
) -> dict[str, Any]:
    updates = updates_of(problem, trial.setting)
    keras.utils.set_random_seed(trial.seed)
    model = problem.new_model()
    problem.compile(model, trial.setting.build(updates))
    recorder = Recorder(
        _evaluated(problem, trial),
        evaluation_points(problem, trial, updates),
        target_of(problem, trial),
        trial.stop_at_target,
        problem.monitor,
        report,
    )
    data = _batches(problem, trial, updates)
    with warnings.catch_warnings():
        if trial.purpose != "final":  # a search has rates that diverge
            warnings.filterwarnings("ignore", ".*skip")
        model.fit(data, shuffle=False, verbose=0, callbacks=[recorder, *callbacks])
    return _results(recorder, problem, model, updates)


def _batches(problem: Problem, trial: Trial, updates: int) -> Any:
    """Return the batches of a training."""
    train, rows = problem.splits.train, problem.splits.rows
    if rows is None:
        return train.repeat().take(updates)
    chosen = order(rows, problem.batch_size, updates, trial.seed)
    check_batch(chosen.shape[1], trial.devices)
    return batches_in_order(train, part_of(chosen))


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _key(changes: dict[str, Any]) -> str:
    return json.dumps(changes, sort_keys=True)


def updates_of(problem: Problem, setting: Setting) -> int:
    """Return the updates of a training."""
    return max(1, round(problem.updates * setting.length))


@functools.lru_cache(maxsize=4)
def _problem(reference: str, changes: str) -> Problem:
    """Return the problem, kept in this process with its data for further trials."""
    return find(reference).with_changes(**json.loads(changes))


def _evaluated(problem: Problem, trial: Trial) -> Any:
    data = problem.splits
    final = trial.purpose == "final" and data.test is not None
    return data.test if final else data.validation


def target_of(problem: Problem, trial: Trial) -> Target | None:
    """Return the target: while settings are searched, a slightly harder one.

    A setting that just reaches the target with one seed misses it with another. The
    harder one is a standard error of the measured accuracy further, or 1 % of a loss.
    """
    target, rows = problem.target, problem.splits.validation_rows
    if target is None or trial.purpose == "final":
        return target
    value = target.value
    if target.mode == "min":
        return replace(target, value=value - 0.01 * abs(value))
    error = math.sqrt(max(value * (1 - value), 0.0) / rows) if rows else 0.0
    return replace(target, value=min(value + error, 1.0))


def evaluation_points(problem: Problem, trial: Trial, updates: int) -> list[int]:
    """Return the updates after which to evaluate.

    An evaluation can take as long as many updates, so a search has few: where the
    rate falls, most of them towards the end, since a target is seldom reached before;
    with a constant rate, at growing distances.
    """
    if trial.purpose == "final":
        every = problem.evaluate_every or max(1, round(problem.updates_per_epoch))
        return [*range(every, updates, every), updates]
    if not trial.stop_at_target:
        shares = OF_VALUE
    elif trial.setting.schedule == "constant":
        shares = OF_CONSTANT
    else:
        shares = OF_TARGET
    return sorted({max(1, round(share * updates)) for share in shares})


def order(rows: int, batch_size: int, updates: int, seed: int) -> np.ndarray:
    """Return the rows of each batch, shape `(updates, batch_size)`.

    Passes over all rows, each in another random order, follow each other without a gap,
    so that all batches are full.

    >>> order(rows=3, batch_size=2, updates=3, seed=0)
    array([[0, 2],
           [1, 0],
           [2, 1]], dtype=int32)
    """
    batch_size = min(batch_size, rows)
    random = np.random.default_rng([seed, 0x0B7])
    needed = updates * batch_size
    passes = [random.permutation(rows) for _ in range(math.ceil(needed / rows))]
    return np.concatenate(passes)[:needed].reshape(updates, batch_size).astype("int32")


def _results(
    recorder: Recorder, problem: Problem, model: Any, updates: int
) -> dict[str, Any]:
    curve, diverged = recorder.curve, recorder.end == "diverged"
    return {
        "status": recorder.end,
        "value": None if diverged or not curve else curve[problem.monitor][-1],
        "reached": recorder.reached,
        "updates": curve["updates"][-1] if curve else 0,
        "planned": updates,
        "seconds": round(recorder.seconds, 4),
        "step_seconds": round(recorder.step_seconds, 7),
        "first_seconds": round(recorder.first_seconds, 3),
        "curve": _thinned(curve),
        "parameters": model.count_params(),
        "threads": threads_in_use(),
        "optimizer_bytes": sum(np.asarray(v).nbytes for v in model.optimizer.variables),
    }


def _thinned(curve: dict[str, list[float]]) -> dict[str, list[float]]:
    """Return at most `MOST_POINTS` points, the last one among them."""
    length = len(next(iter(curve.values()), []))
    step = max(1, math.ceil(length / MOST_POINTS))
    return {name: values[::-1][::step][::-1] for name, values in curve.items()}


def _finite(value: Any) -> Any:
    """Return a value with `None` for each number that JSON does not have."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
