"""Keras and the package, imported when a command needs them, and their backend."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from keras_optlab.cli.console import errors

TENSORFLOW = "tensorflow"
BACKENDS = (TENSORFLOW, "jax", "torch")


def choose_backend(name: str | None) -> str | None:
    """Make Keras compute with a backend, for the rest of the process.

    Where Keras is imported already, as in `python -m keras_optlab`, the command starts
    anew.

    Raises:
        ValueError: if there is no such backend.
        ImportError: if it is not installed.
    """
    if name is None:
        return None
    if name not in BACKENDS:
        raise ValueError(
            f"expected a backend of {', '.join(BACKENDS)}. Received: --backend {name}"
        )
    if importlib.util.find_spec(name) is None:
        raise ImportError(
            f"{name} is not installed. Received: --backend {name}. "
            f"Run: pip install {name}"
        )
    os.environ["KERAS_BACKEND"] = name
    keras = sys.modules.get("keras")
    if keras is not None and keras.backend.backend() != name:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    return name


def without_computing() -> None:
    """Have the backend that is imported fastest, for a command that computes nothing.

    Keras' NumPy backend needs jax for some of its functions.
    """
    if "keras" not in sys.modules and importlib.util.find_spec("jax") is not None:
        os.environ["KERAS_BACKEND"] = "numpy"


def load(module: str) -> Any:
    """Import a module of the package: `load("lab")` is `keras_optlab.lab`."""
    name = f"keras_optlab.{module}"
    if name in sys.modules and "keras" in sys.modules:
        return sys.modules[name]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with errors.status("Loading Keras"), native_messages_hidden():
        keras = importlib.import_module("keras")
        used = keras.backend.backend()
        if used not in ("numpy", "tensorflow") and importlib.util.find_spec(TENSORFLOW):
            importlib.import_module(TENSORFLOW)  # Keras' trainers do it, less quietly
        importlib.import_module("keras_optlab").optimizers  # noqa: B018 (runs __init__)
        return importlib.import_module(name)


@contextlib.contextmanager
def native_messages_hidden() -> Iterator[None]:
    """Hide what a backend's C++ code writes while it is imported, unless that fails."""
    try:
        screen = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as hidden:
        sys.stderr.flush()
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            os.write(screen, hidden.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)
