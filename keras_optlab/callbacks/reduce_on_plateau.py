"""Learning-rate reduction on a plateau."""

from __future__ import annotations

import math
import warnings
from typing import Any

import keras

from keras_optlab.callbacks.base.adjustable_numbers import (
    RateScale,
    StockRate,
    required_rates,
)
from keras_optlab.callbacks.base.messages import print_message
from keras_optlab.callbacks.base.metric import MetricCallback
from keras_optlab.core.arguments import number, verbosity


class ReduceOnPlateau(MetricCallback):
    r"""Learning-rate reduction by a factor when a metric no longer improves.

    Step t uses the rate $\sigma \eta_t$. $\eta_t$ is the optimizer's learning rate: a
    number, a schedule or warm restarts. $\sigma$ is the optimizer's
    `learning_rate_scale`, initially 1. After `patience` without an improvement,

        $\sigma \leftarrow \max(\text{factor} \cdot \sigma, \text{min\_scale})$

    With mode `"min"`, a value improves if it is < best - `min_delta`. A NaN never
    improves.

    The scale stays after `fit` and is saved with the optimizer: a second `fit`
    continues from it. The best value and the wait start afresh.

    A stock Keras optimizer has no scale: its rate itself is multiplied, and `min_scale`
    is in units of its rate at the start of `fit`. With a
    `keras.optimizers.MultiOptimizer` the rates of all its optimizers are reduced.

    With `every`, a value is the mean over the epoch so far, as Keras reports it: early
    in an epoch it averages few batches.

    Args:
        monitor: name of the metric as `fit` reports it.
        factor: what the scale is multiplied by; (0, 1).
        patience: wait without improvement after which to reduce, in the unit of
            `patience_unit`; >= 0 (0 reduces at the next value without improvement), an
            integer unless in seconds.
        min_delta: an improvement by this much or less does not count; >= 0, in units of
            the metric.
        mode: `"min"` if lower is better, `"max"` if higher is better, or `"auto"` to
            infer it from words in the metric's name (loss, error: min; accuracy, AUC:
            max).
        cooldown: time after a reduction before the wait starts again, in the unit of
            `patience_unit`; >= 0. As in Keras, the value at its end counts again, so a
            cooldown of 1 epoch has no effect.
        min_scale: smallest scale; >= 0.
        every: steps between two values; integer >= 1. `None` takes one value per epoch,
            and each one of a `Validate`.
        patience_unit: `"epochs"`, `"validations"`, `"steps"` or `"seconds"`; `None` is
            validations if a `Validate` reports the metric, else epochs. A patience in
            epochs is checked at the end of each epoch, also with `every`; an
            improvement at any step of the epoch restarts the wait.
        verbose: 1 prints one line for each reduction; 0 prints nothing.
        optimizer: the optimizer whose rate to reduce, if a custom training step uses
            another one than the model's; `None` is the model's.

    Raises:
        ValueError: if an argument is out of range; if `mode` contradicts the metric's
            name, or is `"auto"` and the name does not determine it; in `fit`, before
            training, if `every` is set for a validation metric without a `Validate`.
        TypeError: if an argument has a wrong type; in `fit`, before training, if a
            stock Keras optimizer follows a schedule, or there is no optimizer.

    Warns:
        UserWarning: once, if the metric is not reported; once, if it is NaN; once, if
            the optimizer takes no step in an epoch.

    Source:
        He et al., 2015, arXiv:1512.03385, section 3.4, divide the rate by 10 "when the
        error plateaus", as many did by hand before.

    Differs from Keras: `ReduceLROnPlateau` sets the rate itself, so it cannot be used
    with a schedule, and `min_lr` is a rate where `min_scale` is a factor. A NaN as the
    first value does not block later improvements. Otherwise the rates equal Keras'.

    Example:
        >>> import numpy as np
        >>> from keras_optlab import optimizers, schedules
        >>> optimizer = optimizers.SGD(schedules.Cosine(0.1, 12))
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile(optimizer, loss="mse")
        >>> plateau = ReduceOnPlateau("loss", patience=2, min_delta=1e9)
        >>> x, y = np.ones((4, 3)), np.ones((4, 1))
        >>> history = model.fit(x, y, epochs=6, callbacks=[plateau], verbose=0)
        >>> print(f"{optimizer.learning_rate_scale:g}")
        0.01
        >>> print(f"{optimizer.current_learning_rate:g}")  # 0.01 * Cosine at step 6
        0.0005
    """

    useless = "reducing its learning rate changes nothing"
    hints = {
        "min_lr": "Write `min_scale`: the smallest factor on the rate, `min_lr` "
        "divided by the optimizer's learning rate.",
        "epsilon": "Write `min_delta`.",
        "threshold": "Write `min_delta`.",
        "metric": "Write `monitor`.",
    }

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: float = 10,
        *,
        min_delta: float = 1e-4,
        mode: str = "auto",
        cooldown: float = 0,
        min_scale: float = 0.0,
        every: int | None = None,
        patience_unit: str | None = None,
        verbose: int = 0,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        super().__init__(
            monitor, patience, min_delta, mode, every, patience_unit, optimizer
        )
        self.factor = number("factor", factor, "(0, 1)", "factor on the rate")
        self.cooldown = self.in_unit("cooldown", cooldown)
        self.min_scale = number("min_scale", min_scale, ">= 0", "smallest scale")
        self.verbose = verbosity(verbose)
        self._warned_of_nan = False
        self._floors: dict[str, float] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Reset the state of the previous `fit`, but keep the scale."""
        rates = self._rates()
        super().on_train_begin(logs)
        self._floors = {
            k: self.min_scale * (x.get() or 0.0 if isinstance(x, StockRate) else 1.0)
            for k, x in rates.items()
        }

    def driven_values(self) -> dict[str, float]:
        """Return the scale of the rate; with a stock optimizer, the rate."""
        return {k: x.get() or 0.0 for k, x in self._rates().items()}

    def drives(self) -> set[tuple[int, str]]:
        """Return the driven scales or rates, each as (`id` of the optimizer, name)."""
        return {(id(x.optimizer), x.label) for x in self._rates().values()}

    def on_value(self, value: float) -> None:
        """Compare a value with the best one."""
        if math.isnan(value) and not self._warned_of_nan:
            self._warned_of_nan = True
            warnings.warn(
                f"ReduceOnPlateau: {self.monitor} is NaN {self.position_text()}, which "
                "counts as no improvement. Look for bad rows in the data, or lower the "
                "learning rate.",
                stacklevel=2,
            )
        self.wait.update(value, self.now)

    def on_patience_end(self) -> None:
        """Reduce the rate, unless it is at its minimum."""
        reduced = []
        for name, rate in self._rates().items():
            before = rate.get() or 0.0
            after = max(self.factor * before, self._floors[name])
            if after < before:
                rate.set(after)
                reduced.append(f"{name} {before:.6g} -> {after:.6g}")
        if not reduced:
            return
        if self.verbose:
            why = f"{self.position_text()}, {self.wait_text()}"
            print_message(f"ReduceOnPlateau: {why}: {', '.join(reduced)}.")
        self.wait.restart(self.cooldown)

    def _rates(self) -> dict[str, RateScale | StockRate]:
        return required_rates(self)
