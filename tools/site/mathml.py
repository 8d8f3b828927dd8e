"""Formulas of a page as MathML, which browsers draw without any script."""

from __future__ import annotations

import re
from collections.abc import Callable

from latex2mathml.converter import convert

# Code stays as it is: fenced blocks, indented lines, and `code` in a line.
CODE = re.compile(r"(^```.*?^```$|^(?: {4}|\t)[^\n]*$|`[^`\n]+`)", re.M | re.S)
DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.S)
IN_LINE = re.compile(r"(?<![\\$\w])\$(?! )([^$\n]+?(?:\n[^$\n]+?)?)(?<! )\$(?!\w)")


def with_mathml(page: str) -> str:
    """Return a page with `$...$` and `$$...$$` outside of code as MathML.

    >>> with_mathml("A rate $r$, and `$HOME`.")
    'A rate <math><mrow><mi>r</mi></mrow></math>, and `$HOME`.'
    """
    parts = CODE.split(page)
    return "".join(
        part if number % 2 else _converted(part) for number, part in enumerate(parts)
    )


def _converted(text: str) -> str:
    text = DISPLAY.sub(_by("block"), text)
    return IN_LINE.sub(_by("inline"), text)


def _by(display: str) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        latex = " ".join(match[1].split())
        made = convert(latex, display=display)
        made = made.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
        made = made.replace(' display="inline"', "").replace("|", "&#x7C;")
        return (
            f'\n<div class="formula" tabindex="0">{made}</div>\n'
            if display == "block"
            else made
        )

    return replace
