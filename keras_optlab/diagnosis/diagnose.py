"""`diagnose`: what is wrong with a training, in words."""

from __future__ import annotations

import os
from typing import Any

import keras

from keras_optlab.callbacks import Monitor
from keras_optlab.core.errors import shown
from keras_optlab.diagnosis.findings import Diagnosis, Finding, NotJudged
from keras_optlab.diagnosis.from_fit import read_history, read_monitor
from keras_optlab.diagnosis.from_log import read_log
from keras_optlab.diagnosis.probe import probe
from keras_optlab.diagnosis.record import Record
from keras_optlab.diagnosis.rules import RULES


def diagnose(
    source: keras.callbacks.History | Monitor | keras.Model | str | os.PathLike[str],
    x: Any = None,
    y: Any = None,
    *,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
) -> Diagnosis:
    """Say what is wrong with a training: from its record, or by a short probe.

    The record of a training is a Keras History, a `Monitor`, or the `log_dir` of a
    `TensorBoard` of this package. A History has the metrics only; with a `Monitor` also
    layers, clipping and the rate are judged.

    A probe trains the compiled model for `steps` steps with its own optimizer,
    whichever it is, and measures the gradient and the change of each weight at some of
    them. Where the rate looks wrong, it repeats the steps at other rates. However it
    ends, the model, its optimizer and all random generators are as before to the last
    bit. No callback runs.

    `docs/diagnosis.md` lists the rules with their limits.

    Args:
        source: The record of a training, or a compiled model.
        x: With a model: inputs, or data in any form that `fit` takes and that can be
            read again.
        y: Targets.
        sample_weight: Sample weights, as in `fit`.
        batch_size: Samples in a batch of arrays; `None` is 32. Use that of the
            training.
        steps: Updates of the probe, [20, 10,000]. Defaults to 50.
        seed: Seed of the order of the batches; integer >= 0. Defaults to 0.

    Returns:
        A `Diagnosis`, a list of `Finding`s, which prints as text. It is empty if
        nothing was found. It also says what could not be judged, and why.

    Raises:
        TypeError: if `source` is none of these, or data come with a record.
        ValueError: if a model is not compiled, or there are no data for it; if the
            record is empty; if an argument is out of range.
        ImportError: if a log is to be read and `tensorboard` is not installed.

    >>> import keras, numpy as np
    >>> import keras_optlab as kol
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> model.compile(kol.optimizers.SGD(0.1), "mse")
    >>> x = np.random.default_rng(0).normal(size=(64, 3))
    >>> history = model.fit(1e3 * x, x.sum(axis=1), epochs=5, verbose=0)
    >>> print(kol.diagnose(history)[0].rule)
    diverged
    """
    data = {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size}
    data |= {"steps": steps, "seed": seed}
    given = {k: v for k, v in data.items() if v is not None}
    if isinstance(source, keras.Model):
        return judge(probe(source, **given))
    if given:
        raise TypeError(
            "`kol.diagnose` takes data with a model only. Received: "
            f"{type(source).__name__} and {', '.join(f'`{k}`' for k in given)}. Pass "
            "either the record of a training, or the compiled model with its data."
        )
    return judge(_read(source))


def judge(record: Record) -> Diagnosis:
    """Return what all rules say of a record."""
    verdicts = {rule.name: rule.judge(record) for rule in RULES}
    return Diagnosis(
        [v for v in verdicts.values() if isinstance(v, Finding)],
        [k for k, v in verdicts.items() if not isinstance(v, NotJudged)],
        {k: v.why for k, v in verdicts.items() if isinstance(v, NotJudged)},
    )


def _read(source: Any) -> Record:
    if isinstance(source, keras.callbacks.History):
        record, empty = read_history(source), not source.history
    elif isinstance(source, Monitor):
        record, empty = read_monitor(source), not source.rows
    elif isinstance(source, str | os.PathLike):
        return read_log(source)
    else:
        raise TypeError(
            "`kol.diagnose` takes a Keras History, a kol.callbacks.Monitor, the "
            "log_dir of a kol.callbacks.TensorBoard, or a compiled model with data. "
            f"Received: source={shown(source)}. `model.fit` returns a History."
        )
    if empty:
        raise ValueError(
            "The record must be of a training. Received: a "
            f"{type(source).__name__} without values. Train at least one epoch first."
        )
    return record
