"""`find_rate`: a range of learning rates for a compiled model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_optlab.core.errors import shown
from keras_optlab.engine.backend.datasets import batches_again
from keras_optlab.engine.backend.generators import generator_states, set_back
from keras_optlab.engine.backend.replicas import is_distributed
from keras_optlab.engine.backend.trainer_adapter import compiled_parts, symbolic_build
from keras_optlab.engine.model.snapshot import state_kept
from keras_optlab.finders.arguments import checked
from keras_optlab.finders.data import check_arrays
from keras_optlab.finders.driven_value import (
    RATE,
    DrivenValue,
    default_span,
    find_value,
)
from keras_optlab.finders.range_test import RangeTest, draw_from, full_batches
from keras_optlab.finders.rate_range import RateRange


def find_rate(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    batch_size: int | None = None,
    lowest: float | None = None,
    highest: float | None = None,
    steps: int = 100,
    runs: int = 3,
    seed: int = 0,
    name: str = RATE,
    monitor: str = "loss",
    steps_per_epoch: int | None = None,
) -> RateRange:
    r"""Find a range of learning rates for a compiled model by exponential range tests.

    A run trains the model for some updates. Before update $i$ of $n$ the rate is set to

    $$\eta_i = \eta_{\text{low}}
        (\eta_{\text{high}} / \eta_{\text{low}})^{i / (n - 1)}$$

    and ends early where the loss is not finite, or has risen above twice its start.
    Each run begins with the model's present state and has another order of batches. Its
    losses are smoothed by a moving average with bias correction ($\beta = 0.8$), and
    the mean over the runs is the curve.

    The *range* is from 1/9 to 3.3 times the knee: the rate at which the curve has first
    made 4/5 of its fall. Its ends are a factor of 29.7 apart. The two factors were
    chosen so that the range holds the best constant rate of SGD, Adam, Lion and Muon on
    a convolutional network and a regression (`benchmarks/rate_finder.py`). The default
    suggestion is a third of the knee.

    The *confidence* is the overlap of the ranges that the runs give one by one: the
    length common to all, over that of their union, on the logarithmic axis; times the
    share of the runs whose own loss fell by two standard errors. It says how far chance
    in the batches changes the range, not how good its rates are.

    Nothing is found if the curve never falls by four standard errors; if the loss is
    not finite at once, falls at the lowest rate already, or is still falling at the
    highest; or if the ranges of the runs have nothing in common.

    However the search ends, by an error, Ctrl-C or NaN too, everything is as before to
    the last bit: weights, statistics, seeds, metrics, the optimizer's state and its
    rate, the random generators of Python, NumPy, TensorFlow, torch and Keras. A model
    or an optimizer that was not built is built. No callback runs.

    Args:
        model: The compiled model, with any Keras optimizer. A schedule is replaced by
            the rates of the search. Groups keep their factors.
        x: Inputs, or data, in any form that `fit` takes and that can be read again:
            arrays, a `tf.data.Dataset`, a PyDataset, a torch DataLoader; no generator.
            Smaller last batches are left out. State of a user's data set beside its
            random generators, such as an open file, is not put back.
        y: Targets.
        sample_weight: Sample weights, as in `fit`.
        class_weight: Class weights, as in `fit`.
        batch_size: Samples in a batch of arrays; `None` is 32. Use that of the
            training: the best rate depends on it.
        lowest: Lowest rate, > 0. Defaults to 1/10,000 of the default rate of the
            optimizer's class.
        highest: Highest rate, above `lowest`. Defaults to 10,000 times this default.
        steps: Updates of a run, [20, 10,000]; with gradient accumulation each of
            several batches.
        runs: Number of runs, >= 1. More find smaller falls.
        seed: Seed of the order of the batches; integer >= 0.
        name: Hyperparameter to search, if not the rate: any adjustable number of a
            keras_optlab optimizer, such as `"weight_decay"`. The range then ends at the
            value with the lowest loss, above which the value does harm; `lowest` and
            `highest` must be given.
        monitor: Name of the loss in the logs of the model's `train_step`.
        steps_per_epoch: As in `fit`: batches of arrays, if there is no `batch_size`.

    Returns:
        A `RateRange`.

    Raises:
        TypeError: if `model` is not a model, an argument is of a wrong type, or only an
            optimizer of keras_optlab could change the hyperparameter.
        AttributeError: if there is no such hyperparameter.
        ValueError: if the model is not compiled, has nothing to train or is trained by
            a `tf.distribute` strategy; if the data cannot be read again; if an argument
            is out of range.

    Source: Smith, 2015, arXiv:1506.01186, for the test; Howard and Gugger, fastai,
    2018 to 2021, for `minimum/10`, `steepest`, `valley` and `slide`. Differs from
    fastai and Lightning: several runs, a range with a confidence, a refusal where the
    curve says nothing, and everything put back.

    >>> import keras, keras_optlab, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(512, 4))
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile(keras_optlab.optimizers.SGD(), "mse")
    >>> result = keras_optlab.find_rate(model, x, x @ [1.0, 2.0, 3.0, 4.0], steps=60)
    >>> result.low < 0.1 < result.high
    True
    """
    check_model("find_rate", model)
    check_arrays("find_rate", model, x, y, sample_weight)
    given = checked(
        monitor, lowest=lowest, highest=highest, steps=steps, runs=runs, seed=seed
    )
    low, high = given["lowest"], given["highest"]
    if low is None or high is None:
        low, high = _span(model, name, low, high)
    value = find_value(model, name)
    _check_legal(value, low, high)
    again = batches_again(x, y, sample_weight, batch_size, steps_per_epoch)
    values = np.geomspace(low, high, given["steps"])
    test = RangeTest(model, value, values, again, class_weight, monitor)
    unbuild = compiled_parts(model)
    try:
        build_model("find_rate", model, again, x)
        with state_kept(model, x) as snapshot:
            snapshot.undo.append(value.end)
            value.begin(low)
            losses = test.runs(snapshot, given["runs"], given["seed"])
    finally:
        unbuild()
    return RateRange(model, name, values, losses)


def check_model(who: str, model: Any) -> None:
    """Raise for `who` unless the model is compiled and can be trained here."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"{who} takes a keras.Model. Received: model={shown(model)}")
    if not model.compiled or model.optimizer is None:
        raise ValueError(
            f"{who} needs a compiled model with an optimizer. Received: a model "
            "without one. Call `model.compile(optimizer, loss)` first."
        )
    if model.built and not model.trainable_variables:
        raise ValueError(
            f"{who} needs trainable weights. Received: a model without any. "
            "Set `trainable = True` on a layer."
        )
    if is_distributed(model):
        raise ValueError(
            f"{who} does not support `tf.distribute` strategies. Received: a model "
            "that a strategy trains. Use a model made outside of it."
        )


