"""Records what callbacks asked a step for, inside the compiled step itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_optlab.engine.backends import Pairs, read
from keras_optlab.engine.histograms import BINS, HISTOGRAMS, Histograms, histogram
from keras_optlab.engine.statistics import (
    COLUMNS,
    Clippings,
    Statistics,
    statistics_columns,
)

Tensor = Any
Variable = Any


@dataclass(frozen=True)
class Requests:
    """At which updates something is recorded: at the multiples of any of these.

    Attributes:
        statistics: Updates between two records of norms.
        histograms: Updates between two records of histograms.
    """

    statistics: frozenset[int] = frozenset()
    histograms: frozenset[int] = frozenset()


class Recorder:
    """The requests of callbacks, and the variables that a step records into.

    A step costs nothing more than it did where no one asks, and otherwise only on the
    updates that were asked for: the first, and every so many.
    """

    def __init__(self) -> None:
        self.variables: list[Variable] = []
        self._asked: dict[str, tuple[int | None, int | None]] = {}
        self._traced: Requests | None = None

    def request(
        self, who: str, every: int | None, histograms_every: int | None
    ) -> bool:
        """Ask for norms and histograms; return whether the step must be traced anew.

        Raises:
            ValueError: if a number is not an integer >= 1.
        """
        for name, n in ("every", every), ("histograms_every", histograms_every):
            if n is not None and (not isinstance(n, int) or n < 1):
                raise ValueError(
                    f"`{name}` must be an integer >= 1 or None. Received: {name}={n!r}"
                )
        self._asked.pop(who, None)
        if every or histograms_every:
            self._asked[who] = every, histograms_every
        return self._requests != self._traced

    @property
    def _requests(self) -> Requests:
        asked = self._asked.values()
        return Requests(
            frozenset(norms for norms, _ in asked if norms),
            frozenset(histograms for _, histograms in asked if histograms),
        )

    def build(self, add_variable: Callable[..., Variable], paths: list[str]) -> None:
        """Create what is recorded into, given the paths of the weights.

        Args:
            add_variable: Creates a variable from its name, shape and type.
            paths: The paths of the weights that are not frozen.
        """
        rows, sides = len(paths), len(HISTOGRAMS)
        self.paths = paths
        self.table = add_variable("statistics", (rows, len(COLUMNS)), "float32")
        self.table_step = add_variable("statistics_step", (), "int")
        self.bins = add_variable("histograms", (rows, sides, BINS + 2), "float32")
        self.bins_step = add_variable("histograms_step", (), "int")
        self.variables = [self.table, self.table_step, self.bins, self.bins_step]

    def record(
        self,
        t: Tensor,
        rows: list[int],
        gradient: list[Tensor],
        transformed: list[Tensor],
        update: list[Tensor],
        weight: list[Tensor],
        clippings: Clippings,
    ) -> Pairs:
        """Return the new records of update `t`, for the weights in these rows."""

        def statistics() -> Tensor:
            columns = statistics_columns(
                gradient, transformed, update, weight, clippings
            )
            return _scatter(columns, rows, self.table.shape)

        def histograms() -> Tensor:
            layers = zip(gradient, update, weight, strict=True)
            table = [ops.stack([histogram(x) for x in xs]) for xs in layers]
            return _scatter(ops.stack(table), rows, self.bins.shape)

        self._traced = wanted = self._requests
        return [
            *_on(wanted.statistics, t, self.table, self.table_step, statistics),
            *_on(wanted.histograms, t, self.bins, self.bins_step, histograms),
        ]

    def statistics(self) -> Statistics | None:
        """Return the last statistics, or `None` before the first."""
        at = self._at("table_step")
        if not at:
            return None
        table = ops.convert_to_numpy(self.table)
        return Statistics.from_table(at, table, self.paths)

    def histograms(self) -> Histograms | None:
        """Return the last histograms, or `None` before the first."""
        at = self._at("bins_step")
        if not at:
            return None
        table = ops.convert_to_numpy(self.bins)
        return Histograms.from_table(at, table, self.paths)

    def _at(self, step: str) -> int:
        built = bool(self.variables)
        return int(ops.convert_to_numpy(getattr(self, step))) if built else 0


def _on(
    cadences: frozenset[int],
    t: Tensor,
    table: Variable,
    step: Variable,
    measure: Callable[[], Tensor],
) -> Pairs:
    """Return a table and its step, measured anew if update `t` is due."""
    if not cadences:
        return []
    due = t == 1
    for every in sorted(cadences):
        due = ops.logical_or(due, t % every == 0)
    return [
        (table, ops.cond(due, measure, lambda: read(table))),
        (step, ops.where(due, t, read(step))),
    ]


def _scatter(rows: Tensor, indices: list[int], shape: tuple[int, ...]) -> Tensor:
    """Return a table whose other rows are zero."""
    if indices == list(range(shape[0])):
        return rows
    where = ops.expand_dims(ops.convert_to_tensor(indices, "int32"), axis=1)
    return ops.scatter(where, rows, shape)
