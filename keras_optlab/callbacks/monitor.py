"""Scalars of a training as a table in memory, and in the logs of Keras."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras

from keras_optlab.callbacks.base.training_scalars import TrainingScalars, clips, skips
from keras_optlab.core.figures import colour, new_axes
from keras_optlab.core.notebooks import code, picture
from keras_optlab.tensorboard.tags import metric_tags

if TYPE_CHECKING:
    import pandas

# Panels of the plot: the tags, or prefixes of tags, and the labels of their lines.
PANELS = {
    "loss": {  # a later tag replaces an earlier one of the same label
        "step/loss": "training",
        "epoch/val_loss": "validation",
        "step/val_loss": "validation",
    },
    "learning rate": {"optimizer/learning_rate": ""},
    "gradient norm": {
        "optimizer/gradient_norm": "before clipping",
        "optimizer/gradient_norm_clipped": "after clipping",
    },
    "norm of the update / of the weight": {"update_ratio/": ""},
}
LABELS = 8  # a panel with more lines has no legend
# Attributes that a resumed training goes on with.
STATE = "_epoch", "_rows_before", "_skips_before", "rows"


class Monitor(TrainingScalars):
    """A table in memory of the scalars that `TensorBoard` logs.

    Each row holds the scalars of one step, by the tags that `TensorBoard` lists. The
    row of the last step of an epoch also holds the metrics of the epoch:
    `epoch/<metric>`, and `epoch/val_<metric>` of the validation. With a `Validate`, the
    row of the step of each validation holds `step/val_<metric>`.

    Scalars of the optimizer are added to the logs of each epoch. The progress bar shows
    them, `History` keeps them, and Keras' `CSVLogger` writes them, wherever it is in
    the list:

    | key | what |
    |---|---|
    | `lr` | learning rate of the next step |
    | `grad_norm` | norm of the last recorded gradient |
    | `clipped_fraction` | share of tensors clipped, mean of the epoch's records |
    | `skipped_fraction` | share of the epoch's steps that were skipped |

    `clipped_fraction` needs an optimizer that clips, `skipped_fraction` one that skips
    steps. A stock Keras optimizer has `lr` alone. A `keras.optimizers.MultiOptimizer`
    has its rates as `lr_<name>`; `optimizer` may be one of its optimizers. A second
    `fit` appends to the table. Cost: one wait for the device every `every` steps.

    Args:
        every: steps between two rows, the first after step 1; integer >= 1.
        statistics_every: steps between two records of norms, in rows of their own;
            integer >= 1 and >= `every` / 64. Defaults to `every`.
        optimizer: the optimizer to log, if a custom training step uses another one than
            the model's: `model.d_optimizer`. `None` is the model's, which is not logged
            while it takes no step.

    Attributes:
        rows: A dict for each row: `step`, `epoch` (from 0) and numbers by tag.

    Raises:
        TypeError: if an argument is not an integer.
        ValueError: if one is out of range.

    Warns:
        UserWarning: once, if the optimizer takes no step in an epoch.

    Example:
        >>> import keras, numpy as np
        >>> from keras_optlab import optimizers
        >>> model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
        >>> model.compile(optimizers.SGD(0.5), loss="mse")
        >>> monitor = Monitor(every=2)
        >>> x, y = np.zeros((4, 1)), np.ones((4, 1))
        >>> history = model.fit(
        ...     x, y, batch_size=1, callbacks=[monitor], verbose=0)
        >>> [(row["step"], row["step/loss"]) for row in monitor.rows]
        [(1, 1.0), (2, 1.0), (4, 1.0)]
        >>> history.history["lr"], history.history["grad_norm"]
        ([0.5], [0.0])
    """

    writes_logs = True
    hints = {
        "freq": "Write `every`: steps between two rows.",
        "frequency": "Write `every`: steps between two rows.",
        "log_every": "Write `every`: steps between two rows.",
    }

    def __init__(
        self,
        every: int = 50,
        statistics_every: int | None = None,
        *,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        super().__init__(every, statistics_every, optimizer=optimizer)
        self.rows: list[dict[str, float]] = []
        self._epoch = self._rows_before = 0
        self._skips_before = 0.0, 0.0

    @property
    def columns(self) -> list[str]:
        """Keys of all rows: `step`, `epoch`, then the tags, sorted."""
        tags = {tag for row in self.rows for tag in row} - {"step", "epoch"}
        return ["step", "epoch", *sorted(tags)]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Store the epoch, and where it begins."""
        super().on_epoch_begin(epoch, logs)
        self._epoch = epoch
        self._rows_before = len(self.rows)
        ours = self.our_optimizer
        self._skips_before = skips(ours) if ours is not None else (0, 0)

    def on_steps(self, metrics: Mapping[str, Any]) -> None:
        """Add the scalars of this step to the table."""
        for position, tags in self.figures(metrics).items():
            self._row(position).update(tags)
        self._add_recorded()

    def on_validation(self, metrics: Mapping[str, Any]) -> None:
        """Add the values of a validation to the row of the current step."""
        self._row(self.position).update(metric_tags("step", metrics))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the metrics to the table, and scalars of the optimizer to the logs."""
        self._epoch = epoch
        super().on_epoch_end(epoch, logs)
        for position, tags in self.measured().items():  # those after the last point
            self._row(position).update(tags)
        self._add_recorded()
        logs = {} if logs is None else logs
        self._row(self.position).update(metric_tags("epoch", logs))
        logs.update(self._of_epoch())

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Add what other callbacks have recorded last."""
        super().on_train_end(logs)
        self._add_recorded()

    def on_train_interrupted(self) -> None:
        """Add what other callbacks have recorded last."""
        super().on_train_interrupted()
        self._add_recorded()

    def dataframe(self) -> pandas.DataFrame:
        """Return the table as a `pandas.DataFrame` with the step as its index.

        Raises:
            ImportError: if pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "`dataframe()` needs pandas. Run `pip install pandas`, or read the "
                "table from `rows` and `columns`."
            ) from error
        return pandas.DataFrame(self.rows, columns=self.columns).set_index("step")

    def plot(self) -> Any:
        """Draw loss, learning rate, gradient norm and update/weight ratios.

        Returns:
            The matplotlib figure; panels without data are left out.

        Raises:
            ImportError: if matplotlib is not installed.
            ValueError: if the table has no rows yet.
        """
        panels = self._panels()
        if not panels:
            raise ValueError(
                "There is nothing to draw yet. Received: a table without rows. Pass "
                "this callback to `fit` first."
            )
        height = math.ceil(len(panels) / 2)
        axes = new_axes(
            (9.0, 3.0 * height + 0.5),
            height,
            2,
            sharex=True,
            squeeze=False,
            instead="read the table from `rows` and `columns`",
        )
        for ax, (title, lines) in zip(axes.flat, panels.items(), strict=False):
            _draw(ax, title, lines)
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        return axes[0, 0].figure

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the plot, if there is something to draw."""
        if not self._panels():
            return code(self)
        what = "Loss, learning rate, gradient norm, updates / weights"
        return picture(self.plot, what) or code(self)

    def get_state(self) -> dict[str, Any]:
        """Return what a resumed training goes on with, and the table."""
        own = {name: vars(self)[name] for name in STATE if name in vars(self)}
        return super().get_state() | {"own": copy.deepcopy(own)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where the saved training was, with its table."""
        super().set_state(state)
        for name, value in state["own"].items():
            setattr(self, name, value)

    def _panels(self) -> dict[str, Any]:
        """Return the lines of each panel of the plot, by its title."""
        panels = {title: self._lines(tags) for title, tags in PANELS.items()}
        return {title: lines for title, lines in panels.items() if lines}

    def _of_epoch(self) -> dict[str, float]:
        """Return the scalars of the optimizer that the logs of an epoch get."""
        rates = self.learning_rates().items()
        scalars = {f"lr_{name}".removesuffix("_"): rate for name, rate in rates}
        ours = self.logged_optimizer
        if ours is None:
            return scalars
        statistics = ours.statistics()
        if statistics is not None:
            scalars["grad_norm"] = statistics.gradient_norm
        if clips(ours):
            tag = "optimizer/clipped_fraction"
            rows = self.rows[self._rows_before :]
            shares = [row[tag] for row in rows if tag in row]
            scalars["clipped_fraction"] = sum(shares) / len(shares) if shares else 0.0
        if ours.skip_non_finite:
            (skipped, steps), before = skips(ours), self._skips_before
            new = max(0.0, skipped - before[0]) / max(1, steps - before[1])
            scalars["skipped_fraction"] = new
        return scalars

    def _row(self, position: int) -> dict[str, float]:
        """Return the last row if it is of this step and epoch, else a new row."""
        at = {"step": position, "epoch": self._epoch}
        if not self.rows or not at.items() <= self.rows[-1].items():
            self.rows.append(dict(at))
        return self.rows[-1]

    def _add_recorded(self) -> None:
        """Add what other callbacks have recorded to the row of its step."""
        for position, tags in self.new_recorded().items():
            at = len(self.rows)
            while at and self.rows[at - 1]["step"] > position:
                at -= 1
            if at and self.rows[at - 1]["step"] == position:
                self.rows[at - 1].update(tags)
            else:
                row = {"step": position, "epoch": self._epoch} | tags
                self.rows.insert(at, row)

    def _lines(self, labels: Mapping[str, str]) -> dict[str, list[tuple[float, float]]]:
        """Return the points of each line, by its label."""
        lines = {}
        for tag, label in labels.items():
            for column in self.columns:
                if column == tag or tag.endswith("/") and column.startswith(tag):
                    name = label or column.removeprefix(tag)
                    lines[name] = [
                        (r["step"], r[column]) for r in self.rows if column in r
                    ]
        return lines


def _draw(ax: Any, title: str, lines: Mapping[str, list[tuple[float, float]]]) -> None:
    for i, (label, points) in enumerate(lines.items()):
        ax.plot(*zip(*points, strict=True), ".-", color=colour(i), label=label)
    ax.set_title(title)
    ax.set_xlabel("step")
    if 1 < len(lines) <= LABELS:
        ax.legend()
    if "/" in title:  # ratios span orders of magnitude
        ax.set_yscale("log")
