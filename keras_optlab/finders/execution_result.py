"""What `tune_execution` found."""

from __future__ import annotations

import math
from typing import Any

import keras

from keras_optlab.core.retrace import retrace
from keras_optlab.engine.backend.trainer_adapter import set_execution
from keras_optlab.finders.execution_search import PREFETCH, ExecutionSearch
from keras_optlab.finders.text_table import text_table
from keras_optlab.finders.trials import Trial

DATA_BOUND = 0.5  # share of a step from which reading is the bottleneck
HEADS = (
    "jit_compile",
    "steps_per_execution",
    "ms/step",
    "speed-up",
    "compile s",
    "pays after",
    "samples",
    "",
)


class ExecutionResult:
    """The fastest way found to execute a model's steps, and the times of all.

    Attributes:
        jit_compile: The value for `compile`.
        steps_per_execution: The value for `compile`.
        compile_arguments: Both, as a dict.
        fit_arguments: The data and the batch size, as a dict; a `tf.data.Dataset` with
            `prefetch`, if this is faster.
        step_seconds: Median seconds of a step with these arguments.
        speedup: Seconds of a step as the model was, over `step_seconds`.
        steps_to_pay: Steps after which a longer compilation than the model's present
            one has paid off; 0 if it is not longer, infinite if no step is faster.
        reading_seconds: Median seconds of reading a batch without training.
        data_bound: Whether this is more than half of `step_seconds`.
        advice: What else to do, a sentence each; mostly empty.
        seconds: Seconds that the search took.
    """

    def __init__(
        self,
        model: keras.Model,
        search: ExecutionSearch,
        fit_arguments: dict[str, Any],
        seconds: float,
    ) -> None:
        chosen, present = search.chosen, search.present
        self._model, self._trials = model, search.trials
        self._chosen, self._present = chosen, present
        self.jit_compile = chosen.jit_compile
        self.steps_per_execution = chosen.steps_per_execution
        self.compile_arguments = {
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
        }
        self.fit_arguments = dict(fit_arguments)
        if search.prefetched:
            self.fit_arguments["x"] = fit_arguments["x"].prefetch(PREFETCH)
        self.step_seconds = chosen.step_seconds
        self.speedup = present.step_seconds / chosen.step_seconds
        self.steps_to_pay = _steps_to_pay(chosen, present)
        reading = search.reading
        self.reading_seconds = math.inf if reading is None else reading.step_seconds
        share = self.reading_seconds / self.step_seconds
        self.data_bound = DATA_BOUND < share < math.inf
        self.advice = _advice(model, self)
        self.seconds = seconds
        for trial in self._trials:
            trial.train_function = None  # compiled code

    def apply(self) -> None:
        """Set these arguments in the model, which keeps its optimizer and its state."""
        set_execution(self._model, self.jit_compile, self.steps_per_execution)
        retrace(self._model, "train", "test", "predict")

    def table(self) -> str:
        """Return the times of all candidates as text."""
        rows = [HEADS, *map(self._row, self._trials)]
        reading = f"reading the data alone: {1000 * self.reading_seconds:.3g} ms/step"
        return "\n".join([text_table(rows), reading, *self.advice])

    def _row(self, trial: Trial) -> tuple[str, ...]:
        marks = [trial.note] if trial.note else []
        marks += ["chosen"] if trial is self._chosen else []
        marks += ["present"] if trial is self._present else []
        figures = ("",) * 5
        if trial.times:
            pays = _steps_to_pay(trial, self._present)
            figures = (
                f"{1000 * trial.step_seconds:.3g}",
                f"{self._present.step_seconds / trial.step_seconds:.2f}",
                f"{trial.compile_seconds or 0.0:.1f}",
                "never" if pays == math.inf else f"{pays:.0f} steps",
                str(len(trial.times)),
            )
        return (
            str(trial.jit_compile),
            str(trial.steps_per_execution),
            *figures,
            ", ".join(marks),
        )

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v}" for k, v in self.compile_arguments.items())
        bound = ", data_bound" if self.data_bound else ""
        return (
            f"<ExecutionResult {arguments}: {1000 * self.step_seconds:.3g} ms/step, "
            f"{self.speedup:.2f} times as fast as before{bound}>"
        )


def _steps_to_pay(trial: Trial, present: Trial) -> float:
    """Return the steps after which a trial has made up for its compilation."""
    if trial is present:
        return 0.0
    saved = present.step_seconds - trial.step_seconds
    longer = (trial.compile_seconds or 0.0) - (present.compile_seconds or 0.0)
    if saved <= 0:
        return math.inf
    return math.ceil(max(longer, 0.0) / saved)


def _advice(model: keras.Model, result: ExecutionResult) -> list[str]:
    """Return what else would make the training faster, or what to know."""
    found = []
    x, share = result.fit_arguments["x"], result.reading_seconds / result.step_seconds
    if result.data_bound:
        if isinstance(x, keras.utils.PyDataset):
            how = "Give the PyDataset `workers` and `use_multiprocessing`."
        elif hasattr(x, "prefetch"):
            how = (
                "Add `.cache()` after the last map without random numbers if the data "
                "fit in memory, `num_parallel_calls` to each map, and `.prefetch()`."
            )
        elif "batch_size" in result.fit_arguments:
            how = "Larger batches read faster; store the arrays in the model's dtype."
        else:
            how = "Load in more processes, or store the data as it is trained on."
        found.append(
            f"The data pipeline is the bottleneck: reading alone takes {share:.0%} of "
            f"a step. {how}"
        )
    if model.run_eagerly:
        found.append(
            "The model runs eagerly, which is slow and needed for debugging only: "
            "compile it with run_eagerly=False and tune again."
        )
    if result.steps_per_execution > 1:
        found.append(
            f"Callbacks see every {result.steps_per_execution}th batch only, with "
            "`steps_per_execution`."
        )
    return found
