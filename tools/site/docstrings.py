"""Docstrings as Markdown: sections become headings, arguments become tables."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from keras_optlab.cli.docstrings import SECTIONS
from keras_optlab.engine.hyperparameters.documentation import HEADING

TITLE = re.compile(rf"({'|'.join(SECTIONS)}|Warns|Yields):\s*(.*)")
ENTRY = re.compile(r"    (\**[\w.]+(?:, \**\w+)*): (.*)")
HEADINGS = {"Args": "Arguments", "Source": "Source", "Example": "Example"}


def summary(obj: Any) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(obj) or "").partition("\n")[0]


def signature(name: str, obj: Any) -> str:
    """Return how a class or a function is called, as a block of code."""
    parameters = inspect.signature(obj).parameters.values()
    plain = (p.replace(annotation=p.empty) for p in parameters if p.name != "self")
    return f"```python\n{name}({', '.join(map(str, plain))})\n```"


def markdown(obj: Any, level: int = 2, skip: tuple[str, ...] = ()) -> str:
    """Return a docstring as Markdown, without its first line.

    Args:
        obj: A class or a function.
        level: Of the headings of sections.
        skip: Sections to leave out.
    """
    text = (inspect.getdoc(obj) or "").partition(HEADING)[0]
    parts = []
    for name, lines in sections(text.partition("\n")[2]):
        body = _code_fenced("\n".join(lines).strip("\n"))
        if name in skip or not body.strip():
            continue
        if name:
            parts.append(f"{'#' * level} {HEADINGS.get(name, name)}")
        parts.append(
            _table(lines) if _has_entries(lines) else textwrap.dedent(body).strip("\n")
        )
    return "\n\n".join(parts)


def sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the sections of a docstring with their lines; the first has no name."""
    name: str = ""
    lines: list[str] = []
    for line in text.splitlines():
        title = TITLE.fullmatch(line)
        if title or (line.startswith(">>> ") and name not in ("", "Example")):
            yield name, lines
            name, lines = (title[1], [title[2]]) if title else ("Example", [line])
        else:
            lines.append(line)
    yield name, lines


def _has_entries(lines: list[str]) -> bool:
    return any(ENTRY.fullmatch(line) for line in lines)


def _table(lines: list[str]) -> str:
    entries = _entries(lines)
    rows = [f"| `{name}` | {cell(' '.join(text))} |" for name, text in entries]
    return "\n".join(["| name | meaning |", "|---|---|", *rows])


def _entries(lines: list[str]) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        entry = ENTRY.fullmatch(line)
        if entry:
            found.append((entry[1], [entry[2]]))
        elif line.strip() and found:
            found[-1][1].append(line.strip())
    return found


def cell(text: str) -> str:
    """Return text for a cell of a table, where a bar outside of code would end it.

    >>> cell("a | b, `c | d`")
    'a &#124; b, `c | d`'
    """
    parts = re.split("(`[^`]*`)", text)
    parts[::2] = [part.replace("|", "&#124;") for part in parts[::2]]
    return "".join(parts)


def _code_fenced(text: str) -> str:
    """Return text with examples as blocks of code."""
    lines, found, inside = text.splitlines(), [], False
    for line in lines:
        starts = line.strip().startswith(">>> ")
        if starts and not inside:
            found += ["", "```pycon"]
            inside = True
        if inside and not line.strip():
            found.append("```")
            inside = False
        found.append(line.strip() if starts else line)
    return "\n".join(found + ["```"] * inside)


def meanings(cls: Any) -> dict[str, str]:
    """Return what the arguments of a class and of its bases mean, by name.

    "As in `Adam`" is replaced by what `Adam` says.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        own = (inspect.getdoc(base) or "").partition(HEADING)[0]
        for name, lines in sections(own) if "__doc__" in vars(base) else ():
            if name == "Args":
                entries = {k: " ".join(text) for k, text in _entries(lines)}
                new = {k: v for k, v in entries.items() if not v.startswith("As in `")}
                found |= new
    return {k: v for k, v in found.items() if not k.startswith("*")}
