"""What was measured, and the scale on which runs are compared."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from keras_optlab.core.errors import shown, suggest

Kind = Literal["loss", "accuracy", "effort", "value"]
Score = float | None  # None: the run failed, or did not reach the target
FAILED_COUNTS = 2.0  # times the worst loss of the study, if no limit is given


@dataclass(frozen=True)
class Measure:
    """What the scores of a study are, and how they are compared.

    | kind | scores | compared on |
    |---|---|---|
    | `"loss"` | numbers >= 0, lower is better | log(loss) |
    | `"accuracy"` | numbers <= 1, higher is better | log(1 - accuracy), the error |
    | `"effort"` | steps or seconds to a target >= 0 | log(effort) |
    | `"value"` | any numbers, lower is better | the values |

    A score that is `None`, NaN or infinite is a failed run. It stays in the comparison:

    - `"effort"`: it counts as `limit`, the budget, since it needs at least as much.
    - The other kinds: it counts as `limit`, or without one as twice the worst loss or
      error of the study, and for `"value"` as the worst one and the range of all.

    Args:
        kind: As above.
        name: What the scores are called in sentences.
        limit: The worst score that counts; scores beyond it count as this one. By
            label, where optimizers have budgets of their own, as in seconds. Needed for
            `"effort"`.
        resolution: The smallest step of the scores, such as 1 / test examples for an
            accuracy. A loss, error or effort of 0 counts as half of it (the default is
            half of the smallest score above 0), as 0 has no logarithm.

    Raises:
        ValueError: if the kind is unknown, or a limit is missing or out of range.

    >>> Measure("effort", "steps to 98 %", limit=4_000).name
    'steps to 98 %'
    """

    kind: Kind = "loss"
    name: str = ""
    limit: float | Mapping[str, float] | None = None
    resolution: float | None = None

    def __post_init__(self) -> None:
        """Check the arguments, and name the measure after its kind."""
        if self.kind not in get_args(Kind):
            raise ValueError(
                f"`kind` must be a kind of score. {suggest(str(self.kind), KINDS)} "
                f"Received: kind={shown(self.kind)}"
            )
        if not self.name:
            object.__setattr__(self, "name", self.kind)
        if self.kind == "effort" and self.limit is None:
            raise ValueError(
                "`limit` must be the budget of each run, for runs that did not reach "
                "the target count as it. Received: limit=None"
            )
        limit = self.limit
        limits = [*limit.values()] if isinstance(limit, Mapping) else [limit]
        for argument, values in (("limit", limits), ("resolution", [self.resolution])):
            if any(x is not None and not _is_finite(x) for x in values):
                raise ValueError(
                    f"`{argument}` must be a finite number. "
                    f"Received: {argument}={shown(getattr(self, argument))}"
                )
        costs = [self._cost(x) for x in limits if x is not None]
        if self.is_ratio and any(cost <= 0 for cost in costs):
            raise ValueError(
                f"`limit` must be {'below 1' if self.kind == 'accuracy' else '> 0'} "
                f"for kind={shown(self.kind)}. Received: limit={self.limit}"
            )
        if self.resolution is not None and self.resolution <= 0:
            raise ValueError(
                f"`resolution` must be > 0. Received: resolution={self.resolution}"
            )

    @property
    def has_own_limits(self) -> bool:
        """Whether each optimizer has a limit of its own."""
        return isinstance(self.limit, Mapping)

    def of_parts(self, owners: Mapping[str, str]) -> Measure:
        """Return the measure for other labels, each with the limit of its owner."""
        if not isinstance(self.limit, Mapping):
            return self
        limits = {part: self.limit[owner] for part, owner in owners.items()}
        return replace(self, limit=limits)

    @property
    def is_ratio(self) -> bool:
        """Whether runs are compared by ratios; else by differences."""
        return self.kind != "value"

    @property
    def compared(self) -> str:
        """What ratios and differences are of: the error for an accuracy."""
        if self.kind != "accuracy":
            return self.name
        return self.name.replace("accuracy", "error") if self.name else "error"

    def from_scale(self, x: float) -> float:
        """Return the score that belongs to a point of the scale."""
        if self.kind == "accuracy":
            return 1 - math.exp(x)
        return math.exp(x) if self.is_ratio else x

    def effect(self, difference: float) -> float:
        """Return a difference on the scale as a ratio, if the kind has ratios."""
        return _exp(difference) if self.is_ratio else difference

    def on_scale(
        self, scores: Mapping[str, Sequence[Score]]
    ) -> dict[str, NDArray[np.float64]]:
        """Return the scores of every optimizer on the scale, where lower is better.

        Args:
            scores: Scores by the optimizer's label.

        Returns:
            Arrays by label; NaN if every run of the study failed without a limit.

        Raises:
            TypeError: if a score is no number.
            ValueError: if a score is out of range.
        """
        costs = {label: self._costs(label, runs) for label, runs in scores.items()}
        every = np.concatenate([*costs.values(), np.zeros(0)])
        found = {}
        for label, cost in costs.items():
            worst = self._failed_cost(label, every[np.isfinite(every)])
            cost = np.where(np.isfinite(cost), cost, worst)
            if self.limit is not None:
                cost = np.minimum(cost, worst)
            found[label] = (
                np.log(np.maximum(cost, self._floor(every))) if self.is_ratio else cost
            )
        return found

    def _costs(self, label: str, runs: Sequence[Score]) -> NDArray[np.float64]:
        """Return the scores of an optimizer as costs, infinite where a run failed."""
        costs = np.full(len(runs), np.inf)
        for i, score in enumerate(runs):
            if has_failed(score, label):
                continue
            costs[i] = self._cost(float(score))  # pyright: ignore[reportArgumentType]
            if self.is_ratio and costs[i] < 0:
                raise ValueError(f"{OUT_OF_RANGE[self.kind]} Received: {label}={score}")
        return costs

    def _cost(self, score: float) -> float:
        return 1 - score if self.kind == "accuracy" else score

    def _failed_cost(self, label: str, finite: NDArray[np.float64]) -> float:
        """Return what a failed run of an optimizer counts as."""
        if isinstance(self.limit, Mapping):
            return self._cost(self.limit[label])
        if self.limit is not None:
            return self._cost(self.limit)
        if not finite.size:
            return math.nan
        if self.is_ratio:
            worst = FAILED_COUNTS * float(finite.max())
            # An accuracy does not fall below 0, unless it is one like R^2 that does.
            limit = max(1.0, float(finite.max()))
            return min(worst, limit) if self.kind == "accuracy" else worst
        return float(2 * finite.max() - finite.min())

    def _floor(self, costs: NDArray[np.float64]) -> float:
        """Return the cost that a cost of 0 counts as."""
        if self.resolution is not None:
            return self.resolution / 2
        above = costs[np.isfinite(costs) & (costs > 0)]
        return float(above.min()) / 2 if above.size else 1.0


KINDS = get_args(Kind)
OUT_OF_RANGE = {
    "loss": 'A loss must be >= 0. For losses below 0 take kind="value".',
    "accuracy": "An accuracy must be at most 1. Divide percentages by 100.",
    "effort": "Steps or seconds to a target must be >= 0.",
}


def has_failed(score: Any, label: str) -> bool:
    """Return whether the score is of a failed run; refuse what is no number."""
    if score is None:
        return True
    if isinstance(score, bool | np.bool_) or not isinstance(score, numbers.Real):
        raise TypeError(
            "A score must be a number, or None for a failed run. "
            f"Received: {label}={shown(score)}"
        )
    return not math.isfinite(score)


def _is_finite(x: Any) -> bool:
    return isinstance(x, numbers.Real) and not isinstance(x, bool) and math.isfinite(x)


def _exp(x: float) -> float:
    return math.exp(min(x, 700.0))  # beyond, a float overflows
