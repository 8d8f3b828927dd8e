"""Validation in the middle of epochs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Mapping
from types import GeneratorType
from typing import Any

import keras

from keras_optlab.callbacks.base.callback import joined_callbacks
from keras_optlab.callbacks.base.step import StepCallback
from keras_optlab.callbacks.base.validation_data import (
    check_fit,
    data_of_fit,
    make_batches,
    unpacked,
)
from keras_optlab.core.arguments import number, optional_steps
from keras_optlab.core.errors import shown
from keras_optlab.engine import undisturbed
from keras_optlab.engine.backend.keras_hooks import fit_arguments, fit_callbacks
from keras_optlab.engine.backend.trainer_adapter import evaluate_batches


class Validate(StepCallback):
    """Validation every few steps, also in the middle of an epoch.

    After steps n, 2n, 3n, ... the model is evaluated as `evaluate` does. The training
    goes on as if it had not been: weights, metrics, states of layers and random numbers
    are the same, bit for bit.

    - `EarlyStopping`, `ReduceOnPlateau` and others of this package act at once on
      `val_loss` and the other metrics. Their patience counts validations.
    - `TensorBoard` and `Monitor` log each value at its step.
    - Callbacks of Keras and `History` get the last values of each epoch at its end. An
      epoch in which no validation ran reports none.

    At the end of an epoch in which `fit` runs its own validation, its values are taken,
    and nothing is evaluated twice. For other data than those of `fit`, set `name`.

    A step is a batch, or an update with `gradient_accumulation_steps`. Steps are
    counted over all calls of `fit`. With `steps_per_execution`, validation follows the
    execution in which a multiple of `every` was passed. The last steps of an epoch are
    validated at its end.

    Optimizers with evaluation weights (`EMA`, `SWA`, schedule-free) are evaluated with
    these, and `use_ema=True` with the averages if `keras.callbacks.SwapEMAWeights` is
    in the same `fit`. The `on_test_*` methods of callbacks are not called.

    `fit` calls this callback before the others, wherever it is in the list. In a custom
    loop, put it first.

    Not restored: Python objects that a metric or a layer changes itself, and on
    TensorFlow the random numbers of Python and NumPy, unless the training data are
    arrays: another thread draws the other ones ahead.

    Args:
        every: steps between two validations; integer >= 1.
        data: as `validation_data` of `fit`: (x, y), (x, y, sample_weight), a
            tf.data.Dataset, PyDataset or DataLoader. `None` uses the validation data of
            `fit`, or its `validation_split`. A generator needs `steps`; its batches are
            drawn once, before training, and kept.
        name: `"val"`, or a name that begins with `"val_"`, for several callbacks with
            different data: the values are called `<name>_loss` and so on.
        batch_size: rows in a batch of arrays; integer >= 1. Defaults to the validation
            batch size of `fit`, or its batch size.
        steps: batches to evaluate; integer >= 1. `None` is all, or `validation_steps`
            of `fit` where its data are used.
        optimizer: the optimizer whose steps to count, if a custom training step uses
            another one than the model's; `None` is the model's.

    Attributes:
        history: A list for each value, by name, and one of their steps, `"step"`. A
            second `fit` appends.

    Raises:
        TypeError: if an argument has a wrong type.
        ValueError: if an argument is out of range; in `fit`, before training, if there
            are no data, if they do not end or do not fit the model, if the model has no
            loss, or if two of these callbacks have one `name`.

    Warns:
        UserWarning: at the end of training, if no validation ran; once, if the
            optimizer takes no step in an epoch.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
        >>> model.compile(keras.optimizers.SGD(0.5), loss="mse")
        >>> x, y = np.zeros((8, 1)), np.ones((8, 1))
        >>> validate = Validate(every=3)
        >>> history = model.fit(x, y, batch_size=1, callbacks=[validate],
        ...     validation_data=(x, y), verbose=0)
        >>> validate.history
        {'step': [3, 6, 8], 'val_loss': [1.0, 1.0, 1.0]}
    """

    runs_first = 1
    useless = "there are no steps to count, and no validation runs"
    hints = {
        "validation_data": "Write `data`.",
        "validation_steps": "Write `steps`.",
        "freq": "Write `every`: steps between two validations.",
        "prefix": "Write `name`.",
    }

    def __init__(
        self,
        every: int,
        data: Any = None,
        *,
        name: str = "val",
        batch_size: int | None = None,
        steps: int | None = None,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        doc = "steps between two validations"
        super().__init__(number("every", every, ">= 1", doc, integer=True), optimizer)
        if not isinstance(name, str) or f"{name}_"[:4] != "val_" or name == "val_":
            raise ValueError(
                "`name` must be 'val', or begin with 'val_' as in 'val_shifted', by "
                "which callbacks tell validation metrics from others. "
                f"Received: name={shown(name)}"
            )
        if data is not None:
            unpacked(data)
        self.name = name
        self.data = data
        self.batch_size = optional_steps("batch_size", batch_size, "rows in a batch")
        self.steps = optional_steps("steps", steps, "batches to evaluate")
        self._rows: list[Mapping[str, Any]] = []
        self._start()

    def _start(self) -> None:
        self._batches: Any = None
        self._ran = self._by_fit = False
        self._latest: Mapping[str, Any] = {}
        self.new_values: Mapping[str, Any] = {}
        self.old_names: Collection[str] = ()

    @property
    def history(self) -> dict[str, list[Any]]:
        """The values of all validations by name, and their steps."""
        names = {name: None for row in self._rows for name in row}
        return {name: [row.get(name, math.nan) for row in self._rows] for name in names}

    def reports(self, name: str) -> bool:
        """Return whether a value of this name is one of this validation."""
        return name.startswith(f"{self.name}_")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check the data, and make batches of them."""
        self._start()
        for other in joined_callbacks():
            if isinstance(other, Validate) and other.name == self.name:
                raise ValueError(
                    "Two `Validate` callbacks report the same values. Received: "
                    f"name={shown(self.name)} twice. Give each a name, or leave one "
                    "out."
                )
        model = self.model
        self._check_model(model)
        told = fit_arguments()
        with undisturbed(model):
            self._batches = self._make_batches(model, told)
        swap = keras.callbacks.SwapEMAWeights
        self._averages = any(isinstance(c, swap) for c in fit_callbacks())
        threads = keras.backend.backend() == "tensorflow"
        arrays = all(hasattr(x, "shape") for x in keras.tree.flatten(told.get("x")))
        self._random_numbers = arrays or not threads
        super().on_train_begin(logs)
        self._began = self.step

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Forget the values of the last epoch."""
        super().on_epoch_begin(epoch, logs)
        self._latest, self.old_names, self._by_fit = {}, (), False

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Validate if the earlier batches passed a multiple of `every`."""
        self.new_values = {}
        if self.count_to(batch):
            self.on_steps({})
        if logs is not None:
            logs.update(self.new_values)

    def on_steps(self, metrics: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Evaluate the model and keep the values."""
        if self.step < (self.every or 1) or self._by_fit:
            return
        model = self.model
        with (
            self.beside_training(),
            undisturbed(model, self._averages, self._random_numbers),
        ):
            values = evaluate_batches(model, self._batches)
        self._keep({f"{self.name}_{k}": v for k, v in values.items()})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Validate if it is due, or take the values of `fit`; complete the logs."""
        self.new_values = {}
        logs = {} if logs is None else logs
        of_fit = self._values_of_fit(logs)
        self._by_fit = bool(of_fit)
        super().on_epoch_end(epoch, logs)
        if of_fit:
            self._keep(of_fit)
        self.old_names = () if self.new_values else set(self._latest)
        for name, value in self._latest.items():
            logs.setdefault(name, value)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Release the data; warn if no validation ran."""
        if not self._ran and self.step > self._began:
            warnings.warn(
                f"Validate: no validation ran, since every={self.every} and this `fit` "
                f"took steps {self._began + 1} to {self.step}. Lower `every`.",
                stacklevel=2,
            )
        self._batches = None

    def on_train_interrupted(self) -> None:
        """Release the data."""
        self._batches = None

    def _values_of_fit(self, logs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of this name that `fit` itself has put into the logs."""
        if self.name != "val":
            return {}
        others = [c for c in self.companions if c is not self]
        own = [k for k in logs if not any(c.reports(k) for c in others)]
        return {k: logs[k] for k in own if k.startswith("val_")}

    def _keep(self, values: Mapping[str, Any]) -> None:
        row = {"step": self.step, **values}
        again = self._ran and self._rows[-1]["step"] == self.step
        if again:  # data of unknown length had ended before the last batch began
            self._rows[-1] = row
        else:
            self._rows.append(row)
            self.new_values = values
        self._latest, self._ran = values, True

    def _check_model(self, model: Any) -> None:
        if self.trains_without_steps:
            raise TypeError(
                "Validate counts the steps of an optimizer. Received: a training "
                "without one, `fit_full_batch`, which validates after each iteration "
                "if given `validation_data`."
            )
        if not model.compiled:
            raise ValueError(
                "Validate needs a model that can be evaluated. Received: a model that "
                "is not compiled. Call `compile` with a loss."
            )
        own_loss = type(model).compute_loss is not keras.Model.compute_loss
        has_loss = own_loss or model.loss is not None or bool(model.losses)
        if _evaluates_as_keras(model) and not has_loss:
            raise ValueError(
                "Validate needs a loss to evaluate the model. Received: a model that "
                "was compiled without one. Pass `loss` to `compile`, or define "
                "`test_step`."
            )

    def _make_batches(self, model: Any, told: Mapping[str, Any]) -> Any:
        """Return the batches to evaluate, from `data` or the arguments of `fit`."""
        data, steps = self.data, self.steps
        if data is None:
            data = data_of_fit(told)
            steps = steps or told.get("validation_steps")
        if data is None:
            raise ValueError(
                "Validate needs data. Received: data=None in a `fit` without "
                "`validation_data`. Pass `data=(x, y)` here, or `validation_data` or "
                "`validation_split` to `fit`."
            )
        _check_shared(data, told, of_fit=self.data is None)
        size = self.batch_size
        size = size or told.get("validation_batch_size") or told.get("batch_size")
        batches = make_batches(model, data, size, steps)
        if _evaluates_as_keras(model) and not isinstance(data, GeneratorType):
            check_fit(model, data, size, told.get("y"))
        return batches


def _evaluates_as_keras(model: Any) -> bool:
    return type(model).test_step is keras.Model.test_step


def _check_shared(data: Any, told: Mapping[str, Any], of_fit: bool) -> None:
    """Raise if reading the data would change what `fit` reads."""
    if of_fit and isinstance(data, GeneratorType):
        raise ValueError(
            "Validate cannot use the generator that `fit` reads for its own "
            "validation. Received: validation_data=<generator>. Pass a second one as "
            "`data`, with `steps`, or a data set that can be read again."
        )
    if isinstance(data, keras.utils.PyDataset) and data is told.get("x"):
        raise ValueError(
            "Validate cannot evaluate the PyDataset that `fit` trains on, since its "
            "`on_epoch_end` would be called in the middle of an epoch. Received: "
            f"data={shown(data)}. Pass another instance of it."
        )
