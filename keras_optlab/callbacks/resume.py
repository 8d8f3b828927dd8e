"""Going on with an interrupted `fit`."""

from __future__ import annotations

import os
import signal
import time
import warnings
from typing import Any

import keras

from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.callbacks.base.messages import print_message
from keras_optlab.core.arguments import (
    choice,
    local_path,
    number,
    optional_number,
    verbosity,
)
from keras_optlab.engine import fit_arguments, set_first_epoch
from keras_optlab.resuming.checkpoints import Checkpoints
from keras_optlab.resuming.csv_files import go_on_writing
from keras_optlab.resuming.fit_hook import Resumer
from keras_optlab.resuming.saved_training import (
    RunningFit,
    SavedTraining,
    with_arrays,
    without_arrays,
)


class Resume(Resumer, Callback):
    """Checkpoints from which an interrupted `fit` goes on as if it had never stopped.

    Start the same program again after a crash, a kill or a power failure: `fit` reads
    the newest checkpoint and goes on at its epoch and batch. The rest of the training
    is the same, bit for bit, as without the interruption.

    A checkpoint has all that determines the rest of the training: weights, optimizer
    with averages and loss scale, the span of its schedules, metrics, the random states
    of Python, NumPy, the backend and dropout, the order of the data and the place in
    it, `History`, and the state of every callback in the list, Keras' ones too. A
    callback of your own is saved by its attributes that can be pickled, or by two
    methods: `get_state()` returns a value that can be pickled, and `set_state(state)`
    takes it back. A PyDataset may have these methods too; otherwise its attributes are
    saved that are numbers, or vectors of integers such as a shuffled index.

    - The directory holds one training. When it has ended, the same `fit` trains nothing
      and returns the saved `History`. With more `epochs`, it goes on.
    - A checkpoint is written under another name and renamed, with checksums. If the
      newest one is damaged, the one before is used, with a warning.
    - On SIGTERM, which job schedulers send, a checkpoint is written at the next batch,
      and then the process ends.
    - If a checkpoint cannot be written, for instance on a full disk, training goes on
      and one warning is given.
    - On TensorFlow, arrays are shuffled anew in each epoch. Keras alone repeats one
      order in all epochs after `keras.utils.set_random_seed`.

    Not the same bit for bit: limits in seconds (the time left is saved, but clocks
    differ); random items from several worker processes; a `tf.data.Dataset` that
    shuffles without a seed, or under another `tf.random.set_seed`; TensorFlow's random
    operations in a `train_step` of your own; and on TensorFlow data from a PyDataset or
    generator that draws from Python's or NumPy's random generator for each batch.
    Python generators must begin at the same batch as before; the batches that were
    trained on are drawn again.

    Checkpoints contain pickled objects: use only directories that you trust.

    Args:
        directory: directory of the checkpoints, for this training alone; created if
            missing.
        every: `"epoch"`, or batches between two checkpoints, integer >= 1. `None`
            writes none by count.
        minutes: minutes between two checkpoints, besides `every`; > 0. `None` writes
            none by time.
        keep: number of newest checkpoints to keep; integer >= 1.
        on_error: `"warn"`, or `"raise"` if a checkpoint that cannot be written ends the
            training.
        verbose: 1 prints where the training goes on, 0 prints nothing.

    Raises:
        TypeError: if an argument has a wrong type.
        ValueError: if an argument is out of range; in `fit`, before training, if model,
            optimizer, backend or data differ from those of the checkpoint, or if there
            is nothing to train in a second `fit` with this callback.
        RuntimeError: in `fit`, if another process trains with the directory.

    Warns:
        UserWarning: if a checkpoint is damaged; once, if one cannot be written; if
            settings differ from those of the saved training.

    Example:
        >>> import keras, numpy as np, tempfile
        >>> x, y = np.ones((8, 1)), np.ones((8, 1))
        >>> def train(directory, epochs):
        ...     model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
        ...     model.compile("sgd", loss="mse")
        ...     return model.fit(x, y, epochs=epochs, verbose=0,
        ...         callbacks=[Resume(directory)])
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     history = train(directory, epochs=2)
        ...     history = train(directory, epochs=3)
        Resume: going on at epoch 3.
        >>> len(history.history["loss"])
        3
    """

    runs_first = 2  # also before callbacks that write into the logs
    hints = {
        "backup_dir": "Write `directory`.",
        "filepath": "Write `directory`: it gets several checkpoints.",
        "save_freq": "Write `every`: 'epoch', or a number of batches.",
        "max_to_keep": "Write `keep`.",
    }

    def __init__(
        self,
        directory: str | os.PathLike[str],
        every: int | str | None = "epoch",
        *,
        minutes: float | None = None,
        keep: int = 3,
        on_error: str = "warn",
        verbose: int = 1,
    ) -> None:
        super().__init__()
        self.directory = local_path("directory", directory)
        if not isinstance(every, str) or every != "epoch":
            doc = "'epoch', or batches between two checkpoints"
            every = optional_number("every", every, ">= 1", doc, integer=True)
        self.every = every
        self.minutes = optional_number("minutes", minutes, "> 0", "between checkpoints")
        if every is None and minutes is None:
            raise ValueError(
                "`every` or `minutes` must be given. Received: every=None, "
                "minutes=None. Write every='epoch'."
            )
        self.keep = number("keep", keep, ">= 1", "checkpoints to keep", integer=True)
        self.on_error = choice("on_error", on_error, ("warn", "raise"))
        self.verbose = verbosity(verbose)
        self._checkpoints = Checkpoints(self.directory, self.keep)
        self._fit: RunningFit | None = None
        self._saved: SavedTraining | None = None
        self._warned = self._ended = self._terminated = False

    def get_state(self) -> dict[str, Any]:
        """Return nothing: the state of this callback is in the checkpoints."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Do nothing."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Read the newest checkpoint, and check that it belongs to this training."""
        if self._fit is None:
            raise ValueError(
                "Resume works in `fit` only. Received: a training without it, such as "
                "a loop of your own or `fit_full_batch`."
            )
        super().on_train_begin(logs)
        self._refuse_others()
        self._lock()
        self._since = time.monotonic()
        self._batches = self._last_batch = 0
        self._terminated = False
        self._saved = saved = self._read()
        if saved is None:
            return
        self._fit.check(saved)
        self._check_something_is_left(saved)
        for callback in self._fit.callbacks:
            if isinstance(callback, keras.callbacks.CSVLogger):
                go_on_writing(callback, saved.epoch)

    def on_epoch_begin(
        self,
        epoch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Store the epoch."""
        self._epoch, self._last_batch = epoch, 0
        if self._saved is not None:
            self._last_batch = self._saved.batch

    def on_train_batch_begin(
        self,
        batch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Write a checkpoint of the batches before this one, if it is due."""
        self._batches += batch - self._last_batch
        self._last_batch = batch
        at_end = self._fit is not None and self._fit.batches.at_end
        if batch and self._is_due() and not at_end:
            self._write(self._epoch, batch)

    def on_epoch_end(
        self,
        epoch: int,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
    ) -> None:
        """Complete the logs of an epoch that had no batch left to train on."""
        if logs is None or any(not name.startswith("val_") for name in logs):
            return
        for name, value in self.model.get_metrics_result().items():
            array = keras.ops.convert_to_numpy(value)
            logs[name] = array.item() if array.size == 1 else array

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Note that the training has ended."""
        self._ended = True

    def restore(self) -> None:
        """Put the saved training back, after all callbacks' `on_train_begin`."""
        saved, fit = self._saved, self._fit
        if saved is None or fit is None:
            return
        fit.build(saved)
        fit.write_variables(saved)
        if not saved.batch:
            fit.write_callbacks(saved)
        fit.batches.go_to(saved.position)
        epochs = fit_arguments().get("epochs", 1)
        ended = saved.stopped or saved.epoch >= epochs
        set_first_epoch(fit.model, max(epochs, saved.epoch) if ended else saved.epoch)
        self._announce(saved, ended)
        if ended or not saved.batch:
            self._saved = None

    def restore_within_epoch(self) -> None:
        """Put the saved training back, after all callbacks' `on_epoch_begin`."""
        saved, self._saved = self._saved, None
        if saved is not None and self._fit is not None:
            self._fit.write_variables(saved)
            self._fit.write_callbacks(saved)

    def end_epoch(self, epoch: int) -> None:
        """Write a checkpoint after all callbacks' `on_epoch_end`, if it is due."""
        ends = self.model.stop_training or epoch + 1 == fit_arguments().get("epochs", 1)
        if self.every == "epoch" or ends or self._is_due():
            self._write(epoch + 1, 0)

    def begin_fit(self, fit: RunningFit) -> None:
        """Take what the `fit` that begins now consists of."""
        self._fit = fit

    def end_fit(self) -> None:
        """Release what belongs to the `fit`."""
        self._fit = self._saved = None
        self._checkpoints.release()

    def _is_due(self) -> bool:
        by_time = self.minutes is not None and (
            time.monotonic() - self._since >= 60 * self.minutes
        )
        by_count = isinstance(self.every, int) and self._batches >= self.every
        return by_time or by_count or self._terminated

    def _write(self, epoch: int, batch: int) -> None:
        if self._fit is None:
            return
        _ = self.model  # on JAX, the trainer returns the variables
        saved, arrays = without_arrays(self._fit.save(epoch, batch))
        try:
            self._checkpoints.write(saved.name, saved, arrays)
        except OSError as error:
            if self.on_error == "raise":
                raise
            self._warn_of_write(error)
        self._since, self._batches = time.monotonic(), 0
        if self._terminated:
            self._terminated = False
            os.kill(os.getpid(), signal.SIGTERM)  # by the handler from before `fit`

    def terminate(self) -> None:
        """Have the next batch write a checkpoint and end the process."""
        self._terminated = True

    def _read(self) -> SavedTraining | None:
        def tell(name: str, error: Exception) -> None:
            warnings.warn(
                f"Resume: the checkpoint {name!r} in {self.directory!r} is damaged "
                f"({error}). The one before is used.",
                stacklevel=2,
            )

        found = self._checkpoints.read_newest(tell)
        return None if found is None else with_arrays(*found)

    def _lock(self) -> None:
        try:
            self._checkpoints.lock()
        except OSError as error:
            if self.on_error == "raise":
                raise
            self._warn_of_write(error)

    def _warn_of_write(self, error: OSError) -> None:
        if self._warned:
            return
        self._warned = True
        warnings.warn(
            f"Resume: no checkpoint can be written to {self.directory!r} ({error}). "
            "Training goes on; if it is interrupted, it begins at the last checkpoint.",
            stacklevel=2,
        )

    def _refuse_others(self) -> None:
        others = [c for c in self._fit.callbacks if c is not self] if self._fit else []
        for other in others:
            if isinstance(other, Resume | keras.callbacks.BackupAndRestore):
                raise ValueError(
                    "Two callbacks restore the training. Received: "
                    f"{type(other).__name__} and Resume. Leave one out."
                )

    def _check_something_is_left(self, saved: SavedTraining) -> None:
        epochs = fit_arguments().get("epochs", 1)
        if self._ended and (saved.stopped or saved.epoch >= epochs):
            raise ValueError(
                f"There is nothing to train: the training in {self.directory!r} has "
                f"ended after {saved.epoch} epochs. Received: epochs={epochs} in a "
                "second `fit`. Pass more `epochs`, or a Resume with another directory."
            )

    def _announce(self, saved: SavedTraining, ended: bool) -> None:
        if not self.verbose:
            return
        if ended:
            why = "was stopped" if saved.stopped else "has ended"
            text = f"nothing to train: the training {why} after epoch {saved.epoch}."
        else:
            inside = f", batch {saved.batch + 1}" if saved.batch else ""
            text = f"going on at epoch {saved.epoch + 1}{inside}."
        print_message(f"Resume: {text}")
