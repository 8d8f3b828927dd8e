"""Pictures of the ways that optimizers take: one, and an animation."""

from __future__ import annotations

from pathlib import Path as File
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_optlab.core.figures import colour, new_axes

if TYPE_CHECKING:
    from keras_optlab.lab.paths import Path, Paths

SIZE = 7.2, 5.4  # inches
FRAMES, FRAME, PAUSE = 60, 80, 2500  # number; milliseconds of each, and of the last
LEVELS = 14  # contours
PLACES = 40  # of a way that are tried for its label


def draw(paths: Paths, ax: Any = None) -> Any:
    """Draw the ways over contours; return the axes."""
    axes = new_axes(SIZE) if ax is None else ax
    _ground(paths, axes)
    places = label_places(paths)
    for i, path in enumerate(paths.found):
        axes.plot(*path.points.T, "-", color=colour(i), linewidth=1.6, zorder=3)
        axes.plot(*path.points[-1], "o", color=colour(i), markersize=5, zorder=4)
        _label(axes, path.label, places[i], colour(i))
    axes.set_title(_wrapped(paths.conclusion), fontsize=10, loc="left")
    return axes


def animate(paths: Paths, file: File) -> File:
    """Write the ways as they grow; return the file."""
    axes = new_axes(SIZE, dpi=80)
    from matplotlib import pyplot
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    pyplot.close(axes.figure)
    canvas = FigureCanvasAgg(axes.figure)
    axes.set_position((0.09, 0.09, 0.88, 0.79))
    _ground(paths, axes)
    canvas.draw()
    ground = canvas.copy_from_bbox(canvas.figure.bbox)  # it is drawn once
    lines = _growing(paths, axes)
    octree = Image.Quantize.FASTOCTREE  # keeps the colours of thin lines apart
    heading = axes.set_title("", fontsize=10, loc="left")
    images = []
    for update in np.linspace(0, paths.updates, FRAMES + 1).round().astype(int):
        canvas.restore_region(ground)
        for path, line, head in lines:
            line.set_data(*path.points[: update + 1].T)
            head.set_data(*path.points[: update + 1][-1:].T)
        at_end = update == paths.updates
        title = paths.conclusion if at_end else f"{paths.problem.name}: update {update}"
        heading.set_text(_wrapped(title))
        for artist in (*axes.lines, *axes.texts, axes.get_legend(), heading):
            axes.draw_artist(artist)
        picture = np.asarray(canvas.buffer_rgba())[..., :3]
        images.append(Image.fromarray(picture.copy()).quantize(method=octree))
    times = [*([FRAME] * FRAMES), PAUSE]
    images[0].save(
        file, save_all=True, append_images=images[1:], duration=times, loop=0
    )
    return file


def _growing(paths: Paths, axes: Any) -> list[tuple[Path, Any, Any]]:
    """Return each way with its line and its head, which have no points yet."""
    lines = []
    for number, path in enumerate(paths.found):
        of_path = colour(number)
        (line,) = axes.plot([], [], color=of_path, linewidth=1.6, label=path.label)
        (head,) = axes.plot([], [], "o", color=of_path, markersize=5)
        lines.append((path, line, head))
    axes.legend(fontsize=8, loc="upper left", framealpha=0.9)
    return lines


def label_places(paths: Paths) -> list[np.ndarray]:
    """Return a point of each way that is far from other ways and their labels."""
    (left, right), (bottom, top) = paths.problem.surface.domain  # type: ignore[union-attr]
    low, size = np.array([left, bottom]), np.array([right - left, top - bottom])
    scaled = [_inside((path.points - low) / size) for path in paths.found]
    chosen: list[np.ndarray] = []
    for number, points in enumerate(scaled):
        others = [p for i, p in enumerate(scaled) if i != number]
        taken = np.concatenate([*others, *(c[None] for c in chosen)] or [points[:1]])
        every = max(1, len(points) // PLACES)
        tried = points[::-1][::every]
        apart = np.linalg.norm(tried[:, None] - taken[None], axis=-1).min(axis=1)
        to_labels = np.full(len(tried), 1.0)
        if chosen:
            gaps = tried[:, None] - np.stack(chosen)
            to_labels = np.linalg.norm(gaps, axis=-1).min(axis=1)
        best = np.argmax(np.minimum(apart, 0.05) + np.minimum(to_labels, 0.15))
        chosen.append(tried[best])
    return [low + place * size for place in chosen]


def _inside(points: np.ndarray) -> np.ndarray:
    """Return the points of the unit square; the first one if none is in it."""
    held = points[((points >= 0.02) & (points <= 0.9)).all(axis=1)]
    return held if len(held) else points[:1].clip(0.05, 0.9)


def _ground(paths: Paths, axes: Any) -> None:
    """Draw the contours, the start and the minimum."""
    surface: Any = paths.problem.surface
    x, y, height = surface.grid(200)
    above = height - surface.function(*np.array(surface.minimum))
    shown = np.log10(np.maximum(above, 0) + 1e-3 * np.median(above))
    axes.contourf(x, y, shown, LEVELS, cmap="Greys", alpha=0.45, zorder=0)
    axes.contour(x, y, shown, LEVELS, colors="white", linewidths=0.5, zorder=1)
    first: Path = paths.found[0]
    for point, mark, size, name in (
        (first.points[0], "s", 7, "start"),
        (surface.minimum, "*", 13, "minimum"),
    ):
        axes.plot(*point, mark, color="black", markersize=size, zorder=5)
        _label(axes, name, np.array(point), "black", offset=(-6, 9), side="right")
    axes.set_xlim(*surface.domain[0])
    axes.set_ylim(*surface.domain[1])
    axes.set_xlabel("x")
    axes.set_ylabel("y")
    axes.grid(visible=False)


def _label(
    axes: Any,
    text: str,
    place: np.ndarray,
    colour: str,
    offset: tuple[int, int] = (6, 6),
    side: str = "left",
) -> None:
    from matplotlib import patheffects

    halo = [patheffects.withStroke(linewidth=3, foreground="white")]
    axes.annotate(
        text,
        place,
        xytext=offset,
        textcoords="offset points",
        color=colour,
        fontsize=9,
        fontweight="bold",
        horizontalalignment=side,
        path_effects=halo,
        zorder=6,
    )


def _wrapped(text: str) -> str:
    import textwrap

    return textwrap.fill(text, 84)