def _span(model: Any, name: str, low: Any, high: Any) -> tuple[Any, Any]:
    """Return the ends, with the default of those that are `None`."""
    if name != RATE:
        raise ValueError(
            f"A search for {name!r} needs both ends of the values to try. "
            f"Received: lowest={shown(low)}, highest={shown(high)}"
        )
    first, last = default_span(model)
    return first if low is None else low, last if high is None else high


def _check_legal(value: DrivenValue, low: float, high: float) -> None:
    if low >= high or low not in value.legal or high not in value.legal:
        raise ValueError(
            f"`lowest` must be below `highest`, and both in {value.legal.text}. "
            f"Received: lowest={shown(low)}, highest={shown(high)}"
        )


def build_model(who: str, model: Any, again: Any, data: Any) -> None:
    """Build the model, its metrics and its optimizer for the first batch."""
    states = generator_states(data)
    draw_from(0)
    try:
        batch = keras.tree.map_structure(_as_array, next(full_batches(again)))
    finally:
        set_back(states)  # the weights are drawn as by `fit`
    try:
        symbolic_build(model, batch)
    except Exception:
        # On TensorFlow, `fit` builds in its first step, as the search can.
        if keras.backend.backend() != "tensorflow":
            raise
    check_model(who, model)


def _as_array(x: Any) -> Any:
    return x if x is None or hasattr(x, "shape") else np.asarray(x)
