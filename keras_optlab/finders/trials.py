"""Ways to execute the steps of a model, and their times in `fit`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keras_optlab.finders.stopwatch import Stopwatch

EPOCHS = 1000  # of a `fit` that the stopwatch ends


@dataclass(eq=False)
class Trial:
    """One way to execute steps, with what was measured.

    Attributes:
        jit_compile: As in `compile`.
        steps_per_execution: As in `compile`.
        fit_arguments: Data and batch size for `fit`.
        reads_only: Whether the step reads a batch and does nothing with it.
        compile_seconds: Seconds of the first execution beyond those of a later one.
        times: Seconds of a step, one mean for each sample.
        sample_seconds: Seconds that the last sample took, with the start of `fit` and
            untimed executions, and without compilation.
        note: Why it was not measured, or `""`.
    """

    jit_compile: bool
    steps_per_execution: int
    fit_arguments: dict[str, Any] = field(repr=False)
    reads_only: bool = False
    compile_seconds: float | None = None
    times: list[float] = field(default_factory=list, repr=False)
    sample_seconds: float = 0.0
    note: str = ""
    train_function: Any = field(default=None, repr=False)

    @property
    def step_seconds(self) -> float:
        """Median seconds of a step; infinite if it was not measured."""
        return float(np.median(self.times)) if self.times else float("inf")


class Bench:
    """Runs trials of one model.

    Args:
        model: A compiled and built model, within `state_kept`.
        restore: Restores its variables before each run.
        seconds: Seconds of a sample.
        deadline: Time of `clock` after which runs end as soon as possible.
        whole_epochs: As for `Stopwatch`.
        clock: Returns the current time in seconds.
    """

    def __init__(
        self,
        model: keras.Model,
        restore: Callable[[], None],
        seconds: float,
        deadline: float,
        whole_epochs: bool,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.model, self._restore, self._clock = model, restore, clock
        self.sample_seconds, self.deadline = seconds, deadline
        self._whole_epochs = whole_epochs

    def left(self) -> float:
        """Return the seconds until the deadline."""
        return self.deadline - self._clock()

    def sample(self, trial: Trial) -> Stopwatch:
        """Run a `fit` for one sample, and keep its time.

        Raises:
            ValueError: if Keras does not compile the model by XLA.
        """
        watch = Stopwatch(
            self.sample_seconds,
            trial.steps_per_execution,
            whole_epochs=self._whole_epochs,
            steps_per_epoch=trial.fit_arguments.get("steps_per_epoch"),
            deadline=self.deadline,
            clock=self._clock,
        )
        start = self._clock()
        self.fit(trial, EPOCHS, watch)
        took = self._clock() - start
        trial.sample_seconds = took if trial.times else took - (watch.first or 0.0)
        if watch.step_seconds is not None:
            trial.times.append(watch.step_seconds)
        return watch

    def fit(
        self, trial: Trial, epochs: int, *callbacks: keras.callbacks.Callback
    ) -> None:
        """Run a `fit` from the restored state."""
        with warnings.catch_warnings():  # of schedules that end, and the like
            warnings.simplefilter("ignore")
            self._prepare(trial)
            self.model.fit(
                **trial.fit_arguments,
                epochs=epochs,
                verbose=0,
                callbacks=list(callbacks),
            )

    def _prepare(self, trial: Trial) -> None:
        self._restore()
        model, made = self.model, trial.train_function
        model.jit_compile = trial.jit_compile
        model.steps_per_execution = trial.steps_per_execution
        if bool(model.jit_compile) != trial.jit_compile:
            raise ValueError("Keras does not compile this model: see `supports_jit`")
        if made is not None:
            model.train_function = made
            return
        own = vars(model).get("train_step")
        if trial.reads_only:
            vars(model)["train_step"] = _read_only
        try:
            model.make_train_function(force=True)
        finally:
            if trial.reads_only:
                vars(model).pop("train_step")
                vars(model).update({} if own is None else {"train_step": own})
        trial.train_function = model.train_function

    def try_out(self, trial: Trial) -> bool:
        """Compile a trial and take its first sample; return whether that worked."""
        try:
            watch = self.sample(trial)
        except Exception as error:  # whatever a compiler raises
            trial.note, trial.train_function = f"failed: {in_a_line(error)}", None
            return False
        step = watch.step_seconds or 0.0
        steady = step * trial.steps_per_execution
        trial.compile_seconds = max((watch.first or 0.0) - steady, 0.0)
        return bool(trial.times)

    def race(
        self, trials: Sequence[Trial], rounds: int, spare: float = 0.0
    ) -> dict[Trial, float]:
        """Sample trials in turn, in rounds; return a score for each, 1 for the best.

        A round is left out if less than `spare` seconds would be left after it.

        A busy machine slows down neighbours in a round alike. The score is therefore
        the median over the rounds of a trial's share of its round.
        """
        trials = list(dict.fromkeys(trials))
        table = []
        for turn in range(rounds if len(trials) > 1 else 0):
            if self.left() - sum(t.sample_seconds for t in trials) < spare:
                break
            shift = turn % len(trials)
            row: dict[Trial, float] = {}
            for trial in trials[shift:] + trials[:shift]:
                step = self.sample(trial).step_seconds
                row |= {} if step is None else {trial: step}
            if len(row) == len(trials):
                table.append([row[t] for t in trials])
        return scores(trials, table or [[t.step_seconds for t in trials]])


def scores(trials: Sequence[Trial], table: list[list[float]]) -> dict[Trial, float]:
    """Return the median share of each trial in its rounds, 1 for the smallest.

    Args:
        trials: The trials.
        table: A row for each round, with a time for each trial.
    """
    times = np.array(table)
    shares = np.median(times / times.mean(axis=1, keepdims=True), axis=0)
    return dict(zip(trials, (shares / shares.min()).tolist(), strict=True))


def _read_only(*arguments: Any) -> Any:
    """Return logs for a batch without a step; on JAX also the state, unchanged."""
    logs = {"loss": keras.ops.zeros(())}
    return (logs, arguments[0]) if keras.backend.backend() == "jax" else logs


def in_a_line(error: BaseException, longest: int = 100) -> str:
    """Return the first line of an error, cut to a length."""
    text = str(error).strip().partition("\n")[0]
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= longest else f"{text[:longest]}..."
