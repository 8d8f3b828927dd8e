"""`optlab doctor`: what works on this machine, and what is missing."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import sys
import time
from importlib import metadata
from typing import Any

from rich.text import Text

from keras_optlab._version import __version__
from keras_optlab.cli import options
from keras_optlab.cli.console import Column, code, errors, heading, say, show_table
from keras_optlab.cli.loading import BACKENDS, load

# What needs which modules, and the extra that brings them.
PARTS = (
    ("compare, tune: trials in processes", ("joblib", "scipy", "cloudpickle"), "lab"),
    ("tune: search", ("optuna",), "lab"),
    ("tables of results", ("pandas",), "lab"),
    ("report", ("jinja2",), "lab"),
    ("problem diabetes-mlp", ("sklearn",), "lab"),
    ("formulas in the terminal", ("pylatexenc",), "lab"),
    ("charts in the terminal", ("uniplot",), "lab"),
    ("pictures", ("matplotlib",), "plot"),
    ("trials on a Ray cluster", ("ray",), "ray"),
    ("fit_full_batch", ("scipy",), "full-batch"),
    ("verify against other libraries", ("optax", "pytorch_optimizer"), "verify"),
)


def doctor(backend: options.Backend = None) -> None:
    """Check what works here.

    Backend, devices, versions, a small training, and what is missing.

    Examples:
    optlab doctor
    optlab doctor --backend jax
    """
    heading("This machine")
    for name, text in (
        ("keras-optlab", __version__),
        ("Python", f"{platform.python_version()}, {sys.executable}"),
        ("system", f"{platform.platform()}, {os.cpu_count()} cores"),
    ):
        say(f"{name}: {text}", indent=2)
    used = _backend_in_use()
    heading("Backends of Keras")
    _show_backends(used)
    if used is not None:
        heading(f"On {used}")
        _show_devices(used)
    heading("What works")
    _show_parts()


def _backend_in_use() -> str | None:
    """Return the backend that Keras has, `None` if it cannot be imported."""
    try:
        load("optimizers")
    except ImportError:
        return None
    import keras

    return keras.backend.backend()


def _show_backends(used: str | None) -> None:
    rows = []
    for name in BACKENDS:
        version = _version(name)
        if version is None:
            rows.append([name, "-", Text(f"pip install {name}", style="dim")])
            continue
        hint = f"to use it: --backend {name}, or KERAS_BACKEND={name}"
        style = "dim" if name != used else "green"
        rows.append([name, version, Text(hint if name != used else "in use", style)])
    rows.append(["keras", _version("keras") or "-", ""])
    columns = [Column("package"), Column("version"), Column("", wraps=True)]
    show_table(columns, rows)
    if used is None:
        say("Keras cannot be imported with its backend. Install one of these.")


def _version(name: str) -> str | None:
    packages = [name, f"{name}-cpu"]
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(package)
    return None


def _show_devices(used: str) -> None:
    import keras

    try:
        devices = keras.distribution.list_devices()
    except Exception:  # not every backend of Keras lists them
        devices = []
    say(f"devices: {', '.join(devices) or 'not listed by Keras'}", indent=2)
    several = {
        "tensorflow": "--devices n, in one process",
        "jax": "--devices n, also over several hosts",
    }
    text = several.get(used, "not possible; Keras has it on TensorFlow and JAX")
    say(f"a training on several devices: {text}", indent=2)
    say(f"a training with AdamW: {_try_training()}", indent=2)


def _try_training() -> str:
    """Train a small model, and say how that went."""
    import keras
    import numpy as np

    begun = time.monotonic()
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    try:
        with errors.status("Training a small model"):
            model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
            model.compile(load("optimizers").AdamW(0.1), "mse")
            losses: Any = model.fit(x, x.sum(1), epochs=5, verbose=0).history["loss"]
    except Exception as error:
        return f"fails: {type(error).__name__}: {error}"
    works = losses[-1] < losses[0]
    verdict = "works" if works else "runs, but the loss does not fall"
    return f"{verdict} ({time.monotonic() - begun:.1f} s)"


def _show_parts() -> None:
    """Print what works; then the commands that install what does not."""
    rows, commands = [], {}
    for what, modules, extra in PARTS:
        missing = [m for m in modules if importlib.util.find_spec(m) is None]
        works = Text("missing", "yellow") if missing else Text("yes", "green")
        rows.append([works, what])
        if missing:
            commands[f'pip install "keras-optlab[{extra}]"'] = None
    show_table([Column("works"), Column("what", wraps=True)], rows)
    if commands:
        heading("To have the rest")
        code("\n".join(commands))
