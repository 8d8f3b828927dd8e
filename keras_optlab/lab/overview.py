"""`Overview`: several studies side by side."""

from __future__ import annotations

import functools
import math
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_optlab.core.errors import shown
from keras_optlab.finders.text_table import text_table
from keras_optlab.lab.comparison import Comparison
from keras_optlab.lab.requirements import need
from keras_optlab.lab.scores import error_of
from keras_optlab.lab.statistics import PerformanceProfile, performance_profiles

if TYPE_CHECKING:
    import pandas as pd

FACTORS = (1.0, 1.1, 1.5, 2.0, 4.0)


class Overview:
    """Which optimizer is good on many problems: what several studies found together.

    Each study is read by its own objective: the median of the updates or seconds to the
    target, or of the final value, the error for an accuracy. Only optimizers that are
    in all studies, by their labels, are shown.

    Args:
        studies: Two or more studies of `compare`, or their folders, of different
            problems.

    Raises:
        FileNotFoundError: if a folder has no study.
        ValueError: if there are fewer than two studies, two of one problem, or no
            optimizer is in all of them.

    Example:
        >>> from keras_optlab import lab
        >>> found = lab.Overview(  # doctest: +SKIP
        ...     ["studies/mnist-mlp", "studies/diamonds-mlp"])
        >>> print(found)  # doctest: +SKIP
    """

    def __init__(self, studies: Sequence[Comparison | str | Path]) -> None:
        kinds = Comparison | str | os.PathLike
        if not isinstance(studies, list | tuple) or not all(
            isinstance(s, kinds) for s in studies
        ):
            raise TypeError(
                "`studies` must be a list of studies or their folders. "
                f"Received: studies={shown(studies)}"
            )
        made = [s if isinstance(s, Comparison) else Comparison(s) for s in studies]
        self._studies = {_title(study): study for study in made}
        if len(made) < 2 or len(self._studies) < len(made):
            raise ValueError(
                "expected two or more studies of different problems. Received: "
                f"studies of {', '.join(map(_title, made)) or 'nothing'}."
            )
        everywhere = set.intersection(*(set(study.settings) for study in made))
        self.labels = [label for label in made[0].labels if label in everywhere]
        if not self.labels:
            raise ValueError(
                "expected an optimizer that has final results in all studies. "
                f"Received: {', '.join(f'{k}: {v.labels}' for k, v in self._named())}."
            )

    @functools.cached_property
    def costs(self) -> dict[str, dict[str, float | None]]:
        """The median of each optimizer and study; `None` if half of its runs failed."""
        return {
            label: {name: _median(study, label) for name, study in self._named()}
            for label in self.labels
        }

    def profiles(self) -> tuple[PerformanceProfile, ...]:
        """Return the performance profiles: a study is a problem."""
        return performance_profiles(self.costs)

    def table(self) -> pd.DataFrame:
        """Return the medians as a pandas data frame, a row for each optimizer."""
        need("pandas")
        import pandas as pd

        return pd.DataFrame(self.costs).T.rename_axis("optimizer")

    def __str__(self) -> str:
        return text_table([[*row[1:], row[0]] for row in self.rows()])

    def rows(self) -> list[list[str]]:
        """Return a heading and a row for each optimizer, the best on average first.

        A row has the medians, and the shares of problems on which the optimizer is
        within a factor of the best one.
        """
        ranked = sorted(self.profiles(), key=lambda p: -p.area(FACTORS[-1]))
        within = [f"within {factor:g}x" for factor in FACTORS]
        rows = [["optimizer", *self._studies, *within]]
        for profile in ranked:
            costs = self.costs[profile.label].values()
            medians = ["-" if cost is None else f"{cost:.4g}" for cost in costs]
            shares = [f"{profile.at(factor):.0%}" for factor in FACTORS]
            rows.append([profile.label, *medians, *shares])
        return rows

    def _named(self) -> list[tuple[str, Comparison]]:
        return list(self._studies.items())


def _title(study: Comparison) -> str:
    config = study.study.config
    changes = ", ".join(f"{k} {v:g}" for k, v in config["changes"].items())
    return f"{config['problem']} ({changes})" if changes else config["problem"]


def _median(study: Comparison, label: str) -> float | None:
    """Return the median cost of an optimizer's runs; a failed one costs most."""
    final = study.objective == "final"
    mode = study.study.config["problem_facts"]["mode"] if final else "min"
    scores = study.scores(label, study.objective)
    median = statistics.median(error_of(score, mode) for score in scores)
    return median if math.isfinite(median) else None
