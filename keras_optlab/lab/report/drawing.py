"""`Drawing`: an SVG picture that is also told in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from keras_optlab.lab.report.scales import Scale

WIDTH = 360  # of the view box; texts are 11 of its units high
LETTER = 5.9  # mean width of a letter

Point = tuple[float, float]


@dataclass
class Drawing:
    """A picture, drawn from the back to the front.

    Attributes:
        name: What tells it from the other pictures of a page.
        title: What it shows.
        about: What is to be seen, for those who do not see it.
        height: Height of the view box; its width is 360.
    """

    name: str
    title: str
    about: str
    height: float
    _parts: list[str] = field(default_factory=list)

    def open(self, kind: str, number: int | None = None, hint: str = "") -> None:
        """Begin a group, such as all of one optimizer."""
        of = "" if number is None else f' data-of="{number}"'
        self._parts.append(f'<g class="{kind}"{of}>{_hint(hint)}')

    def close(self) -> None:
        """End the group."""
        self._parts.append("</g>")

    def line(self, points: Sequence[Point], kind: str) -> None:
        """Draw a line through points."""
        self._parts.append(f'<path class="{kind}" d="{_path(points)}"/>')

    def area(self, points: Sequence[Point], kind: str) -> None:
        """Fill the area within points."""
        self._parts.append(f'<path class="{kind}" d="{_path(points)}z"/>')

    def box(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """Draw a rectangle."""
        self._parts.append(
            f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{max(width, 0.5):.4g}" '
            f'height="{height:g}" rx="2"/>'
        )

    def dot(self, x: float, y: float, r: float, kind: str, hint: str = "") -> None:
        """Draw a disc."""
        self._parts.append(
            f'<circle class="{kind}" cx="{x:g}" cy="{y:g}" r="{r:g}">{_hint(hint)}'
            "</circle>"
        )

    def cross(self, x: float, y: float, r: float, kind: str, hint: str = "") -> None:
        """Draw a diagonal cross."""
        d = f"M{x - r:g} {y - r:g}l{2 * r} {2 * r}m0 -{2 * r}l-{2 * r} {2 * r}"
        self._parts.append(f'<path class="{kind}" d="{d}">{_hint(hint)}</path>')

    def text(self, x: float, y: float, text: str, kind: str = "") -> None:
        """Write a text; the kinds `end` and `middle` say which part of it is at x."""
        self._parts.append(
            f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(text)}</text>'
        )

    def columns(self, scale: Scale, top: float, bottom: float, name: str) -> None:
        """Draw a horizontal axis below `bottom`, with its name and vertical lines."""
        last = -99.0
        ticks = sorted((scale.at(value), text) for value, text in scale.ticks(6))
        for x, text in ticks:
            half = LETTER * len(text) / 2
            self.line([(x, top), (x, bottom)], "grid")
            if x - half > last + 4:
                place = min(x, WIDTH - half)
                self.text(place, bottom + 14, text, "middle")
                last = place + half
        self.text((scale.start + scale.end) / 2, bottom + 29, name, "middle name")

    def rows(self, scale: Scale, left: float, right: float) -> None:
        """Draw a vertical axis left of `left`, with horizontal lines."""
        for value, text in scale.ticks(5):
            y = scale.at(value)
            self.line([(left, y), (right, y)], "grid")
            self.text(left - 5, y + 4, text, "end")

    def __html__(self) -> str:
        """Return the picture as HTML, which templates do not escape again."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {self.height:g}" role="img" '
            f'aria-labelledby="{self.name}-title" aria-describedby="{self.name}-about">'
            f'<title id="{self.name}-title">{escape(self.title)}</title>'
            f'<desc id="{self.name}-about">{escape(self.about)}</desc>'
            f"{''.join(self._parts)}</svg>"
        )


def shortened(text: str, width: float) -> str:
    """Return a text, cut so that it fits a width.

    >>> shortened("schedulefreeadamw", 100), shortened("adam", 100)
    ('schedulefreeada…', 'adam')
    """
    letters = int(width / LETTER)
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _hint(text: str) -> str:
    return f"<title>{escape(text)}</title>" if text else ""


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
