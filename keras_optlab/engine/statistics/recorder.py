"""Recording of norms and histograms for callbacks, inside the compiled step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.commit import waits_to_branch
from keras_optlab.engine.backend.replicas import scope_of
from keras_optlab.engine.backend.variables import Pairs
from keras_optlab.engine.statistics.histograms import (
    BINS,
    HISTOGRAMS,
    Histograms,
    histogram,
)
from keras_optlab.engine.statistics.previous_gradient import PreviousGradient
from keras_optlab.engine.statistics.ring_buffer import Records, Ring
from keras_optlab.engine.statistics.statistics import (
    COLUMNS,
    Clippings,
    Statistics,
    statistics_columns,
)
from keras_optlab.engine.weights.parameter import Parameter

CAPACITY = 64  # statistics kept until a callback fetches them
HISTOGRAM_SHAPE = len(HISTOGRAMS), BINS + 2


@dataclass(frozen=True)
class Requests:
    """When to record: at the first update, and at multiples of any of these numbers.

    Attributes:
        statistics: Updates between two records of norms.
        histograms: Updates between two records of histograms.
        cosines: Updates between two records of norms with the cosine of the gradient
            and that of the update before.
    """

    statistics: frozenset[int] = frozenset()
    histograms: frozenset[int] = frozenset()
    cosines: frozenset[int] = frozenset()


class Recorder:
    """The requests of callbacks, and the variables that a step records into.

    Recording costs nothing without requests: the first one creates the variables, which
    then stay. With requests it costs time only at the updates with a record: the first
    one, and then every n-th.
    """

    def __init__(self) -> None:
        self.variables: list[Variable] = []
        self.paths: list[str] = []
        self._add_rings: Callable[[], None] | None = None  # known after `build`
        self._asked: dict[str, tuple[int | None, int | None, bool]] = {}
        self._traced: Requests | None = None
        self._previous: PreviousGradient | None = None
        self._quiet = 0  # steps for which nothing is due, on a device
        self._seen: tuple[Requests, int] | None = None  # at the last step, and version

    def request(
        self,
        who: str,
        every: int | None,
        histograms_every: int | None,
        cosine: bool = False,
    ) -> bool:
        """Request norms and histograms; return whether the step must be retraced.

        Args:
            who: Name of the caller; its next request replaces this one.
            every: Updates between two records of norms, or `None` for none.
            histograms_every: The same for histograms.
            cosine: Whether to record with the norms the cosine of consecutive
                gradients. The first such request creates a copy of the gradient, which
                then stays.

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
            self._asked[who] = every, histograms_every, cosine
        self._add_variables()
        return self._requests != self._traced

    @property
    def _requests(self) -> Requests:
        asked = self._asked.values()
        return Requests(
            frozenset(norms for norms, _, _ in asked if norms),
            frozenset(histograms for _, histograms, _ in asked if histograms),
            frozenset(norms for norms, _, cosine in asked if norms and cosine),
        )

    def build(
        self,
        add_variable: Callable[..., Variable],
        add_slot: Callable[..., Variable],
        parameters: Sequence[Parameter],
    ) -> None:
        """Learn of the weights; create the variables if there is a request.

        Args:
            add_variable: Creates a variable from its name, shape and type.
            add_slot: Creates one beside a weight, from the weight, name, shape, type
                and initializer.
            parameters: The weights that are not frozen.
        """
        self.paths = [p.path for p in parameters]
        self._add_rings = partial(self._make_rings, add_variable, parameters)
        self._make_previous = partial(
            PreviousGradient, add_variable, add_slot, parameters
        )
        self._add_variables()

    def _add_variables(self) -> None:
        """Create what is needed for the first time."""
        if self._add_rings is None or not self._asked or not self.paths:
            return
        if not self.variables:
            self._add_rings()
        if self._previous is None and self._requests.cosines:
            self._previous = self._make_previous()
            self.variables = self.variables + self._previous.variables

    def _make_rings(
        self, add_variable: Callable[..., Variable], parameters: Sequence[Parameter]
    ) -> None:
        count = len(parameters)
        norms, bins = (count, len(COLUMNS)), (count, *HISTOGRAM_SHAPE)
        with scope_of(parameters[0].variable):
            self._norms = Ring(add_variable, "statistics", CAPACITY, norms)
            self._bins = Ring(add_variable, "histograms", 1, bins)
        self.variables = self._norms.variables + self._bins.variables

    def due(self, done: Tensor) -> Tensor | bool:
        """Return whether the update after `done` updates is recorded, in this trace.

        The gradient before a cosine is recorded too.
        """
        self._traced = wanted = self._requests
        if not self._asked or not self.variables:
            return False
        if waits_to_branch(done):
            return self._due_on_device(done, wanted)
        t = done + 1
        now = _due(t, wanted.statistics | wanted.histograms)
        before_one = _due(t + 1, wanted.cosines)
        if now is True or before_one is False:
            return now
        return ops.logical_or(now, before_one)

    def _due_on_device(self, done: Tensor, wanted: Requests) -> bool:
        """Return the same for a counter on a device; read it only if it may be due.

        A step adds at most 1 to the counter, by one write. More writes since the last
        step are those of a restored state.
        """
        expected = wanted, done._version - 1
        if self._seen != expected or self._quiet <= 0:
            count = int(done) + 1
            every, cosines = wanted.statistics | wanted.histograms, wanted.cosines
            ahead = [n - count % n for n in every]
            ahead += [n - (count + 1) % n for n in cosines]
            self._quiet = min(ahead)
            due = count == 1 or any(count % n == 0 for n in every)
            due = due or any((count + 1) % n == 0 for n in cosines)
        else:
            due = False
        self._seen = wanted, done._version
        self._quiet -= 1
        return due

    def record(
        self,
        t: Tensor,
        rows: list[int],
        unpenalized: list[Tensor],
        gradient: list[Tensor],
        transformed: list[Tensor],
        update: list[Tensor],
        weight: list[Tensor],
        clippings: Clippings,
    ) -> Pairs:
        """Return the variables and values that record update `t`, for these rows."""
        wanted, height = self._requests, len(self.paths)
        previous = self._previous if wanted.cosines else None
        by_row = dict(zip(rows, gradient, strict=True))

        def norms() -> Tensor:
            columns = statistics_columns(
                unpenalized, gradient, transformed, update, weight, clippings
            )
            if previous is None:
                two = ops.zeros((height, 2), "float32")
            else:
                two = previous.columns(t, by_row)
            return ops.concatenate([_scatter(columns, rows, height), two], axis=1)

        def bins() -> Tensor:
            layers = zip(gradient, update, weight, strict=True)
            table = [ops.stack([histogram(x) for x in xs]) for xs in layers]
            return _scatter(ops.stack(table), rows, height)

        pairs: Pairs = []
        if wanted.statistics:
            pairs += self._norms.write(_due(t, wanted.statistics), t, norms)
        if wanted.histograms:
            pairs += self._bins.write(_due(t, wanted.histograms), t, bins)
        if previous is not None:
            pairs += previous.keep(_due(t + 1, wanted.cosines), t, by_row)
        return pairs

    def statistics(self) -> Statistics | None:
        """Return the last statistics, or `None` before the first."""
        last = self._statistics(self._norms.last()) if self.variables else []
        return last[0] if last else None

    def histograms(self) -> Histograms | None:
        """Return the last histograms, or `None` before the first."""
        last = self._histograms(self._bins.last()) if self.variables else []
        return last[0] if last else None

    def statistics_since(self, count: int) -> tuple[int, list[Statistics]]:
        """Return the number of records so far, and the records after the first `count`.

        Only the last `CAPACITY` records are kept. They are returned oldest first.
        """
        now, records = self._norms.since(count) if self.variables else (0, [])
        return now, self._statistics(records)

    def histograms_since(self, count: int) -> tuple[int, list[Histograms]]:
        """Return the same for histograms, of which only the last is kept."""
        now, records = self._bins.since(count) if self.variables else (0, [])
        return now, self._histograms(records)

    def _statistics(self, records: Records) -> list[Statistics]:
        return [Statistics.from_table(at, table, self.paths) for at, table in records]

    def _histograms(self, records: Records) -> list[Histograms]:
        return [Histograms.from_table(at, table, self.paths) for at, table in records]


def _due(t: Tensor, cadences: frozenset[int]) -> Tensor | bool:
    """Return whether something is recorded at update `t`; a bool if always or never."""
    if not cadences or 1 in cadences:
        return bool(cadences)
    due = t == 1
    for every in sorted(cadences):
        due = ops.logical_or(due, t % every == 0)
    return due


def _scatter(rows: Tensor, indices: list[int], height: int) -> Tensor:
    """Return a table of this height with these rows, and zeros elsewhere."""
    if indices == list(range(height)):
        return rows
    where = ops.expand_dims(ops.convert_to_tensor(indices, "int32"), axis=1)
    return ops.scatter(where, rows, (height, *rows.shape[1:]))
