"""Paths of weights, and globs on them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from typing import Any

from keras_optlab.core.types import Variable


def path_of(variable: Variable) -> str:
    """Return a variable's path; a raw backend variable has only a name."""
    return getattr(variable, "path", None) or str(variable.name)


def unique_paths(variables: Sequence[Variable]) -> list[str]:
    """Return the paths, with `#2` and so on where several weights share a path."""
    seen: dict[str, int] = {}
    result = []
    for path in map(path_of, variables):
        seen[path] = seen.get(path, 0) + 1
        result.append(path if seen[path] == 1 else f"{path}#{seen[path]}")
    return result


def path_matches(path: str, globs: Any) -> bool:
    """Return whether a path matches a glob, or one of several.

    A glob matches whole components, anywhere in the path unless it begins with `/`.
    """
    return any(
        fnmatch.fnmatchcase(f"/{path}/", f"{g}/*" if g.startswith("/") else f"*/{g}/*")
        for g in ([globs] if isinstance(globs, str) else globs)
    )


def tail_of(path: str) -> str:
    """Return the names of the layer and the weight, the last two of the path."""
    return "/".join(path.split("/")[-2:])


def unnumbered(path: str) -> str:
    """Return the names of the layer and the weight, without the numbers after them.

    >>> unnumbered("model/dense_12/kernel")
    'dense/kernel'
    """
    return re.sub(r"_\d+(?=/|$)", "", tail_of(path))
