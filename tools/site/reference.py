"""The reference: every public name that has no page in the gallery."""

from __future__ import annotations

import inspect
from typing import Any

import keras_optlab as kol
from keras_optlab import lab
from keras_optlab.core.fields import Field
from tools.site import gallery
from tools.site.docstrings import cell, markdown, meanings, signature, summary

ROOMS = {
    "keras_optlab": kol,
    **{f"kol.{name}": getattr(kol, name) for name in kol.__all__ if name in (
        "averaging", "callbacks", "constraints", "datasets", "finders", "optimizers",
        "plotting", "recipes", "regularizers", "schedules", "stopping", "transforms",
    )},
    "kol.lab": lab,
    "kol.lab.problems": lab.problems,
}  # fmt: skip


def pages() -> dict[str, str]:
    """Return all pages of the reference, by place."""
    found = {"reference/shared.md": shared()}
    lines = ["# Reference", "| module | public names |\n|---|---|"]
    for title, module in ROOMS.items():
        place = f"{title.rpartition('.')[2]}.md"
        found[f"reference/{place}"] = room(title, module)
        names = ", ".join(f"`{name}`" for name in public(module))
        lines.append(f"| [{title}]({place}) | {names} |")
    return found | {
        "reference/index.md": "\n\n".join(lines).replace("\n\n| [", "\n| [")
    }


def public(module: Any) -> list[str]:
    """Return the public names of a module, without modules."""
    return [
        name
        for name in module.__all__
        if not inspect.ismodule(getattr(module, name)) and not name.startswith("__")
    ]


def room(title: str, module: Any) -> str:
    """Return the page of a module."""
    parts = [f"# {title}", summary(module)]
    for name in public(module):
        obj = getattr(module, name)
        link = in_gallery(obj)
        said = summary(obj) if callable(obj) or inspect.isclass(obj) else ""
        parts.append(f"## {name}")
        parts.append(said)
        if link:
            parts.append(f"[Formula, arguments, picture](../{link})")
        elif callable(obj):
            parts += [signature(name, obj), markdown(obj, 3)]
    return "\n\n".join(part for part in parts if part)


def in_gallery(obj: Any) -> str | None:
    """Return the place of the page that the gallery has for a class."""
    name = getattr(obj, "__name__", "").lower()
    module = getattr(obj, "__module__", "")
    for kind in ("optimizers", *gallery.ROOMS):
        place = f"gallery/{kind}/{name}.md"
        if module.startswith(f"keras_optlab.{kind}.") and place in PAGES_OF_GALLERY:
            return place
    return None


def shared() -> str:
    """Return the page of the arguments of every optimizer."""
    said = meanings(kol.optimizers.Optimizer)
    lines = ["# Arguments of every optimizer", ""]
    lines += ["| argument | default | range | meaning |", "|---|---|---|---|"]
    fields: dict[str, Field] = kol.optimizers.Optimizer.fields
    for name, field in fields.items():
        domain = "" if field.domain == "any" else cell(f"`{field.domain}`")
        row = f"`{name}`", f"`{field.default!r}`", domain, cell(said[name])
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


PAGES_OF_GALLERY = gallery.pages().keys()
