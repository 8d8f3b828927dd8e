"""Logging to TensorBoard."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

import keras

from keras_optlab.callbacks.arguments import number
from keras_optlab.callbacks.interruption import Callback
from keras_optlab.engine import Optimizer, find_engine
from keras_optlab.tensorboard import Log, configuration
from keras_optlab.tensorboard.tags import metric_tags, split_logs, statistics_tags

TRAIN, VALIDATION = "train", "validation"


class TensorBoard(Callback):
    """Logs a training to TensorBoard, on every backend without TensorFlow.

    Runs are `<log_dir>/train` and `<log_dir>/validation`. Open them while training runs
    with `tensorboard --logdir <log_dir>`.

    | tag | what | x-axis |
    |---|---|---|
    | `epoch/<metric>` | loss and metrics, of both runs | epoch, from 0 |
    | `optimizer/clipped_fraction` | fraction of the tensors that were clipped | step |
    | `optimizer/gradient_norm` | norm of the gradient of all weights | step |
    | `optimizer/gradient_norm_clipped` | the same, as the rule received it | step |
    | `optimizer/learning_rate` | the rate of the next step | step |
    | `optimizer/skipped_steps` | steps skipped so far, for a NaN or Inf | step |
    | `optimizer/update_norm` | norm of the change of all weights | step |
    | `optimizer/weight_norm` | norm of all weights | step |
    | `step/<metric>` | loss and metrics, mean over the epoch so far | step |
    | `update_ratio/<weight>` | norm of a weight's change over its own | step |
    | `configuration/...` (text) | training, optimizer, model, versions | step |

    A weight goes by its path in the model, such as `dense/kernel`. A metric of several
    values gets a tag for each, `<metric>/<index>`. A step is a batch, or an update with
    `gradient_accumulation_steps`. Both axes go on in a second `fit`, and the step also
    after loading an optimizer that has trained before.

    A stock Keras optimizer has no `update_ratio`, and in `optimizer` only the learning
    rate. Values that a `train_step` of one's own returns and that are no metrics of the
    model are logged per epoch only.

    Costs one wait for the device every `every` steps. Each block is flushed, so a crash
    loses nothing before it. A disk that fills up ends the logging, not the training.

    Args:
        log_dir: directory for the runs, on a local file system; created if missing.
        every: steps between two points, after one at the first step; integer >= 1.
            With `steps_per_execution` a point follows the execution in which a
            multiple of `every` was passed.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if `every` is out of range; in `fit`, before training, if `log_dir`
            cannot be written.

    Warns:
        UserWarning: once, when a step was skipped; once, when a write fails.

    Example:
        >>> import keras, numpy as np, tempfile
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile("sgd", loss="mse")
        >>> with tempfile.TemporaryDirectory() as log_dir:
        ...     history = model.fit(
        ...         np.ones((8, 3)), np.ones((8, 1)), batch_size=1, verbose=0,
        ...         callbacks=[TensorBoard(log_dir, every=4)])
        ...     os.listdir(log_dir)
        ['train']
    """

    def __init__(self, log_dir: str | os.PathLike[str], every: int = 50) -> None:
        super().__init__()
        self.log_dir = log_dir
        self.every = number(
            "every", every, ">= 1", "steps between two points", integer=True
        )
        self._log = Log(log_dir)
        self._step = self._next_epoch = 0
        self._warned = False

    def set_model(self, model: keras.Model) -> None:
        """Ask the optimizer for statistics, before the train step is traced."""
        super().set_model(model)
        engine = find_engine(model.optimizer)
        if engine is not None and engine.collect_statistics(self.every):
            model.train_function = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the log and describe the training."""
        super().on_train_begin(logs)
        self._log.open(TRAIN)
        self._recorded: int | None = None
        self._window = _batches_per_step(self.model.optimizer)
        self._step = max(self._step, self._steps_trained())
        for part, table in configuration(self.model, self._facts()).items():
            self._log.text(TRAIN, f"configuration/{part}", table, self._step)

    def on_epoch_begin(
        self,
        epoch: int,  # noqa: ARG002
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Count the batches from here."""
        self._step_of_epoch, self._batches = self._step, 0

    def on_train_batch_begin(
        self,
        batch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Log the batches before this one, if a multiple of `every` was passed.

        Had this class an `on_train_batch_end`, Keras would wait for the device after
        every batch to bring it the metrics.
        """
        self._batches = batch
        if self._reach(self._step_after(batch)):
            self._log_step(self.model.get_metrics_result())

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the epoch, and its last batches if they are due."""
        train, validation = split_logs(logs or {})
        step = max(self._steps_trained(), self._step_after(self._batches + 1))
        if self._reach(step):
            self._log_step(train)
        self._warn_skipped()
        epoch = max(epoch, self._next_epoch)
        self._next_epoch = epoch + 1
        self._log.scalars(TRAIN, metric_tags("epoch", train), epoch)
        self._log.scalars(VALIDATION, metric_tags("epoch", validation), epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Close the files."""
        self._log.close()

    def on_train_interrupted(self) -> None:
        """Close the files."""
        self._log.close()

    def _steps_trained(self) -> int:
        return int(_number(self.model.optimizer.iterations))

    def _step_after(self, batches: int) -> int:
        return self._step_of_epoch + batches // self._window

    def _reach(self, step: int) -> bool:
        """Move on to a step; return whether a point is due there."""
        before, self._step = self._step, step
        return before == 0 < step or before // self.every < step // self.every

    def _log_step(self, metrics: Mapping[str, Any]) -> None:
        optimizer = self.model.optimizer
        engine = find_engine(optimizer)
        tags = metric_tags("step", metrics)
        if engine is None:
            if hasattr(optimizer, "learning_rate"):  # a MultiOptimizer has none
                tags["optimizer/learning_rate"] = _number(optimizer.learning_rate)
        else:
            tags["optimizer/learning_rate"] = engine.current_learning_rate
            tags["optimizer/skipped_steps"] = _number(engine.skipped_steps)
            tags |= self._new_statistics(engine)
        self._log.scalars(TRAIN, tags, self._step)
        self._warn_skipped()

    def _new_statistics(self, engine: Optimizer) -> dict[str, float]:
        statistics = engine.statistics()
        if statistics is None or statistics.step == self._recorded:
            return {}
        self._recorded = statistics.step
        return statistics_tags(statistics, self.model.name)

    def _warn_skipped(self) -> None:
        engine = find_engine(self.model.optimizer)
        skipped = 0 if engine is None else int(_number(engine.skipped_steps))
        if not skipped or self._warned:
            return
        self._warned = True
        warnings.warn(
            f"TensorBoard: by step {self._step} the optimizer has skipped {skipped}, "
            "because a gradient held a NaN or an infinity; the weights are unharmed. "
            "Look for bad rows in the data, or lower the learning rate. The tag "
            "`optimizer/skipped_steps` goes on counting.",
            stacklevel=2,
        )

    def _facts(self) -> dict[str, Any]:
        fit = self.params or {}
        recorded = find_engine(self.model.optimizer) is not None
        return {
            "epochs": fit.get("epochs") or "unknown",
            "steps per epoch": fit.get("steps") or "unknown",
            "steps before": self._step,
            "steps between points": self.every,
            "statistics": "of keras_optlab's engine"
            if recorded
            else "none, since the optimizer is not one of keras_optlab",
        }


def _batches_per_step(optimizer: Any) -> int:
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return getattr(optimizer, "gradient_accumulation_steps", None) or 1


def _number(value: Any) -> float:
    """Return a variable, tensor or number of any backend as a Python number."""
    return float(keras.ops.convert_to_numpy(value))
