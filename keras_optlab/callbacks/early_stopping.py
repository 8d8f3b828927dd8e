"""Early stopping."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from keras_optlab.callbacks.arguments import number
from keras_optlab.callbacks.interruption import Callback
from keras_optlab.callbacks.monitor import Patience, infer_mode


class EarlyStopping(Callback):
    """Stops training when a metric no longer improves, and keeps the best weights.

    With mode `"min"`, epoch k improves if

        value_k < best - min_delta,    whereupon best = value_k

    and training stops after `patience` epochs in a row that do not. A NaN never
    improves; an epoch without validation is not counted.

    The best weights are those the model held when the metric was best. `restore_best`
    puts them back whatever the reason training ended for: this criterion, the last
    epoch, another callback, Ctrl-C or an exception in `fit`, before it is caught. The
    optimizer's state is not taken back.

    Under `use_ema=True` the best weights replace the average that Keras ends training
    with, since they are what was evaluated. To evaluate and keep averages, list
    `keras.callbacks.SwapEMAWeights(swap_on_epoch=True)` before this callback.

    Works with every Keras optimizer. A second `fit` starts afresh.

    Args:
        monitor: name of the metric as `fit` reports it.
        patience: epochs without improvement after which training stops; integer >= 0
            (0 acts as 1).
        min_delta: an improvement by this much or less does not count; >= 0, in units of
            the metric.
        mode: `"min"` or `"max"`, whichever is better, or `"auto"`, which infers it from
            the words in the metric's name (loss and error fall, accuracy and AUC rise).
        restore_best: whether to put the best weights back when training ends.
        verbose: 1 prints one line that says why training stopped and what was restored;
            0 prints nothing.

    Attributes:
        best: best value so far, or `None`.
        best_epoch: epoch of the best value, counted from 0 as Keras does, or `None`.
        stopped_epoch: epoch after which this criterion stopped training, or `None`.

    Raises:
        ValueError: if an argument is out of range, or the name of the metric does not
            tell which way it improves and `mode` is `"auto"`.
        TypeError: if an argument is of a wrong type.

    Source:
        Prechelt, "Early Stopping - But When?", 1998, criterion UP.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile("sgd", loss="mse")
        >>> stopping = EarlyStopping("loss", patience=2, min_delta=1e9, verbose=0)
        >>> x, y = np.ones((4, 3)), np.ones((4, 1))
        >>> history = model.fit(x, y, epochs=9, callbacks=[stopping], verbose=0)
        >>> len(history.epoch), stopping.best_epoch, stopping.stopped_epoch
        (3, 0, 2)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best: bool = True,
        verbose: int = 1,
    ) -> None:
        super().__init__()
        if not isinstance(monitor, str):
            raise TypeError(
                "`monitor` must be the name of a metric, such as 'val_loss'. "
                f"Received: monitor={monitor!r}"
            )
        if mode not in ("auto", "min", "max"):
            raise ValueError(
                f"`mode` must be 'auto', 'min' or 'max'. Received: mode={mode!r}"
            )
        self.monitor = monitor
        self.mode = infer_mode(monitor) if mode == "auto" else mode
        self.patience = number(
            "patience", patience, ">= 0", "epochs without improvement", integer=True
        )
        self.min_delta = number(
            "min_delta", min_delta, ">= 0", "smallest improvement that counts"
        )
        self.restore_best = restore_best
        self.verbose = verbose
        self._warned = False
        self._start_afresh()

    @property
    def best(self) -> float | None:
        """Best value so far, or `None`."""
        return None if self.best_epoch is None else self._patience.best

    def _start_afresh(self) -> None:
        self._patience = Patience(self.mode, self.patience, self.min_delta)
        self._best_weights: list[np.ndarray] | None = None
        self.best_epoch: int | None = None
        self.stopped_epoch: int | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget the fit before."""
        super().on_train_begin(logs)
        self._start_afresh()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compare the epoch with the best one."""
        value = self._monitored(logs or {})
        if value is None:
            return
        if self._patience.update(value):
            self.best_epoch = epoch
            if self.restore_best:
                self._best_weights = self.model.get_weights()
        if self._patience.exhausted:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Put the best weights back; Keras has finalized its average by now."""
        self._finish()

    def on_train_interrupted(self) -> None:
        """Put the best weights back."""
        self._finish("Training was interrupted.")

    def _monitored(self, logs: dict[str, Any]) -> float | None:
        if self.monitor not in logs:
            self._warn_missing(sorted(logs))
            return None
        value = np.asarray(logs[self.monitor])
        if value.size != 1:
            raise ValueError(
                "EarlyStopping needs a metric with a single value. Received: "
                f"monitor={self.monitor!r} with shape {value.shape}. Average it, for "
                "instance with the metric's own argument `average='macro'`."
            )
        return float(value.item())

    def _warn_missing(self, known: list[str]) -> None:
        if self._warned or self.best_epoch is not None:
            return
        self._warned = True
        warnings.warn(
            "EarlyStopping waits for a metric that this epoch did not report. "
            f"Received: monitor={self.monitor!r}. Reported: "
            f"{', '.join(map(repr, known))}. Name one of these, or pass "
            "`validation_data` to `fit`; if validation only runs every few epochs "
            "(`validation_freq`), all is well.",
            stacklevel=2,
        )

    def _finish(self, reason: str = "") -> None:
        if self.stopped_epoch is not None:
            reason = (
                f"Stopped after epoch {self.stopped_epoch + 1}: {self.monitor} has not "
                f"improved for {self._patience.waited} epochs."
            )
        said = ["EarlyStopping:", reason] if reason else ["EarlyStopping:"]
        if self._best_weights is not None:
            self.model.set_weights(self._best_weights)
            self._best_weights = None
            said.append("Restored the weights of the best epoch,")
        elif self.best_epoch is not None:
            said.append("The best epoch was")
        if self.best_epoch is not None:
            said.append(f"{self.best_epoch + 1} ({self.monitor} {self.best:.6g}).")
        if self.verbose and len(said) > 1:
            print(*said)
