"""The command `optlab`, which starts without Keras.

`import keras_optlab` imports Keras, and Keras its backend: seconds that `optlab --help`
and completion by the Tab key cannot wait, and before which `--backend` must be read.
So this module puts an empty package of that name in place, whose modules can be
imported; its `__init__` runs when something of it is first used.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

PACKAGE = "keras_optlab"


class Later(ModuleType):
    """A package whose `__init__` has not run."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if spec is None or spec.loader is None or name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        spec.loader.exec_module(self)
        return getattr(self, name)


def postpone() -> None:
    """Put the empty package in place, unless the package is imported already."""
    spec = importlib.util.find_spec(PACKAGE)
    if PACKAGE in sys.modules or spec is None or spec.loader is None:
        return
    package = Later(PACKAGE)
    package.__spec__, package.__file__ = spec, spec.origin
    package.__loader__, package.__package__ = spec.loader, PACKAGE
    package.__path__ = spec.submodule_search_locations or []
    sys.modules[PACKAGE] = package


def main() -> int:
    """Run the command line; return its exit code."""
    postpone()
    from keras_optlab.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
