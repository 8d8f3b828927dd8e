"""What is known of a training, in the same form whatever it was read from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from keras_optlab.diagnosis.setting import Setting

# Last parts of the paths of weights that are no matrices.
VECTORS = {"bias", "gamma", "beta", "scale", "alpha", "offset", "moving_mean"}


class Curve(NamedTuple):
    """Values of one figure.

    Attributes:
        at: Epoch or step of each value, from 1, increasing.
        values: The values.
    """

    at: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, points: Iterable[tuple[float, float]]) -> Curve:
        """Return the curve of some points, in the order of their positions."""
        table = np.array(sorted(points, key=lambda p: p[0]), "float64").reshape(-1, 2)
        return cls(table[:, 0], table[:, 1])

    @property
    def finite(self) -> Curve:
        """The curve without NaN and infinity."""
        kept = np.isfinite(self.values)
        return Curve(self.at[kept], self.values[kept])

    def end(self, share: float = 0.25) -> np.ndarray:
        """Return the last values, at least one."""
        return self.values[-max(1, round(share * len(self.values))) :]

    def __bool__(self) -> bool:
        return len(self.at) > 0


@dataclass(frozen=True)
class Rerun:
    """The loss of a probe that was repeated with another rate.

    Attributes:
        factor: Factor on the rate.
        losses: Loss of each step.
    """

    factor: float
    losses: np.ndarray


@dataclass(frozen=True)
class Record:
    """What is known of a training.

    Attributes:
        source: `"history"`, `"monitor"`, `"log"` or `"probe"`.
        epochs: Curves of the metrics by epoch, such as `"val_loss"`.
        steps: Curves by step, by the tags of `TensorBoard`. Those of weights are in
            the order of the model.
        losses: Loss of the training by step, each the mean since the last one.
        rate: The learning rate; by step, or by epoch if `rate_by_epoch`.
        rate_by_epoch: The unit of `rate`.
        setting: What is known of the optimizer; `None` without a model.
        trained: Number of steps, if it is known.
        data: What a probe has seen of the data.
        reruns: What a probe has tried beside the model's own rate.
    """

    source: str
    epochs: Mapping[str, Curve] = field(default_factory=dict)
    steps: Mapping[str, Curve] = field(default_factory=dict)
    losses: Curve | None = None
    rate: Curve | None = None
    rate_by_epoch: bool = False
    setting: Setting | None = None
    trained: int | None = None
    data: Mapping[str, float | str] | None = None
    reruns: tuple[Rerun, ...] = ()

    @property
    def loss(self) -> Curve:
        """Loss of the training, by the finest unit that there is; may be empty."""
        if self.losses is not None and len(self.losses.at) > 1:
            return self.losses
        return self.epochs.get("loss", Curve.of([]))

    @property
    def loss_unit(self) -> str:
        """The unit of `loss`."""
        return "step" if self.loss is self.losses else "epoch"

    @property
    def first_loss(self) -> float | None:
        """The loss before training, or else the first that is known."""
        loss = self.loss.finite
        return float(loss.values[0]) if loss else None

    def layers(self, group: str) -> dict[str, Curve]:
        """Return the curves of a group of tags by weight, such as `"update_ratio"`."""
        start = f"{group}/"
        return {
            tag.removeprefix(start): curve
            for tag, curve in self.steps.items()
            if tag.startswith(start)
        }

    def matrices(self, group: str) -> dict[str, Curve]:
        """Return the same of weights that are matrices.

        Vectors start at zero or one, and move by other amounts.
        """
        vectors = set() if self.setting is None else self.setting.vectors
        return {
            path: curve
            for path, curve in self.layers(group).items()
            if path not in vectors and path.rpartition("/")[2] not in VECTORS
        }

    @property
    def find_rate(self) -> str:
        """A line of code that sets a better rate."""
        found = "kol.find_rate(model, x, y).suggestion()"
        if self.setting is not None and self.setting.scheduled:
            return f"{found}  # as the peak of the schedule"
        return f"model.optimizer.learning_rate = {found}"

    @property
    def why_no_norms(self) -> str:
        """Why there are no norms of gradients and updates, and how to get some."""
        if self.source == "history":
            return (
                "a History has no norms of gradients and updates (pass "
                "`monitor = kol.callbacks.Monitor()` to `fit`, and the monitor to "
                "`kol.diagnose`; or call `kol.diagnose(model, x, y)`)"
            )
        if self.source == "probe":
            return "the gradient of the compiled loss could not be measured"
        return (
            "no norms of gradients and updates were recorded, as with a stock Keras "
            "optimizer (use one of `kol.optimizers`, or call `kol.diagnose(model, x, "
            "y)`)"
        )
