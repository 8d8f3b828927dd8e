"""Adds the arguments of every optimizer to the docstring of each class."""

from __future__ import annotations

import inspect
import textwrap

from keras_optlab.engine.hyperparameters.options import Options

HEADING = "Arguments of every optimizer:"


def with_shared_arguments(doc: str | None) -> str | None:
    """Return the docstring of a class with the arguments of `Options` appended.

    Args:
        doc: The class' docstring. `None`, or one with these arguments, is returned
            unchanged.
    """
    if doc is None or HEADING in doc:
        return doc
    text = inspect.cleandoc(Options.__doc__ or "")
    shared = text.partition("Args:\n")[2].partition("\nRaises:")[0]
    section = f"{HEADING}\n{shared.rstrip()}\n"
    return f"{doc.rstrip()}\n\n{textwrap.indent(section, ' ' * 4)}    "
