"""Docstrings for a terminal: their parts, formulas as text, lines that fit."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from keras_optlab.cli import formulas

SHARED = "Arguments of every optimizer"  # a section that the package adds
SECTIONS = (
    *("Args", "Attributes", "Raises", "Returns", "Shapes", "Example", "Source"),
    SHARED,
)
TITLE = re.compile(rf"({'|'.join(SECTIONS)}):\s*(.*)")
ENTRY = re.compile(r"(\**\w+): (.*)")


@dataclass
class Document:
    """A docstring in parts.

    Attributes:
        blocks: The text before the first section: `("text" | "formula", content)`.
        arguments: What the arguments mean, by name.
        source: The papers, and what differs elsewhere.
        example: The lines of code.
    """

    blocks: list[tuple[str, str]] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)
    source: str = ""
    example: list[str] = field(default_factory=list)


def read(cls: Any) -> Document:
    """Return the docstring of a class in parts."""
    found = Document()
    for section, lines in _sections(inspect.getdoc(cls) or ""):
        code = [line.strip() for line in lines if _is_code(line)]
        text = [line for line in lines if not _is_code(line)]
        found.example += [line[4:] for line in code]
        if section == "":
            found.blocks = list(_blocks("\n".join(text)))
        elif section == "Args":
            found.arguments = _entries(text)
        elif section == "Source":
            found.source = prose(" ".join(text))
    return found


def meanings(cls: Any) -> dict[str, str]:
    """Return what the arguments of a class and of its bases mean, by name."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        found |= read(base).arguments
    return found


def _is_code(line: str) -> bool:
    return line.strip().startswith((">>> ", "... "))


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    name, lines = "", []
    for line in text.splitlines():
        title = TITLE.fullmatch(line)
        if title:
            yield name, lines
            name, lines = title[1], [title[2]]
        else:
            lines.append(line)
    yield name, lines


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"(\$\$.*?\$\$|\n\s*\n)", text, flags=re.DOTALL):
        if part.startswith("$$"):
            yield "formula", "\n".join(formulas.lines(part.strip("$")))
        elif _is_drawn(part):
            yield "formula", inspect.cleandoc(part.strip("\n"))
        elif part.strip():
            yield "text", prose(part)


def _is_drawn(part: str) -> bool:
    """Return whether a part is a formula that is written as text, and so indented."""
    lines = part.strip("\n").splitlines()
    return bool(part.strip()) and all(line.startswith("    ") for line in lines)


def _entries(lines: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for line in lines:
        entry = ENTRY.fullmatch(line.strip())
        if entry and line.startswith("    ") and not line.startswith("     "):
            found[entry[1]] = [entry[2]]
        elif found and line.strip():
            found[next(reversed(found))].append(line.strip())
    return {name: prose(" ".join(text)) for name, text in found.items()}


def prose(text: str) -> str:
    """Return a paragraph in one line, with its formulas as text."""
    one_line = " ".join(text.split())
    return formulas.in_prose(one_line).replace("``", "`").replace("`", "")
