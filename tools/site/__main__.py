"""Build the site: `python -m tools.site` writes it to `build/site/html/`.

    python -m http.server --directory build/site/html    # http://localhost:8000

It needs no network. A link to a page that does not exist, a picture that is missing, or
a public name without documentation ends the build with an error.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tools.site import errors, gallery, pictures, reference
from tools.site.mathml import with_mathml
from tools.site.pages import ROOT, read, sources

BUILD = ROOT / "build" / "site"
PAGES = BUILD / "pages"
SITE = BUILD / "html"


def main() -> int:
    """Build the site; return the exit status."""
    shutil.rmtree(BUILD, ignore_errors=True)
    generated = (
        gallery.pages() | reference.pages() | {"trouble/errors.md": errors.page()}
    )
    for place, text in generated.items():
        write(place, text)
    for source, place in sources().items():
        text, found = read(source)
        write(place, text)
        for picture, file in found.items():
            copy(file, PAGES / picture)
    pictures.draw(PAGES / "gallery")
    for name in ("style.css", "script.js"):
        copy(ROOT / "docs" / name, PAGES / name)
    settings = yaml.safe_load((ROOT / "docs/mkdocs.yml").read_text())
    settings["nav"] = [entry(item, generated) for item in settings["nav"]]
    (BUILD / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False))
    build = [sys.executable, "-m", "zensical", "build", "--strict"]
    if subprocess.run(build, cwd=BUILD, check=False).returncode:
        return 1
    problems = [*missing_pictures(), *undocumented(), *left_out(settings["nav"])]
    print("\n".join(problems) or f"{SITE}: {size(SITE) / 1e6:.1f} MB")
    return bool(problems)


def write(place: str, text: str) -> None:
    """Write a page, with its formulas as MathML."""
    path = PAGES / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(with_mathml(text), encoding="utf-8")


def copy(file: Path, path: Path) -> None:
    """Copy a file to where the pages are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, path)


def entry(item: Any, generated: dict[str, str]) -> Any:
    """Return an entry of `nav`, with all pages of a folder if it names one."""
    if not isinstance(item, dict):
        return item
    ((title, inside),) = item.items()
    if not isinstance(inside, str):
        return {title: [entry(part, generated) for part in inside]}
    first = f"{inside}/index.md"
    pages = [p for p in sorted(generated) if p.startswith(f"{inside}/") and p != first]
    here = [p for p in pages if p.count("/") == 1]
    rooms = sorted({p.split("/")[1] for p in pages} - {Path(p).name for p in here})
    folders = [
        {room.capitalize(): [p for p in pages if p.startswith(f"{inside}/{room}/")]}
        for room in rooms
    ]
    return {title: [first, *here, *folders]}


def missing_pictures() -> list[str]:
    """Return what pages show but the site lacks."""
    found = []
    for page in SITE.rglob("*.html"):
        for target in re.findall(r'<img[^>]* src="([^":]+)"', page.read_text("utf-8")):
            if not (page.parent / target).exists():
                found.append(f"{page.relative_to(SITE)}: no picture {target}")
    return found


def undocumented() -> list[str]:
    """Return the public names that say nothing about themselves."""
    return [
        f"{title}.{name} has no docstring"
        for title, module in reference.ROOMS.items()
        for name in reference.public(module)
        if callable(getattr(module, name)) and not getattr(module, name).__doc__
    ]


def left_out(nav: list[Any]) -> list[str]:
    """Return the pages that no menu leads to."""
    listed = set(re.findall(r"[\w/]+\.md", yaml.safe_dump(nav)))
    return [
        f"{p.relative_to(PAGES)} is not in `nav`"
        for p in PAGES.rglob("*.md")
        if str(p.relative_to(PAGES)) not in listed
    ]


def size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


if __name__ == "__main__":
    sys.exit(main())
