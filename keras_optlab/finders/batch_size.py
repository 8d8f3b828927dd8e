"""`find_batch_size`: the smallest batch size with nearly the highest throughput."""

from __future__ import annotations

import time
from typing import Any

import keras

from keras_optlab.core.arguments import number
from keras_optlab.engine.backend.memory import memory_of
from keras_optlab.engine.model.snapshot import state_kept
from keras_optlab.finders.arguments import check_compiled
from keras_optlab.finders.batch_size_result import BatchSizeResult
from keras_optlab.finders.batch_size_search import BatchSizeSearch
from keras_optlab.finders.building import build
from keras_optlab.finders.data import Arrays, check_arrays, is_in_arrays
from keras_optlab.finders.trials import Bench

SAMPLE = 1 / 200  # share of the time for one sample
BATCH = "examples in a step"


def find_batch_size(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    smallest: int = 8,
    largest: int | None = None,
    tolerance: float = 0.1,
    memory_limit: float = 0.8,
    seconds: float = 60.0,
) -> BatchSizeResult:
    """Find the smallest batch size with nearly the highest throughput.

    Runs `fit` with `smallest`, twice as much, and so on, and measures

        throughput(b) = b / seconds of a step with b examples

    and the peak memory. The result is the smallest size whose throughput is at least
    1 - `tolerance` times the highest (the knee of the curve). It has then been run for
    ten more steps. Only sizes that ran without an error are proposed.

    The sizes end at the number of examples, at `largest`, at an out-of-memory error, at
    a size whose memory would exceed `memory_limit` (extrapolated in proportion from the
    size before), at the time limit, or where two doublings have not raised the
    throughput by 5%. If `smallest` runs out of memory, smaller sizes are tried.

    The model is left as it is, bit by bit, in every case: weights, optimizer, metrics,
    counters, seeds, and the compiled train function. No callbacks run.

    The learning rate is not changed. There are rules of thumb for it: times k for SGD
    (Goyal et al., 2017, arXiv:1706.02677) or times the square root of k for Adam
    (Malladi et al., 2022, arXiv:2205.10782) if the batch size is times k. They hold in
    some trainings, up to some size; measure the rate again instead.

    Args:
        model: A compiled model. Its `jit_compile` and `steps_per_execution` are used.
        x: Inputs: an array, or a list or dict of arrays; the first axis is the example.
            Data in batches are refused.
        y: Targets, like the inputs.
        sample_weight: Weights of the examples, or `None`.
        smallest: First size to run; integer >= 1.
        largest: Largest size to run; integer >= `smallest`, `None` is the number of
            examples.
        tolerance: Share of the highest throughput to give up for a smaller size; in
            [0, 1).
        memory_limit: Share of the memory that may be used, in (0, 1], or bytes, > 1.
            On a GPU, its memory counts, as far as the backend tells how much it has. On
            a CPU, the resident memory of the process, with libraries and data, plus
            what the system and its container have left.
        seconds: Time limit, > 0. The verification comes after it, and the compilation
            or step that runs then is not interrupted.

    Returns:
        A `BatchSizeResult`: `batch_size`, `throughput`, `table()` and `plot()`.

    Raises:
        TypeError: if the model or the data are of the wrong kind.
        ValueError: if the model is not compiled, a number is out of range, or the
            numbers of examples differ.
        MemoryError: if no size runs, not even 1.

    Differs from Lightning's `scale_batch_size`, which looks for the largest size that
    fits: the throughput ends to grow far earlier, and the largest size fails when the
    memory is fragmented.

    Example:
        >>> import keras, keras_optlab as kol, numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x, y = np.ones((64, 2)), np.ones((64, 1))
        >>> found = kol.find_batch_size(model, x, y, smallest=16, seconds=1)
        >>> found.batch_size in found.throughput
        True
    """
    clock = time.perf_counter
    start = clock()
    check_compiled("find_batch_size", model)
    if not is_in_arrays(x):
        raise TypeError(
            "`find_batch_size` makes batches itself, so it takes arrays, or lists or "
            f"dicts of arrays. Received: x of type {type(x).__name__}. Of a "
            "tf.data.Dataset, pass some thousand examples: "
            "`*arrays, = next(iter(dataset.unbatch().batch(4096)))`, then "
            "`find_batch_size(model, *arrays)`."
        )
    check_arrays("find_batch_size", model, x, y, sample_weight)
    data = Arrays(x, y, sample_weight)
    smallest = number("smallest", smallest, ">= 1", BATCH, integer=True)
    least = min(smallest, data.size)
    if largest is not None:
        largest = number("largest", largest, f">= {smallest}", BATCH, integer=True)
    tolerance = number("tolerance", tolerance, "[0, 1)", "throughput to give up")
    limit = number("memory_limit", memory_limit, "> 0", "share of memory, or bytes")
    seconds = number("seconds", seconds, "> 0", "time limit")
    arguments = {**data.first(data.size), "batch_size": 1}
    build(model, lambda: data.batch(1), arguments)
    with state_kept(model) as kept:
        variables = model.trainable_variables or model.variables
        bench = Bench(
            model, kept.put_back, seconds * SAMPLE, start + seconds, False, clock
        )
        search = BatchSizeSearch(bench, data, memory_of(variables[0]), limit, tolerance)
        search.run(least, min(largest or data.size, data.size))
    return BatchSizeResult(search, clock() - start)
