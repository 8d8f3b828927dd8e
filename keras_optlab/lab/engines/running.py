"""Running many trials: order, retries, Ctrl-C."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from keras_optlab.lab.engines.engine import Engine, Function, WorkerDied
from keras_optlab.lab.engines.interrupts import Interrupts
from keras_optlab.lab.trials.trial import Trial

MOST_DEATHS = 2  # of workers that a trial had for itself, before it is given up

Record = dict[str, Any]


class Running:
    """Trials that run on an engine.

    A trial whose worker dies is run again. Where one death ends all running trials,
    they are then run one at a time, which shows the one that is to blame. It is
    recorded as failed after two more deaths.

    Args:
        engine: Where to run.
        function: Takes a trial and what `arguments` returns, and returns its record.
        arguments: Returns more arguments of the function, when a trial is started.
        keep: Called with each record.
    """

    def __init__(
        self,
        engine: Engine,
        function: Function,
        keep: Callable[[Record], None],
        arguments: Callable[[Trial], tuple[Any, ...]] = lambda trial: (),  # noqa: ARG005
    ) -> None:
        self._engine, self._function, self._keep = engine, function, keep
        self._arguments = arguments
        self._futures: dict[Future[Record], Trial] = {}
        self._again: deque[Trial] = deque()
        self._deaths: dict[str, int] = {}

    @property
    def trials(self) -> list[Trial]:
        """The trials that run or wait to be run again."""
        return [*self._futures.values(), *self._again]

    def run(self, trials: Iterable[Trial]) -> None:
        """Run trials and keep the record of each.

        After Ctrl-C, no further trial is started, and those that run are waited for. A
        second Ctrl-C ends them.

        Args:
            trials: Drawn one by one, when a worker is free.

        Raises:
            KeyboardInterrupt: after Ctrl-C.
        """
        coming = iter(trials)
        try:
            with Interrupts() as interrupts:
                while not interrupts.asked and self._start(coming) or self._futures:
                    self._collect()
            if interrupts.asked:
                raise KeyboardInterrupt
        except BaseException:
            self._engine.close()
            raise

    def _start(self, coming: Iterator[Trial]) -> bool:
        """Start trials on the free workers; return whether one was started."""
        started = False
        while len(self._futures) < self._room():
            trial = self._again.popleft() if self._again else next(coming, None)
            if trial is None:
                break
            arguments = self._arguments(trial)
            future = self._engine.submit(self._function, trial, *arguments)
            self._futures[future] = trial
            started = True
        return started

    def _room(self) -> int:
        """Return how many trials may run at once: one, after all of them died."""
        running = self._futures.values()
        suspects = self._again or any(t.key in self._deaths for t in running)
        return 1 if suspects and self._engine.loses_all else self._engine.workers

    def _collect(self) -> None:
        """Wait for trials, keep their records, and queue those whose worker died."""
        done, _ = wait(self._futures, return_when=FIRST_COMPLETED)
        died = False
        for future in done:
            trial = self._futures.pop(future)
            error = future.exception()
            if isinstance(error, WorkerDied):
                died = True
                self._queue_again(trial, str(error))
            elif error is not None:
                self._keep(failed(trial, f"{type(error).__name__}: {error}"))
            else:
                self._keep(future.result())
        if died:
            self._engine.restart()

    def _queue_again(self, trial: Trial, why: str) -> None:
        deaths = self._deaths.get(trial.key, -1) + 1
        self._deaths[trial.key] = deaths
        if deaths < MOST_DEATHS:
            self._again.append(trial)
        else:
            why = f"its worker died {deaths + 1} times; the last time: {why}"
            self._keep(failed(trial, why))


def failed(trial: Trial, error: str) -> Record:
    """Return the record of a trial that could not be run."""
    return trial.as_dict() | {"status": "failed", "error": error}
