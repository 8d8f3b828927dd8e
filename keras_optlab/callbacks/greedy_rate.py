"""A learning rate that follows the loss up and down."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from keras_optlab.callbacks.base.adjustable_numbers import (
    RateScale,
    StockRate,
    required_rates,
)
from keras_optlab.callbacks.base.messages import print_message
from keras_optlab.callbacks.base.metric import MetricCallback
from keras_optlab.core.arguments import number, optional_number, verbosity


class GreedyRate(MetricCallback):
    r"""GreedyLR: a rate that rises while a metric improves, and else falls.

    Step t uses the rate $\sigma \eta_t$. $\eta_t$ is the optimizer's learning rate: a
    number or a schedule. $\sigma$ is the optimizer's `learning_rate_scale`. After each
    value of the metric, with $F$ = `factor`:

        $\sigma \leftarrow \min(\sigma / F, \text{max\_scale})$ after more than
        `patience` improvements in a row,
        $\sigma \leftarrow \max(F \sigma, \text{min\_scale})$ after more than `patience`
        values in a row without one.

    A count begins again after each change. With mode `"min"`, a value improves if it is
    < best - `min_delta`, where best is the best value so far. A NaN never improves.
    After `reset_after` reductions in a row at `min_scale`, the scale returns to its
    value at the start of `fit`, and the best value is forgotten.

    The scale stays after `fit` and is saved with the optimizer. The best value and the
    counts start afresh in a second `fit`; `Resume` restores them.

    A stock Keras optimizer has no scale: its rate itself is multiplied, and `min_scale`
    and `max_scale` are in units of its rate at the start of `fit`. With a
    `keras.optimizers.MultiOptimizer` the rates of all its optimizers change.

    Args:
        monitor: name of the metric as `fit` reports it.
        factor: F, what the scale is multiplied or divided by; (0, 1).
        patience: values in a row, all better or none better, that change nothing;
            integer >= 0.
        min_delta: an improvement by this much or less does not count; >= 0, in units of
            the metric.
        mode: `"min"` if lower is better, `"max"` if higher is better, or `"auto"` to
            infer it from words in the metric's name (loss, error: min; accuracy, AUC:
            max).
        cooldown: values after a reduction that are not counted; integer >= 0.
        warmup: values after an increase that are not counted; integer >= 0.
        min_scale: smallest scale; > 0.
        max_scale: largest scale; >= `min_scale`. 1 never exceeds the rate given to the
            optimizer.
        window: number of values whose mean is compared; integer >= 1. `None` compares
            single values.
        reset_after: reductions at `min_scale` after which to reset; integer >= 1.
            `None`: never.
        every: steps between two values; integer >= 1. `None` takes one value per epoch,
            and each one of a `Validate`. A value of a step is the mean over the epoch
            so far, as Keras reports it: early in an epoch it averages few batches.
        verbose: 1 prints one line for each change; 0 prints nothing.
        optimizer: the optimizer whose rate to change, if a custom training step uses
            another one than the model's; `None` is the model's.

    Raises:
        ValueError: if an argument is out of range; if `mode` contradicts the metric's
            name, or is `"auto"` and the name does not determine it; in `fit`, before
            training, if another callback drives the rate, or `every` is set for a
            validation metric without a `Validate`.
        TypeError: if an argument has a wrong type; in `fit`, before training, if a
            stock Keras optimizer follows a schedule, or there is no optimizer.

    Warns:
        UserWarning: once, if the metric is not reported; once, if the optimizer takes
            no step in an epoch.

    Source:
        Subramanian and Ganapathiraman, 2025, arXiv:2512.14527; the defaults and the
        order of the steps are those of `transformers.GreedyLR` (pull request 44271).
        There `min_lr=1e-3` and `max_lr=1.0` are rates, here they are factors on the
        rate; `smooth=True` with `window_size=50` is `window=50` here; `reset_start` is
        `reset_after`; `threshold_mode="rel"` and `eps` do not exist here.

    Example:
        >>> import numpy as np
        >>> from keras_optlab import optimizers, schedules
        >>> optimizer = optimizers.SGD(schedules.Cosine(0.1, 12))
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile(optimizer, loss="mse")
        >>> greedy = GreedyRate("loss", factor=0.5, patience=1, min_delta=1e9)
        >>> x, y = np.ones((4, 3)), np.ones((4, 1))
        >>> history = model.fit(x, y, epochs=5, callbacks=[greedy], verbose=0)
        >>> optimizer.learning_rate_scale
        0.25
    """

    useless = "changing its learning rate has no effect"
    hints = {
        "min_lr": "Write `min_scale`: the smallest factor on the rate, `min_lr` "
        "divided by the optimizer's learning rate.",
        "max_lr": "Write `max_scale`: the largest factor on the rate, `max_lr` "
        "divided by the optimizer's learning rate.",
        "threshold": "Write `min_delta`.",
        "smooth": "Write `window`: 50 in transformers.",
        "window_size": "Write `window`.",
        "reset_start": "Write `reset_after`.",
        "metric": "Write `monitor`.",
    }

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.95,
        patience: int = 10,
        *,
        min_delta: float = 1e-6,
        mode: str = "auto",
        cooldown: int = 0,
        warmup: int = 0,
        min_scale: float = 1e-3,
        max_scale: float = 1.0,
        window: int | None = None,
        reset_after: int | None = 500,
        every: int | None = None,
        verbose: int = 0,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        super().__init__(monitor, patience, min_delta, mode, every, None, optimizer)
        doc = "values that are not counted"
        self.factor = number("factor", factor, "(0, 1)", "factor on the rate")
        self.cooldown = number("cooldown", cooldown, ">= 0", doc, integer=True)
        self.warmup = number("warmup", warmup, ">= 0", doc, integer=True)
        self.min_scale = number("min_scale", min_scale, "> 0", "smallest scale")
        within = f">= {self.min_scale}"
        self.max_scale = number("max_scale", max_scale, within, "largest scale")
        doc = "values to average"
        self.window = optional_number("window", window, ">= 1", doc, integer=True)
        doc = "reductions at the smallest scale"
        self.reset_after = optional_number(
            "reset_after", reset_after, ">= 1", doc, integer=True
        )
        self.verbose = verbosity(verbose)
        self._initial: dict[str, float] = {}
        self._units: dict[str, float] = {}
        self._forget()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget the values of the previous `fit`, but keep the scale."""
        rates = self._rates()
        super().on_train_begin(logs)
        self._initial = {k: x.get() or 0.0 for k, x in rates.items()}
        self._units = {
            k: self._initial[k] if isinstance(x, StockRate) else 1.0
            for k, x in rates.items()
        }
        self._forget()

    def driven_values(self) -> dict[str, float]:
        """Return the scale of the rate; with a stock optimizer, the rate."""
        return {k: x.get() or 0.0 for k, x in self._rates().items()}

    def drives(self) -> set[tuple[int, str]]:
        """Return the driven scales or rates, each as (`id` of the optimizer, name)."""
        return {(id(x.optimizer), x.label) for x in self._rates().values()}

    def on_value(self, value: float) -> None:
        """Count a value, and change the rate after more than `patience` of a kind."""
        value = self._smoothed(value)
        if self._ignored:
            self._ignored -= 1
            return
        better = self._is_better(value)
        self._best = value if better else self._best
        self._better, self._others = (
            (self._better + 1, 0) if better else (0, self._others + 1)
        )
        if self._better > self.patience:
            self._better, self._ignored, self._at_minimum = 0, self.warmup, 0
            self._change("raised", 1 / self.factor)
        elif self._others > self.patience:
            self._others, self._ignored = 0, self.cooldown
            self._change("lowered", self.factor)
            self._count_at_minimum()

    def on_patience_end(self) -> None:
        """Do nothing: `on_value` counts the values itself."""

    def _forget(self) -> None:
        self._best = math.inf if self.mode == "min" else -math.inf
        self._better = self._others = self._ignored = self._at_minimum = 0
        self._values_of_window: list[float] = []

    def _smoothed(self, value: float) -> float:
        if self.window is None:
            return value
        self._values_of_window = [*self._values_of_window, value][-self.window :]
        return float(np.mean(self._values_of_window))

    def _is_better(self, value: float) -> bool:
        if self.mode == "min":
            return value < self._best - self.min_delta
        return value > self._best + self.min_delta

    def _change(self, verb: str, ratio: float) -> None:
        """Multiply the rates, within their limits; never away from a limit."""
        for name, rate in self._rates().items():
            before, unit = rate.get() or 0.0, self._units[name]
            if ratio < 1:
                after = min(before, max(ratio * before, self.min_scale * unit))
            else:
                after = max(before, min(ratio * before, self.max_scale * unit))
            if after != before:
                rate.set(after)
                self._say(f"{verb} {name} {before:.6g} -> {after:.6g}")

    def _count_at_minimum(self) -> None:
        """Count a reduction that ends at the smallest scale; reset after enough."""
        rates = self._rates()
        if all(
            (x.get() or 0.0) <= self.min_scale * self._units[k] * (1 + 1e-6)
            for k, x in rates.items()
        ):
            self._at_minimum += 1
        if self.reset_after is not None and self._at_minimum >= self.reset_after:
            for name, rate in rates.items():
                rate.set(self._initial[name])
            self._forget()
            self._say("reset to the start of the training")

    def _say(self, what: str) -> None:
        if self.verbose:
            print_message(f"GreedyRate: {self.position_text()}: {what}.")

    def _rates(self) -> dict[str, RateScale | StockRate]:
        return required_rates(self)
