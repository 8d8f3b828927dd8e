"""`write_report`: the page of a comparison, in one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from keras_optlab.lab.report.page import page
from keras_optlab.lab.requirements import need

if TYPE_CHECKING:
    from keras_optlab.lab.comparison import Comparison

TEMPLATES = Path(__file__).parent / "templates"


def write_report(comparison: Comparison, path: str | Path | None = None) -> Path:
    """Write the report of a comparison, one HTML file, and return its path.

    The file needs no network and no other file. The study may be unfinished.

    Args:
        comparison: The comparison.
        path: Where to write it. `None` is `report.html` in the study's folder; a
            folder gets a `report.html`. A file that is there is replaced.

    Raises:
        ImportError: if Jinja2 is not installed.
        OSError: if it cannot be written; a file that was there is then as before.
    """
    need("jinja2")
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    text = environment.get_template("report.html").render(page(comparison))
    path = comparison.study.folder / "report.html" if path is None else Path(path)
    path = path / "report.html" if path.is_dir() else path
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    return path
