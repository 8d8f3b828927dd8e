"""The command line `optlab`: it parses, calls the package, and prints."""

from __future__ import annotations

import importlib.util
import sys

NEEDED = ("typer", "rich")


def main() -> int:
    """Run the command line on the arguments of the process; return its exit code."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f"optlab needs {' and '.join(missing)}, of the extra `lab`. "
            'Run: pip install "keras-optlab[lab]"',
            file=sys.stderr,
        )
        return 1
    from keras_optlab.cli.app import app

    app(prog_name="optlab")
    return 0
