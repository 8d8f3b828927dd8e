"""`tune_execution`: the fastest way to execute the steps of a model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import keras

from keras_optlab.core.arguments import flag, number
from keras_optlab.core.errors import shown
from keras_optlab.engine.model.snapshot import state_kept
from keras_optlab.finders.arguments import candidates, check_compiled
from keras_optlab.finders.building import build
from keras_optlab.finders.data import (
    Arrays,
    check_arrays,
    check_batched,
    first_batch,
    is_in_arrays,
    length,
)
from keras_optlab.finders.execution_result import ExecutionResult
from keras_optlab.finders.execution_search import ExecutionSearch
from keras_optlab.finders.trials import Bench

SAMPLE = 1 / 200  # share of the time for one sample
EPOCH = 4  # executions in an epoch, or whole epochs are measured
ENOUGH = 256  # steps for which arrays are kept: more than a sample of small models


def tune_execution(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    steps_per_execution: Sequence[int] = (1, 4, 8, 16, 32),
    jit_compile: bool | None = None,
    seconds: float = 60.0,
) -> ExecutionResult:
    """Find the arguments of `compile` with which `fit` takes the shortest steps.

    Times `fit` on the model and the data with and without `jit_compile`, with several
    `steps_per_execution`, and reading the data alone:

        step seconds = time between the begins of two executions / steps between them

    Candidates take turns, round by round, and the slower half is dropped after some
    rounds. The winner is the simplest candidate within 3% of the fastest: fewer steps
    per execution, and `jit_compile` as it is. What compilation costs is measured apart,
    with the number of steps after which it has paid off.

    The model is left as it is, bit by bit, in every case: weights, optimizer, metrics,
    counters, seeds, and the compiled train function. A shuffled `tf.data.Dataset` has
    been read, though, and gives another order next. No callbacks run.

    With `steps_per_execution=n`, callbacks see only every n-th batch, and
    `steps_per_epoch` is rounded up to a multiple of n. If a callback of yours needs
    every batch, pass `steps_per_execution=[1]`.

    Args:
        model: A compiled model.
        x: Inputs: arrays as in `fit`, or a `tf.data.Dataset`, a
            `keras.utils.PyDataset` or a DataLoader of torch. Generators are refused,
            as they cannot be read again.
        y: Targets, with inputs in arrays.
        sample_weight: Weights of the examples, with inputs in arrays.
        batch_size: Examples in a step, with inputs in arrays; integer >= 1, `None` is
            32, as in `fit`.
        steps_per_epoch: As in `fit`; needed for data of unknown length.
        steps_per_execution: Candidates, integers >= 1. Those above the steps of an
            epoch are left out, on torch all but 1.
        jit_compile: `True` or `False` allows only this; `None` tries both. On JAX,
            steps without compilation are tried once. On torch, `True` is
            `torch.compile`.
        seconds: Time limit, > 0. A compilation cannot be interrupted, so the last one
            may end later.

    Returns:
        An `ExecutionResult`: `compile_arguments`, `fit_arguments`, `table()`,
        `data_bound`, `advice` and `apply()`.

    Raises:
        TypeError: if the model or the data are of the wrong kind.
        ValueError: if the model is not compiled, a number is out of range, the numbers
            of examples differ, or the length of the data is not known.

    Example:
        >>> import keras, keras_optlab as kol, numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x, y = np.ones((64, 2)), np.ones((64, 1))
        >>> tuned = kol.tune_execution(
        ...     model, x, y, steps_per_execution=[1], jit_compile=False, seconds=1
        ... )
        >>> tuned.compile_arguments
        {'jit_compile': False, 'steps_per_execution': 1}
        >>> tuned.apply()  # or model.compile(..., **tuned.compile_arguments)
        >>> history = model.fit(**tuned.fit_arguments, epochs=1, verbose=0)
    """
    clock = time.perf_counter
    start = clock()
    check_compiled("tune_execution", model)
    check_arrays("tune_execution", model, x, y, sample_weight)
    seconds = number("seconds", seconds, "> 0", "time limit")
    steps = candidates("steps_per_execution", steps_per_execution, ">= 1", "steps")
    jit_compile = None if jit_compile is None else flag("jit_compile", jit_compile)
    if keras.backend.backend() == "torch":
        steps = [1]
    data = _Data(x, y, sample_weight, batch_size, steps_per_epoch)
    steps = [n for n in steps if n <= data.steps] or [1]
    whole_epochs = data.steps < EPOCH * max(*steps, model.steps_per_execution)
    timed = (
        data.given if whole_epochs else data.part(max(ENOUGH, 2 * EPOCH * max(steps)))
    )
    build(model, data.batch, data.given)
    with state_kept(model) as kept:
        bench = Bench(
            model, kept.put_back, seconds * SAMPLE, start + seconds, whole_epochs, clock
        )
        search = ExecutionSearch(bench, timed, steps, jit_compile)
        search.run()
    return ExecutionResult(model, search, data.given, clock() - start)


class _Data:
    """The data as arguments of `fit`.

    Attributes:
        given: All data.
        steps: Steps in an epoch.
    """

    def __init__(
        self, x: Any, y: Any, sample_weight: Any, batch_size: Any, steps_per_epoch: Any
    ) -> None:
        self._arrays: Arrays | None = None
        self._x = x
        if steps_per_epoch is not None:
            doc = "steps in an epoch"
            steps_per_epoch = number(
                "steps_per_epoch", steps_per_epoch, ">= 1", doc, integer=True
            )
        if is_in_arrays(x):
            doc = "examples in a step"
            size = 32 if batch_size is None else batch_size
            self._batch = number("batch_size", size, ">= 1", doc, integer=True)
            self._arrays = Arrays(x, y, sample_weight)
            self.given = self._arrays.first(self._arrays.size)
            self.given["batch_size"] = self._batch
            steps: int | None = -(-self._arrays.size // self._batch)
        else:
            alone = {"y": y, "sample_weight": sample_weight, "batch_size": batch_size}
            check_batched("tune_execution", x, **alone)
            self.given, steps = {"x": x}, length(x)
        if steps_per_epoch is not None:
            self.given["steps_per_epoch"], steps = steps_per_epoch, steps_per_epoch
        if steps is None:
            raise ValueError(
                "The length of the data is not known, so that the steps of an epoch "
                f"cannot be counted. Received: x={shown(x)}. Pass `steps_per_epoch`."
            )
        self.steps = steps

    def part(self, steps: int) -> dict[str, Any]:
        """Return full batches for so many steps, if the data are arrays.

        TensorFlow copies all arrays in each `fit`.
        """
        if self._arrays is None or "steps_per_epoch" in self.given:
            return self.given
        full = self._arrays.size // self._batch
        part = self._arrays.first(min(full, steps) * self._batch)
        return part | {"batch_size": self._batch}

    def batch(self) -> Any:
        """Return a first batch."""
        if self._arrays is None:
            return first_batch(self._x)
        return self._arrays.batch(self._batch)
