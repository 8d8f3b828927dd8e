"""Tables as text."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of texts in aligned columns, the last one to the left.

    >>> print(text_table([("n", "note"), ("10", "chosen")]))
     n  note
    10  chosen
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for *figures, note in rows:
        aligned = [x.rjust(w) for x, w in zip(figures, widths, strict=False)]
        lines.append("  ".join([*aligned, note]).rstrip())
    return "\n".join(lines)
