"""Pictures in files, by matplotlib."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from keras_optlab.cli.console import code, out

MISSING = (
    "Pictures need matplotlib, which is not installed. "
    'Run: pip install "keras-optlab[plot]"'
)


def have_matplotlib() -> bool:
    """Return whether pictures can be made; without a window, by the Agg backend."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    import matplotlib

    matplotlib.use("agg")
    return True


def write(axes: Any, path: Path) -> None:
    """Write the figure of some axes, and say where.

    Raises:
        OSError: if the file cannot be written.
        ValueError: if there is no such format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    axes.figure.savefig(path, dpi=150, bbox_inches="tight")
    say_where(path)


def say_where(path: Path, what: str = "Picture") -> None:
    """Print the path of a file that was written."""
    out.print()
    out.print(f"{what}:")
    code(str(path))
