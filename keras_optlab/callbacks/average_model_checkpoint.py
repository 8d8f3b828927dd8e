"""Checkpoints of averaged weights."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_optlab.callbacks.base.atomic_files import write_atomically
from keras_optlab.callbacks.base.metric import MODES
from keras_optlab.callbacks.base.optimizer_access import OptimizerAccess
from keras_optlab.callbacks.base.serializable import Serializable
from keras_optlab.core.arguments import (
    choice,
    flag,
    local_path,
    metric_name,
    number,
    optional_number,
    verbosity,
)
from keras_optlab.core.errors import shown
from keras_optlab.engine.backend.keras_adapter import (
    Checkpoint,
    averages_of,
    inner_optimizer,
)
from keras_optlab.engine.update.other_statistics import averaged_statistics

Pairs = list[tuple[Any, Any]]


class AverageModelCheckpoint(OptimizerAccess, Serializable, Checkpoint):
    """`keras.callbacks.ModelCheckpoint` that saves the averages of `use_ema=True`.

    The file contains, in place of every weight w, its moving average

        a = ema_momentum * a + (1 - ema_momentum) * w    (after each step)

    Statistics of normalization layers are saved as averages too if the optimizer is one
    of this package; other weights without an average as they are. The metrics are those
    of the evaluated weights; to evaluate the averages, list
    `keras.callbacks.SwapEMAWeights()`, without `swap_on_epoch`.

    A file is first written to a temporary directory and then replaces the previous one:
    a full disk or an interruption loses the new file only.

    Works with every Keras optimizer, also a stock one. Optimizers that separate
    training weights from evaluation weights, such as `ScheduleFreeAdamW` and `EMA`, do
    not need it: `keras.callbacks.ModelCheckpoint` saves the evaluation weights.

    Args:
        update_weights: whether training continues from the averages. `False` restores
            the weights after each checkpoint.
        filepath: as in `keras.callbacks.ModelCheckpoint`, like those below up to
            `initial_value_threshold`.
        monitor: name of the metric for `save_best_only`.
        verbose: 1 prints a line for each checkpoint; 0 prints nothing.
        save_best_only: whether to write a file only if the metric is the best so far.
            With `update_weights` the model gets the averages in any case.
        save_weights_only: whether to save weights (`.weights.h5`), not models
            (`.keras`).
        mode: `"min"`, `"max"` or `"auto"`.
        save_freq: `"epoch"`, or batches between two checkpoints; integer >= 1.
        initial_value_threshold: the metric must be better than this to be the best.
        optimizer: the optimizer that averages, if a custom training step uses another
            one than the model's; `None` is the model's.

    Raises:
        TypeError: if an argument has a wrong type.
        ValueError: if an argument is out of range; in `fit`, before training, if the
            optimizer keeps no averages.

    Warns:
        UserWarning: once, if the optimizer takes no step before a checkpoint.

    Source:
        Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging",
        1992; `tensorflow_addons.callbacks.AverageModelCheckpoint`.

    Differs from Addons: the averages are those of `use_ema=True`, not of a wrapper
    around the optimizer.

    Example:
        >>> import numpy as np, tempfile
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(use_ema=True), loss="mse")
        >>> x, y = np.ones((4, 3)), np.ones((4, 1))
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = os.path.join(directory, "model-{epoch}.keras")
        ...     checkpoint = AverageModelCheckpoint(False, path)
        ...     history = model.fit(x, y, callbacks=[checkpoint], verbose=0)
        ...     os.listdir(directory)
        ['model-1.keras']
    """

    useless = "the averages are the weights from before the training"
    hints = {
        "path": "Write `filepath`.",
        "period": "Write `save_freq`: 'epoch', or batches between two checkpoints.",
    }

    def __init__(
        self,
        update_weights: bool,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        *,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        if isinstance(save_freq, str) and save_freq != "epoch":
            raise ValueError(
                "`save_freq` must be 'epoch', or an integer >= 1. "
                f"Received: save_freq={shown(save_freq)}"
            )
        if not isinstance(save_freq, str):
            doc = "batches between two checkpoints, or 'epoch'"
            save_freq = number("save_freq", save_freq, ">= 1", doc, integer=True)
        threshold = "initial_value_threshold", initial_value_threshold
        super().__init__(
            local_path("filepath", filepath),
            monitor=metric_name(monitor),
            verbose=verbosity(verbose),
            save_best_only=flag("save_best_only", save_best_only),
            save_weights_only=flag("save_weights_only", save_weights_only),
            mode=choice("mode", mode, MODES),
            save_freq=save_freq,
            initial_value_threshold=optional_number(
                *threshold, "(-inf, inf)", "value to be better than"
            ),
        )
        self.set_optimizer(optimizer)
        self.update_weights = flag("update_weights", update_weights)
        self._current_epoch = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Raise if the optimizer keeps no averages."""
        super().on_train_begin(logs)
        self.watch_for_steps()
        self._current_epoch = 0
        optimizer = self.optimizer
        if averages_of(optimizer) is not None:
            return
        ours = self.our_optimizer
        if ours is not None and ours.has_evaluation_weights:
            raise ValueError(
                "AverageModelCheckpoint saves the averages of `use_ema=True`. "
                f"Received: {optimizer!r}, which itself writes evaluation weights into "
                "the model. Use `keras.callbacks.ModelCheckpoint`, which saves the "
                "evaluation weights."
            )
        raise ValueError(
            "AverageModelCheckpoint needs an optimizer that averages the weights. "
            f"Received: {optimizer!r}. Construct it with `use_ema=True`."
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save a checkpoint if it is due."""
        super().on_epoch_end(epoch, logs)
        self._current_epoch = epoch + 1  # for loops without `on_epoch_begin`

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Write the averages into the model; restore it unless `update_weights`.

        An exception restores all weights in any case.
        """
        self.warn_of_no_step()
        pairs = averages_of(self.optimizer) or []
        numpy = keras.ops.convert_to_numpy  # a copy: JAX may donate a shared buffer
        weights = [(weight, numpy(weight)) for weight, _ in pairs]
        averages = [(weight, numpy(average)) for weight, average in pairs]
        statistics = averaged_statistics(inner_optimizer(self.optimizer))
        weights += [(v, numpy(v)) for v, _ in statistics]
        averages += statistics
        stays = False
        try:
            _assign(averages)
            yield
            stays = self.update_weights
        finally:
            if not stays:
                _assign(weights)

    def write(self, save: Callable[..., None], path: str) -> None:
        """Write a file that replaces the previous one only when it is complete."""
        write_atomically(save, path)


def _assign(values: Pairs) -> None:
    """Write all values; after an exception, write all once more and re-raise."""
    try:
        for variable, value in values:
            variable.assign(value)
    except BaseException:
        for variable, value in values:
            variable.assign(value)
        raise
