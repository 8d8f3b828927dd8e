"""Packages that only the lab needs."""

from __future__ import annotations

import importlib.util

EXTRAS = {"ray": "ray"}  # the others are in the extra `lab`
PACKAGES = {"sklearn": "scikit-learn"}  # where the names differ


def need(*modules: str) -> None:
    """Raise if a module is not installed, and say which extra has it.

    Raises:
        ImportError: with the command that installs it.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            extra = EXTRAS.get(module, "lab")
            raise ImportError(
                f"The lab needs {PACKAGES.get(module, module)} for this. "
                f'Run `pip install "keras-optlab[{extra}]"`.'
            )
