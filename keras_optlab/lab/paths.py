"""`paths`: the ways that optimizers take on a function of two numbers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

import keras
import numpy as np

from keras_optlab.core.arguments import number, optional_function
from keras_optlab.core.errors import suggest
from keras_optlab.lab.problems import Problem, find, names
from keras_optlab.lab.trials import Candidate, Setting, parsed

FAR = 1e4  # a coordinate from which no optimizer comes back
LOWER = 1 / 30  # of the lowest declared rate: these functions are steep and wide
LARGEST_RATE = 1.0  # that is tried at least


@dataclass(frozen=True)
class Path:
    """The way of one optimizer, at the best of the rates that were tried.

    Attributes:
        label: The optimizer.
        setting: Its setting.
        points: x and y at the start and after each update: `(updates + 1, 2)`.
        heights: The function above its minimum at these points: `(updates + 1,)`.
    """

    label: str
    setting: Setting
    points: np.ndarray
    heights: np.ndarray

    @property
    def end(self) -> float:
        """The function above its minimum after the last update."""
        return float(self.heights[-1])

    def updates_to(self, height: float) -> int | None:
        """Return the updates until the function stays at most so far above it."""
        above = np.flatnonzero(~(self.heights <= height))
        first = above[-1] + 1 if len(above) else 0
        return int(first) if first < len(self.heights) else None


@dataclass(frozen=True)
class Paths:
    """The ways of several optimizers, the one that got lowest first.

    Attributes:
        problem: The problem, with its `surface`.
        updates: Length of each way.
        rates: Rates that were tried for each optimizer.
        found: The ways.
    """

    problem: Problem
    updates: int
    rates: int
    found: tuple[Path, ...]

    @property
    def conclusion(self) -> str:
        """Who got how far, in a sentence."""
        first, *others = self.found
        text = f"{first.label} comes closest to the minimum in {self.updates} updates"
        figures = [f"{p.label} {p.end:.2g}" for p in others]
        rest = f"; {', '.join(figures)}" if figures else ""
        return f"{text}: {first.end:.2g} above it{rest}."

    def plot(self, ax: Any = None) -> Any:
        """Draw the ways over contours; needs matplotlib. Return the axes.

        Args:
            ax: matplotlib axes to draw into. Defaults to those of a new figure.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        from keras_optlab.lab.path_pictures import draw

        return draw(self, ax)

    def animate(self, path: str | File) -> File:
        """Write an animation of the ways, GIF; needs matplotlib and Pillow.

        Args:
            path: Where to write it.

        Returns:
            The path.

        Raises:
            ImportError: if matplotlib or Pillow is not installed.
            OSError: if the file cannot be written.
        """
        from keras_optlab.lab.path_pictures import animate

        return animate(self, File(path))

    def __str__(self) -> str:
        return self.conclusion


