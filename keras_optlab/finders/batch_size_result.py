"""What `find_batch_size` found."""

from __future__ import annotations

from typing import Any

from keras_optlab.core.figures import BLUE, GREEN, RED, new_axes
from keras_optlab.finders.batch_size_search import BatchSizeSearch, in_gib
from keras_optlab.finders.text_table import text_table

HINT = (
    "The learning rate belongs to the batch size, and is unchanged: find it anew for "
    "another size. Scaling it by the ratio of the sizes (SGD) or by its square root "
    "(Adam) is a rule of thumb."
)


class BatchSizeResult:
    """The batch size at the knee of the throughput, and the figures of all sizes.

    Attributes:
        batch_size: The smallest size with nearly the highest throughput; it ran.
        throughput: Examples per second by batch size, of all sizes that ran.
        memory: Bytes at the peak by batch size, where they are known.
        memory_label: What `memory` measures.
        not_run: Why other sizes are not proposed, by batch size.
        hint: What to do about the learning rate.
        seconds: Seconds that the search took.
    """

    hint = HINT

    def __init__(self, search: BatchSizeSearch, seconds: float) -> None:
        sizes = sorted(search.sizes.values(), key=lambda s: s.batch_size)
        self.batch_size = search.chosen.batch_size
        self.throughput = {s.batch_size: s.throughput for s in sizes if not s.note}
        self.memory = {
            s.batch_size: s.peak for s in sizes if not s.note and s.peak is not None
        }
        self.memory_label = search.memory.label
        self.not_run = {s.batch_size: s.note for s in sizes if s.note}
        self._tolerance = search.tolerance
        self.seconds = seconds

    def table(self) -> str:
        """Return the figures of all sizes as text."""
        rows = [("batch_size", "examples/s", "ms/step", "memory", "")]
        for n in sorted({**self.throughput, **self.not_run}):
            rate, peak = self.throughput.get(n), self.memory.get(n)
            rows.append(
                (
                    str(n),
                    "" if rate is None else f"{rate:.0f}",
                    "" if rate is None else f"{1000 * n / rate:.3g}",
                    "" if peak is None else in_gib(peak),
                    "chosen" if n == self.batch_size else self.not_run.get(n, ""),
                )
            )
        return f"{text_table(rows)}\nmemory: {self.memory_label}\n{self.hint}"

    def plot(self, ax: Any = None) -> Any:
        """Draw throughput and memory over the batch size; return the matplotlib axes.

        Args:
            ax: Axes to draw on; `None` makes a figure.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        if ax is None:
            ax = new_axes((6.4, 4.8), instead="print `result.table()`")
        sizes, rates = list(self.throughput), list(self.throughput.values())
        ax.plot(sizes, rates, "o-", color=BLUE, label="throughput")
        ax.plot(
            self.batch_size,
            self.throughput[self.batch_size],
            "o",
            color=RED,
            markersize=10,
            label=f"chosen: {self.batch_size}",
        )
        enough = (1 - self._tolerance) * max(rates)
        ax.axhline(enough, color=BLUE, linestyle=":", label="nearly the highest")
        ax.set_xscale("log", base=2)
        ax.set_xlabel("batch size")
        ax.set_ylabel("examples per second")
        ax.set_ylim(bottom=0)
        if self.memory:
            beside = ax.twinx()
            gib = [peak / 2**30 for peak in self.memory.values()]
            beside.plot(list(self.memory), gib, "s--", color=GREEN)
            beside.set_ylabel(f"{self.memory_label} (GiB)", color=GREEN)
            beside.set_ylim(bottom=0)
        ax.legend()
        return ax

    def __repr__(self) -> str:
        rate = self.throughput[self.batch_size]
        return (
            f"<BatchSizeResult batch_size={self.batch_size}: {rate:.0f} examples/s, "
            f"{rate / max(self.throughput.values()):.0%} of the highest measured>"
        )
