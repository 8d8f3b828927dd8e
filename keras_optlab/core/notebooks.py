"""Parts of HTML that notebooks show for an object, as `_repr_html_` returns them."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Sequence
from typing import Any


def code(obj: Any) -> str:
    """Return the `repr` of an object.

    >>> code(1 < 2)
    '<code>True</code>'
    """
    return f"<code>{html.escape(repr(obj))}</code>"


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table.

    >>> table(["weight"], [["<all>"]])
    '<table><tr><th>weight</th></tr><tr><td>&lt;all&gt;</td></tr></table>'
    """
    lines = [f"<tr>{_cells('th', heads)}</tr>"]
    lines += [f"<tr>{_cells('td', row)}</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"


def picture(draw: Callable[[], Any], description: str) -> str:
    """Return a picture as an image in the text; nothing without matplotlib.

    Args:
        draw: Returns the figure.
        description: What it shows, for those who do not see it.
    """
    try:
        figure = draw()
    except ImportError:
        return ""
    from matplotlib import pyplot

    pyplot.close(figure)  # or a notebook would show it twice
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, bbox_inches="tight")
    data = base64.b64encode(file.getvalue()).decode()
    source = f"data:image/png;base64,{data}"
    alt = html.escape(description)
    return f'<img style="display: block" alt="{alt}" src="{source}">'


def _cells(tag: str, values: Sequence[Any]) -> str:
    return "".join(f"<{tag}>{html.escape(str(value))}</{tag}>" for value in values)
