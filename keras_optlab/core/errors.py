"""How the package words a refusal: what was expected, what came, what to do."""

import difflib
from collections.abc import Iterable


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known name is nearest to an unknown one, or list them all.

    >>> suggest("adan", ["adam", "sgd"])
    "Did you mean 'adam'? Known: 'adam', 'sgd'."
    """
    known = sorted(known)
    lowered = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=1)
    hint = f"Did you mean {lowered[near[0]]!r}? " if near else ""
    return f"{hint}Known: {', '.join(map(repr, known)) or 'none'}."
