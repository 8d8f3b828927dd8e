"""The pages that people write, and the links in them."""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Pages that are kept elsewhere, and where they are in the site.
ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "examples/textbook/README.md": "textbook.md",
    "benchmarks/README.md": "proof/benchmarks.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")


def sources() -> dict[str, str]:
    """Return the place in the site of each file of the repository that is in it."""
    written = sorted((ROOT / "docs").rglob("*.md"))
    places = {
        str(p.relative_to(ROOT)): str(p.relative_to(ROOT / "docs")) for p in written
    }
    return places | ELSEWHERE


def read(source: str) -> tuple[str, dict[str, Path]]:
    """Return a page with links as they are in the site, and its pictures by place."""
    places, pictures = sources(), {}

    def linked(match: re.Match[str]) -> str:
        picture, text, target, anchor = match.groups()
        if not target or ":" in target:
            return match[0]
        file = os.path.normpath(Path(source).parent / target)
        if picture:
            place = f"pictures/{file.replace('/', '-')}"
            pictures[place] = ROOT / file
        elif file in places:
            place = places[file]
        elif (ROOT / file).exists():
            return (
                text if "`" in text else f"`{text}`"
            )  # a file that is not in the site
        else:
            return match[0]  # a page that is generated, or a fault that the build finds
        there = os.path.relpath(place, Path(places[source]).parent)
        return f"{picture}[{text}]({there}{anchor or ''})"

    text = (ROOT / source).read_text("utf-8")
    return LINK.sub(linked, text), pictures
