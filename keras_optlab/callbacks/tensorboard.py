"""Logging to TensorBoard."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Mapping
from typing import Any

import keras

from keras_optlab.callbacks.base.batch_size import batch_size_of_fit
from keras_optlab.callbacks.base.best_values import BestValues
from keras_optlab.callbacks.base.rate_in_logs import driver_of_rate, metrics_alone
from keras_optlab.callbacks.base.training_scalars import TrainingScalars
from keras_optlab.callbacks.base.validation import Validation
from keras_optlab.callbacks.validate import Validate
from keras_optlab.core.arguments import flag
from keras_optlab.engine.backend.keras_hooks import fit_callbacks
from keras_optlab.finders.schedule_peak import peak_of
from keras_optlab.tensorboard import (
    Constants,
    Log,
    check_hparams,
    configuration,
    hyperparameters,
    kernel_image,
    recorded_histograms,
    story,
    summaries,
    weight_histograms,
)
from keras_optlab.tensorboard.layout import Charts
from keras_optlab.tensorboard.tags import metric_tags, split_logs, weight_tag

BEST, RESULT, TRAIN, VALID = RUNS = "best", "result", "train", "validation"
# Attributes that a resumed training goes on with.
STATE = (
    "_began",
    "_described",
    "_next_epoch",
    "_story",
    "_tags",
    "_warned",
    "_weights_at",
)

NO_IMAGES = (
    "TensorBoard: there are no images to show. `images=True` needs a model whose first "
    "kernel is a convolution of one channel or three, or a dense layer on pixels. "
    "Leave `images=True` out."
)


class TensorBoard(TrainingScalars):
    """TensorBoard logs of a training, on every backend and without TensorFlow.

    Open the log while training runs with `tensorboard --logdir <log_dir>`. To compare
    several trainings, pass their parent directory. A training has the runs
    `<log_dir>/train` and `<log_dir>/validation`; `<log_dir>/best`, with the best values
    so far in the same charts; and `<log_dir>/result`, the row of the page HPARAMS.

    A `log_dir` that is in use is not mixed up: another `TensorBoard` object writes to
    `<log_dir>/run-2`, then `run-3` and so on. The same object in a second `fit` goes on
    in its own directory, and so does a training that `Resume` continues: points after
    the checkpoint are removed, and a running TensorBoard drops them.

    | tag | what | x-axis |
    |---|---|---|
    | `configuration/...` (text) | training, optimizer, model, versions | step |
    | `epoch/<metric>` | loss and metrics, of all runs | epoch, from 0 |
    | `hyperparameter/<name>` | values that callbacks drive or that change | step |
    | `optimizer/clipped_fraction` | fraction of gradient tensors clipped | step |
    | `optimizer/gradient_cosine` | of a `GradientSignals` | step |
    | `optimizer/gradient_noise_scale` | of a `GradientSignals` | step |
    | `optimizer/gradient_norm` | norm of the gradients of all weights | step |
    | `optimizer/gradient_norm_clipped` | after clipping and transforms | step |
    | `optimizer/learning_rate` | the rate of the next step | step |
    | `optimizer/sharpness` | of a `GradientSignals` | step |
    | `optimizer/skipped_fraction` | fraction skipped since the last point | step |
    | `optimizer/skipped_steps` | steps skipped so far because of NaN or Inf | step |
    | `optimizer/update_norm` | norm of the update of all weights | step |
    | `optimizer/weight_norm` | norm of all weights | step |
    | `result/...` | the best and the last values, for HPARAMS | step |
    | `step/<metric>` | loss and metrics, mean over the epoch so far | step |
    | `stopping/<metric>/<criterion>` | figure of a criterion for stopping | step |
    | `stopping/reason` (text) | why a callback stopped the training | step |
    | `throughput/examples_per_second` | since the last point | step |
    | `throughput/memory` | most bytes in use so far | step |
    | `throughput/steps_per_second` | since the last point | step |
    | `update_ratio/<weight>` | norm of the update / norm of the weight | step |
    | `weight_dead_units/<weight>` | share of the units without a gradient | step |
    | `weight_gradient/<weight>` (histogram) | entries of the gradient | step |
    | `weight_gradient_norm/<weight>` | norm of the gradient | step |
    | `weight_image/<weight>` (image) | the first kernel, one tile per unit | step |
    | `weight_norm/<weight>` | norm of the weight | step |
    | `weight_update/<weight>` (histogram) | entries of the update | step |
    | `weight_value/<weight>` (histogram) | entries of the weight | step |

    Every tag has a description that says what is healthy: the sign "i" of a chart. The
    page CUSTOM SCALARS begins with the loss, then metrics, rate, gradient and layers.

    Constants are not drawn. A learning rate and the `hyperparameter/...` begin when
    they change, with the points before; shares and counts of clipped and skipped
    tensors when they are not 0; the norm after clipping when it differs from the one
    before. The learning rate is drawn in one place, not again as a value of the logs.

    The run `best` has the best value so far of each metric whose name tells whether
    lower or higher is better: of the validation if there is one, else of the training.
    In `validation` and `best`, `step/<metric>` has each validation of a `Validate`.

    `<weight>` is the path of a weight in the model, such as `dense/kernel`. A metric
    with several values gets a tag for each, `<metric>/<index>`. A criterion that needs
    no metric has the tag `stopping/<criterion>`. Updates are those of the rule, without
    decoupled weight decay. The units of a weight are its last axis; those whose
    gradient is exactly 0 are dead for this batch. The throughput leaves out validation
    and what other callbacks measure, but not the time between epochs. The memory is
    that of the device if the backend tells, else of the process. A step is a batch, or
    an update with `gradient_accumulation_steps`. Both axes continue in a second `fit`;
    the step also after the model was recompiled or a trained optimizer was loaded.

    The page HPARAMS has one row per training, by which it can be sorted: `optimizer`
    with its non-default arguments, `learning_rate` (of a schedule the peak), `schedule`
    (its class), `batch_size` (if arrays or the data tell it) and `hparams`; then the
    best values, the last ones of the validation, and the last ones of the training.
    Diagnostics are not in it. Of a second `fit` with the same object, the settings and
    the status are not shown.

    A stock Keras optimizer gives the metrics, the learning rate, the hyperparameters
    that callbacks drive, histograms of the weights, and images. A `MultiOptimizer`
    gives its rates as `optimizer/learning_rate/<name>`. Values that a custom
    `train_step` returns, but that are not metrics of the model, are logged per epoch
    only, and its examples are not counted.

    Cost: one wait for the device every `every` steps. The compiled step itself measures
    the norms and the clipped fraction, also at each of several steps in one execution.
    Each write is flushed, so a crash loses nothing before it. A full disk ends the
    logging, not the training.

    Args:
        log_dir: directory for the runs, on a local file system; created if missing. If
            another training has used it, `<log_dir>/run-2` and so on is taken.
        every: steps between two points, the first after step 1; integer >= 1. With
            `steps_per_execution` a point follows the execution in which a multiple of
            `every` was passed.
        statistics_every: steps between two records of the norms. The optimizer keeps
            the records until the next point, so even one per step costs little; integer
            >= 1 and >= `every` / 64. Defaults to `every`.
        histograms_every: steps between two histograms of every weight; integer >= 1, a
            multiple of `every` since a point logs only the last ones. `None` logs none.
        images: whether to log an image of the first kernel before training and after
            every epoch, if its inputs are pixels: a convolution of one channel or
            three, or a dense layer on an image.
        hparams: further columns of the page HPARAMS, such as `{"weight_decay": 0.1}`;
            each a bool, a number or a string. They replace those found out.
        optimizer: the optimizer to log, if a custom training step uses another one than
            the model's: `model.d_optimizer`. `None` is the model's, which is not logged
            while it takes no step.

    Raises:
        TypeError: if an argument has a wrong type.
        ValueError: if a number is out of range.

    Warns:
        UserWarning: once, when `log_dir` cannot be written; once, when there are no
            `images` to show; once, if the optimizer takes no step in an epoch.

    Example:
        >>> import keras, numpy as np, tempfile
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile("sgd", loss="mse")
        >>> with tempfile.TemporaryDirectory() as log_dir:
        ...     history = model.fit(
        ...         np.ones((8, 3)), np.ones((8, 1)), batch_size=1, verbose=0,
        ...         callbacks=[TensorBoard(log_dir, every=4)])
        ...     sorted(name for name in os.listdir(log_dir) if "." not in name)
        ['best', 'result', 'train']
    """

    hints = {
        "histogram_freq": "Write `histograms_every`: steps, not epochs, between two.",
        "update_freq": "Write `every`: steps between two points.",
        "write_images": "Write `images`: it shows the first kernel.",
        "write_graph": "The graph is not logged: leave it out; `configuration/model` "
        "lists the layers.",
        "write_steps_per_second": "Leave it out: `throughput/` is always logged.",
        "profile_batch": "There is no profiler: leave it out, or add Keras' own "
        "TensorBoard on TensorFlow.",
        "embeddings_freq": "Embeddings are not logged: leave it out.",
        "embeddings_metadata": "Embeddings are not logged: leave it out.",
    }

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        every: int = 50,
        *,
        statistics_every: int | None = None,
        histograms_every: int | None = None,
        images: bool = False,
        hparams: Mapping[str, bool | int | float | str] | None = None,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        super().__init__(every, statistics_every, histograms_every, optimizer)
        self.log_dir = log_dir
        self.images = flag("images", images)
        self.hparams = check_hparams({} if hparams is None else hparams)
        self._log = Log(log_dir, RUNS)
        self._constants, self._values = Constants(), BestValues()
        self._tags: set[str] = set()
        self._story: dict[str, Charts] = {}
        self._next_epoch = self._weights_at = 0
        self._warned = False
        self._described, self._opened = True, False
        self._restart: int | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Prepare to log; nothing is written before the first batch."""
        super().on_train_begin(logs)
        self._described = self._opened = False
        self._began, self._restart = self.position, None
        coming = Validation.of_this_fit()
        self._values.validated = (coming is not None and coming.given) or any(
            isinstance(c, Validate) for c in fit_callbacks()
        )

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Open the log before the first batch; log a point if one is due."""
        self._open()
        super().on_train_batch_begin(batch, logs)

    def on_steps(self, metrics: Mapping[str, Any]) -> None:
        """Log a point."""
        self._describe()
        self._draw(self.figures(metrics))
        self._draw(self.new_recorded())
        self._log_histograms()

    def on_validation(self, metrics: Mapping[str, Any]) -> None:
        """Log the values of a validation at the current step."""
        best = self._values.update(metrics)
        for run, values in (VALID, metrics), (BEST, best):
            tags = metric_tags("step", split_logs(values)[1])
            self._draw({self.position: tags}, run)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the metrics of the epoch, and a point if one is due."""
        super().on_epoch_end(epoch, logs)
        self._describe()
        self._draw(self.measured())  # after the last point
        self._draw(self.new_recorded())
        epoch = max(epoch, self._next_epoch)
        self._next_epoch = epoch + 1
        metrics = metrics_alone(logs or {}, self.model, self.optimizer)
        best = self._values.update(metrics)
        best = {name.removeprefix("val_"): value for name, value in best.items()}
        of_runs = best, *split_logs(metrics)
        for run, values in zip((BEST, TRAIN, VALID), of_runs, strict=True):
            self._draw({epoch: metric_tags("epoch", values)}, run)
        self._draw({self.position: self._values.results()}, RESULT)
        self._log_images()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Log the status `success`, and close the files."""
        super().on_train_end(logs)
        self._close(success=True)

    def on_train_interrupted(self) -> None:
        """Log the status `failure`, and close the files."""
        super().on_train_interrupted()
        self._close(success=False)

    def get_state(self) -> dict[str, Any]:
        """Return what a resumed training goes on with, and the sizes of the files."""
        own = {name: vars(self)[name] for name in STATE if name in vars(self)}
        parts = {"own": own, "values": vars(self._values)}
        parts["constants"] = vars(self._constants)
        log = self._log.get_state()
        return super().get_state() | copy.deepcopy(parts) | {"log": log}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on in the directory and at the step of the saved training.

        Points after its step are removed, and a running TensorBoard drops them.
        """
        super().set_state(state)
        owners = {"own": self, "values": self._values, "constants": self._constants}
        for key, owner in owners.items():
            for name, value in state[key].items():
                setattr(owner, name, value)
        self._log.set_state(state["log"])
        # Epochs are on the same axis; with `initial_epoch` they may be beyond the step.
        self._opened, self._restart = (
            False,
            max(self.position, self._next_epoch - 1) + 1,
        )

    def _open(self) -> None:
        """Open the log, once per `fit`, as late as possible: `set_state` comes late."""
        if self._opened:
            return
        self._opened = True
        self._log.open(self._restart)
        own_step = type(self.model).train_step is not keras.Model.train_step
        if self.given_optimizer is not None or not own_step:
            self._describe()  # else later: the model's optimizer may take no step
        if self.model.built and self._restart is None:
            self._log_images()

    def _write(self, run: str, values: list[Any], position: int) -> None:
        self._open()
        self._log.write(run, values, position)

    def _draw(self, points: Mapping[int, dict[str, float]], run: str = TRAIN) -> None:
        """Log scalars by tag, except constants; add charts for new tags."""
        for position, tags in self._constants.drawn(points).items():
            self._write(run, summaries.scalars(tags), position)
            if not tags.keys() <= self._tags:
                self._tags |= tags.keys()
                charts = story(self._tags)
                if charts != self._story:
                    self._story = charts
                    layout = summaries.custom_layout(charts)
                    self._write(RESULT, layout, self.position)

    def _close(self, success: bool) -> None:
        if not self._opened:  # no batch has begun
            return
        self._describe()
        self._draw(self.new_recorded())
        for callback in self.companions:
            if callback.reason:
                text = summaries.text("stopping/reason", callback.reason)
                self._write(TRAIN, text, self.position)
        self._write(RESULT, summaries.session_end(success), self.position)
        self._log.close()

    def _describe(self) -> None:
        """Log the configuration and the hyperparameters, once per `fit`."""
        if self._described:
            return
        self._described = True
        idle = self.position > self._began and self.model_optimizer_is_idle
        optimizer = None if idle else self.optimizer
        pages = configuration(self.model, optimizer, self._facts()).items()
        texts = [
            v for k, page in pages for v in summaries.text(f"configuration/{k}", page)
        ]
        self._write(TRAIN, texts, self._began)
        hparams = hyperparameters(optimizer, peak_of, driver_of_rate(self.companions))
        size = batch_size_of_fit()
        hparams |= ({} if size is None else {"batch_size": size}) | self.hparams
        self._write(RESULT, summaries.session_start(hparams), self._began)

    def _log_histograms(self) -> None:
        record = self.new_histograms()
        if record is not None:
            values = recorded_histograms(record, self.model.name)
            self._write(TRAIN, values, self.position_of(record.step))
        elif self.logged_optimizer is None and self._weights_due():
            self._write(TRAIN, weight_histograms(self.model), self.position)

    def _weights_due(self) -> bool:
        """Return whether a multiple of `histograms_every` was passed."""
        every = self.histograms_every
        before, self._weights_at = self._weights_at, self.position
        if every is None:
            return False
        return before == 0 or before // every < self.position // every

    def _log_images(self) -> None:
        if not self.images:
            return
        shown = kernel_image(self.model)
        if shown is not None:
            path, pixels = shown
            tag = weight_tag("weight_image", path, self.model.name)
            self._write(TRAIN, summaries.image(tag, pixels), self.position)
        elif not self._warned:
            self._warned = True
            warnings.warn(NO_IMAGES, stacklevel=2)

    def _facts(self) -> dict[str, Any]:
        fit = self.params or {}
        return {
            "epochs": fit.get("epochs") or "unknown",
            "batch size": batch_size_of_fit() or "unknown",
            "steps per epoch": fit.get("steps") or "unknown",
            "steps before": self.position,
            "steps between points": self.every,
            "steps between norms": self.statistics_every,
            "steps between histograms": self.histograms_every,
            "statistics": "recorded by the optimizer"
            if self.our_optimizer is not None
            else "none, since the optimizer is not from keras_optlab",
            **self.hparams,
        }
