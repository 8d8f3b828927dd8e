"""Checkpoints of averaged weights."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import keras

from keras_optlab.callbacks.serializable import Serializable
from keras_optlab.engine.seam import Checkpoint, averages_of


class AverageModelCheckpoint(Serializable, Checkpoint):
    """`keras.callbacks.ModelCheckpoint` of the averages that `use_ema=True` keeps.

    What is saved has, in place of every weight w, its average

        a = ema_momentum * a + (1 - ema_momentum) * w    (after each step)

    Weights that have none, such as the statistics of batch normalization, are saved as
    they are. The metrics are those of the weights that were evaluated; list
    `keras.callbacks.SwapEMAWeights()`, without `swap_on_epoch`, to evaluate averages.

    Works with every Keras optimizer, also a stock one.

    Args:
        update_weights: whether training goes on from the averages. `False` puts the
            weights of the training back after each checkpoint.
        filepath: as for `keras.callbacks.ModelCheckpoint`, as all that follow.
        monitor: name of the metric for `save_best_only`.
        verbose: 1 says what is saved; 0 prints nothing.
        save_best_only: whether a file is written only if the metric is the best so far.
            With `update_weights` the model gets the averages in any case.
        save_weights_only: whether to save weights (`.weights.h5`), not models
            (`.keras`).
        mode: `"min"`, `"max"` or `"auto"`.
        save_freq: `"epoch"`, or batches between two checkpoints; integer >= 1.
        initial_value_threshold: the metric must be better than this to be the best.

    Raises:
        ValueError: if Keras refuses an argument; in `fit`, before training, if the
            optimizer keeps no averages.

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
    ) -> None:
        super().__init__(
            filepath,
            monitor=monitor,
            verbose=verbose,
            save_best_only=save_best_only,
            save_weights_only=save_weights_only,
            mode=mode,
            save_freq=save_freq,
            initial_value_threshold=initial_value_threshold,
        )
        self.update_weights = update_weights

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Refuse an optimizer without averages."""
        super().on_train_begin(logs)
        optimizer = self.model.optimizer
        if averages_of(optimizer) is None:
            raise ValueError(
                "AverageModelCheckpoint needs an optimizer that averages the weights. "
                f"Received: {optimizer!r}. Construct it with `use_ema=True`."
            )

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Put the averages into the model, and perhaps the weights back."""
        averages = averages_of(self.model.optimizer) or []
        numpy = keras.ops.convert_to_numpy  # JAX donates a buffer that two share
        weights = [(weight, numpy(weight)) for weight, _ in averages]
        for weight, average in averages:
            weight.assign(numpy(average))
        try:
            yield
        finally:
            if not self.update_weights:
                for weight, value in weights:
                    weight.assign(value)
