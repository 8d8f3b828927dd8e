r"""LaTeX of docstrings as text for a terminal, by pylatexenc.

>>> to_text(r"\hat m_t / (\sqrt{v_{t-1}} + \epsilon)")
'm̂ₜ / (√vₜ₋₁ + ε)'
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from typing import Any

OPEN, CLOSE = "([⟨⌊", ")]⟩⌋"
SMALL_PARTS = re.compile(r"([_^])(\{[^{}]*\}|[^\s({])")
UNDERSCORE = "\ue000"  # one that begins no index


def to_text(latex: str) -> str:
    """Return a formula in one line of Unicode."""
    text = _converter().latex_to_text(latex.replace(r"\tfrac", r"\frac"))
    text = text.replace("-", "−").replace("ϵ", "ε").replace("ϕ", "φ")
    for _ in range(2):  # an index in an index is written first
        text = SMALL_PARTS.sub(_small, text)
    text = text.translate({ord("{"): "", ord("}"): "", ord(UNDERSCORE): "_"})
    return _spaced(text)


def _spaced(text: str) -> str:
    """Return a formula with the spaces that LaTeX would have made."""
    text = re.sub(r" ?([=+<>⊙←∼≤≥±⋯·]) ?", r" \1 ", text)
    text = re.sub(r"(?<=\S)([−/]) ", r" \1 ", text)
    text = re.sub(r" ?× ?", " × ", text)
    text = re.sub(r"× (?=[₀-ₜᵢ])", "×", text)
    text = re.sub(r"(?<=\w)√", " √", text)
    text = re.sub(r"(?<=[\w)\]]) ?(?=(?:sign|clip|max|min|mean)\b)", " ", text)
    text = " ".join(text.split())
    text = re.sub(r"(?<=[(\[⟨⌊]) | (?=[)\]⟩⌋,])", "", text)
    return re.sub(r"\(([−±]) ", r"(\1", text)


def lines(latex: str) -> list[str]:
    r"""Return a formula's equations, a line each; `\qquad` stands between them."""
    parts = re.split(r"\\qquad", latex)
    return [text for part in parts if (text := to_text(part).rstrip(", "))]


def in_prose(text: str) -> str:
    """Return a paragraph with its formulas, `$...$`, as text."""
    return re.sub(r"\$([^$]+)\$", lambda found: to_text(found[1]), text)


@functools.cache
def _converter() -> Any:
    from pylatexenc import latex2text

    def made(name: str, by: Any) -> Any:
        return latex2text.MacroTextSpec(name, simplify_repl=by)

    macros = [
        made("frac", _fraction),
        made("sqrt", _root),
        made("operatorname", " "),
        *(made(size, "") for size in ("Bigl", "Bigr", "bigl", "bigr", "Big", "big")),
        made("|", "‖"),
        made("!", ""),
        made(",", " "),
        made(";", " "),
        made("top", "⊤"),
        made("_", UNDERSCORE),
    ]
    context = latex2text.get_default_latex_context_db()
    context.add_context_category("here", prepend=True, macros=macros)
    return latex2text.LatexNodes2Text(
        latex_context=context,
        math_mode="text",
        keep_braced_groups=True,
        keep_braced_groups_minlen=2,
    )


def _argument(node: Any, l2tobj: Any, number: int = -1) -> str:
    """Return an argument of a macro as text, without its braces."""
    found = node.nodeargd.argnlist[number]
    inside = getattr(found, "nodelist", None)
    return l2tobj.nodelist_to_text([found] if inside is None else inside).strip()


def _fraction(node: Any, l2tobj: Any) -> str:
    above, below = _argument(node, l2tobj, 0), _argument(node, l2tobj, 1)
    return f" {_bracketed(above)} / {_bracketed(below)} "


def _root(node: Any, l2tobj: Any) -> str:
    return f"√{_bracketed(_argument(node, l2tobj))}"


def _bracketed(text: str) -> str:
    """Return a text in brackets if it has several parts that are not in brackets."""
    depth = 0
    for sign in text:
        depth += (sign in OPEN) - (sign in CLOSE)
        if not depth and sign.isspace():
            return f"({text})"
    return text


def _small(found: re.Match[str]) -> str:
    """Return an index or exponent in small letters, if Unicode has all of them."""
    which, inside = found[1], found[2].strip("{}")
    letters = _letters("<sub>" if which == "_" else "<super>")
    wanted = inside.replace(" ", "").replace("⊤", "T")
    if all(sign in letters for sign in wanted):
        return "".join(letters[sign] for sign in wanted)
    single = len(inside) == 1 or (which == "_" and inside.isalpha())
    return f"{which}{inside}" if single else f"{which}({inside})"


@functools.cache
def _letters(kind: str) -> dict[str, str]:
    """Return Unicode's small letters, `"<sub>"` or `"<super>"`, by the usual ones."""
    found = {}
    for code in range(sys.maxunicode + 1):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and parts[0] == kind:
            found.setdefault(chr(int(parts[1], 16)), chr(code))
    return found
