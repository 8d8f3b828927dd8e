"""The documentation of the arguments that every optimizer has, for each class."""

from __future__ import annotations

import inspect
import textwrap

from keras_optlab.engine.hyperparameters.options import Options

HEADING = "Arguments of every optimizer:"


def with_shared_arguments(doc: str | None) -> str | None:
    """Return the documentation of a class with the arguments of `Options` at its end.

    Args:
        doc: The class' own; `None`, or what has them already, stays as it is.
    """
    if doc is None or HEADING in doc:
        return doc
    text = inspect.cleandoc(Options.__doc__ or "")
    shared = text.partition("Args:\n")[2].partition("\nRaises:")[0]
    section = f"{HEADING}\n{shared.rstrip()}\n"
    return f"{doc.rstrip()}\n\n{textwrap.indent(section, ' ' * 4)}    "