def paths(
    problem: Any,
    optimizers: Sequence[Any],
    *,
    updates: int = 200,
    rates: int = 7,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Paths:
    """Return the ways that optimizers take on a function of two numbers.

    Each optimizer has the schedule that its class declares, and the best of several
    learning rates: from 1/30 of the lowest one that its class declares to the highest,
    or 1 if that is higher. One whose `learning_rate` is given has this one only. The
    best is the one at which the function is lowest after the last update.

    Args:
        problem: `"rosenbrock"`, `"beale"`, `"rastrigin"`, `"saddle"`, or another
            problem with a `surface`, as `problems.find` takes.
        optimizers: Names like `"adamw"`, `"ema(adamw)"`, `"sgd(learning_rate=1e-3)"`,
            or `Candidate`s.
        updates: Length of each way; integer >= 1.
        rates: Learning rates that are tried; integer >= 1.
        seed: Seed of what is random in an optimizer.
        progress: Called after each training with the number of trainings that are done,
            that of all, and the optimizer's label.

    Raises:
        ValueError: if the problem has no surface, an argument is out of range, or an
            optimizer ends nowhere at any rate.
        TypeError: if an argument is of a wrong type.

    Example:
        >>> from keras_optlab.lab import paths
        >>> found = paths("saddle", ["sgd(learning_rate=0.1)"], updates=20)
        >>> found.found[0].points.shape
        (21, 2)
    """
    made = find(problem)
    if made.surface is None:
        raise ValueError(
            "expected a problem of two numbers, with a `surface`. Received: "
            f"{made.name!r}. {suggest(made.name, _with_surface())}"
        )
    updates = number("updates", updates, "[1, 1000000]", "length", integer=True)
    rates = number("rates", rates, "[1, 1000]", "learning rates tried", integer=True)
    seed = number("seed", seed, f"[0, {2**31}]", "seed of the noise", integer=True)
    optional_function("progress", progress)
    candidates = parsed(optimizers)
    settings = [_settings(candidate, rates) for candidate in candidates]
    total, done, found = sum(map(len, settings)), 0, []
    for candidate, of_it in zip(candidates, settings, strict=True):
        tried = []
        for setting in of_it:
            tried.append(_walk(made, candidate.label, setting, updates, seed))
            done += 1
            if progress is not None:
                progress(done, total, candidate.label)
        found.append(_best(tried))
    found.sort(key=lambda path: path.end)
    return Paths(made, updates, rates, tuple(found))


def _with_surface() -> list[str]:
    return [name for name in names() if find(name).surface is not None]


def _settings(candidate: Candidate, number: int) -> list[Setting]:
    """Return the settings of all rates that are tried."""
    domain = candidate.tuning.learning_rate
    if domain is None or "learning_rate" in candidate.fixed:
        return [candidate.setting({})]
    lowest, highest = domain.low * LOWER, max(domain.high, LARGEST_RATE)
    values = np.geomspace(lowest, highest, number) if number > 1 else [domain.at(0.5)]
    return [candidate.setting({"learning_rate": float(f"{v:.3g}")}) for v in values]


class _Recorder(keras.callbacks.Callback):
    """The point after each update; the training ends where it runs away."""

    def __init__(self) -> None:
        super().__init__()
        self.points: list[np.ndarray] = []
        self.diverges = False

    def _keep(self) -> None:
        point = keras.ops.convert_to_numpy(self.model.trainable_variables[0].value)
        self.points.append(np.array(point, "float64"))

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Keep the start."""
        self._keep()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Keep the point, and end where it is too far."""
        self._keep()
        if not np.abs(self.points[-1]).max() < FAR:
            self.diverges = self.model.stop_training = True


def _walk(
    problem: Problem, label: str, setting: Setting, updates: int, seed: int
) -> Path:
    """Return the way of an optimizer, at most until it diverges."""
    surface: Any = problem.surface
    keras.utils.set_random_seed(seed)
    model = problem.new_model()
    model.compile(setting.build(updates), problem.loss)
    recorder = _Recorder()
    nothing = np.zeros((updates, 1), "float32")  # the loss needs no data
    how: Any = {"batch_size": 1, "shuffle": False, "verbose": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps that are skipped: far too large ones
        model.fit(nothing, nothing, callbacks=[recorder], **how)
    points = np.stack(recorder.points)
    with np.errstate(all="ignore"):
        heights = surface.function(points[:, 0], points[:, 1])
        heights = heights - surface.function(*np.array(surface.minimum))
    if recorder.diverges:
        heights[-1] = np.inf
    return Path(label, setting, points, heights)


def _best(tried: list[Path]) -> Path:
    """Return the way with the lowest end."""
    finite = [path for path in tried if math.isfinite(path.end)]
    if not finite:
        raise ValueError(
            f"The optimizer diverges at each rate. Received: {tried[0].label}. Give it "
            f"a smaller one: {tried[0].setting.optimizer}(learning_rate=1e-6)"
        )
    return min(finite, key=lambda path: path.end)
