"""A long poem, as text."""

from __future__ import annotations

import gzip
from importlib import resources


def paradise_lost() -> str:
    r"""Return John Milton's *Paradise Lost*: 456,837 characters, 75 different ones.

    The lines of all twelve books, each under a line such as `"Book I"`, without white
    space at their ends.

    Source:
        Milton, "Paradise Lost", 1674. Public domain.

    Example:
        >>> text = paradise_lost()
        >>> len(text), len(set(text))
        (456837, 75)
        >>> text.splitlines()[3:5]
        ["Of Man's first disobedience, and the fruit",
         'Of that forbidden tree whose mortal taste']
    """
    data = resources.files("keras_optlab.datasets") / "data" / "paradise_lost.txt.gz"
    return gzip.decompress(data.read_bytes()).decode("ascii")
