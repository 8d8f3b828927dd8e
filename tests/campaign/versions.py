"""The package under old and new versions of what it needs: a table.

    python -m tests.campaign.versions
    python -m tests.campaign.versions --only tensorflow-oldest

Each row is a new virtual environment, in which the package is installed with pinned
versions, and a part of the tests runs. `main` is Keras' own repository. A row says if
its packages cannot be installed, or its Python is not on the machine.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = [
    "tests/optimizers/test_rules.py",
    "tests/engine/test_engine.py",
    "tests/engine/test_saving.py",
    "tests/engine/test_second_pass.py",
    "tests/callbacks/test_resume.py",
    "tests/callbacks/test_callbacks.py",
    "tests/test_training.py",
]
SHOWN = ("keras", "tensorflow-cpu", "jax", "torch", "numpy")
MAIN = "git+https://github.com/keras-team/keras"


@dataclass(frozen=True)
class Row:
    """A Python, a backend, and requirements."""

    backend: str
    python: str
    requirements: tuple[str, ...]


ROWS = {
    "tensorflow-oldest": Row(
        "tensorflow",
        "3.11",
        ("keras==3.12.0", "tensorflow-cpu==2.18.0", "numpy==1.26.4"),
    ),
    "tensorflow-newest": Row("tensorflow", "3.13", ("keras", "tensorflow-cpu")),
    "tensorflow-3.12": Row("tensorflow", "3.12", ("keras==3.13.2", "tensorflow-cpu")),
    "tensorflow-main": Row("tensorflow", "3.12", ("{main}", "tensorflow-cpu")),
    "jax-oldest": Row("jax", "3.11", ("keras==3.12.0", "jax==0.6.0", "numpy==1.26.4")),
    "jax-newest": Row("jax", "3.13", ("keras", "jax")),
    "jax-main": Row("jax", "3.12", ("{main}", "jax")),
    "jax-3.14": Row("jax", "3.14", ("keras", "jax")),
    "torch-oldest": Row("torch", "3.11", ("keras==3.12.0", "torch==2.6.0", "numpy<2")),
    "torch-newest": Row("torch", "3.13", ("keras", "torch")),
}


def run(name: str, row: Row, main: str) -> str:
    """Return a row of the table, with this source of Keras' main branch."""
    python = interpreter(row.python)
    if python is None:
        return f"| {name} | {row.python} | - | not on this machine |"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        own = f"{folder}/bin/python"
        command = [
            own,
            "-m",
            "pip",
            "install",
            "-q",
            f"{ROOT}[test]",
            *(x.format(main=f"keras @ {main}") for x in row.requirements),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1]
            return f"| {name} | {row.python} | {row.requirements} | {last[:100]} |"
        return f"| {name} | {row.python} | {installed(own)} | {tested(own, row)} |"


def interpreter(version: str) -> str | None:
    """Return the path of a Python, also of one that pyenv has."""
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return str(found[-1]) if found else shutil.which(f"python{version}")


def installed(python: str) -> str:
    """Return the versions of the packages that matter."""
    command = [python, "-m", "pip", "list", "--format", "freeze"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pairs = [line.split("==") for line in listed.splitlines() if "==" in line]
    found = {k.replace("_", "-"): v for k, v in pairs}
    return ", ".join(f"{k} {found[k]}" for k in SHOWN if k in found)


def tested(python: str, row: Row) -> str:
    """Return what the tests say."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": row.backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [python, "-m", "pytest", "-q", *TESTS]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    lines = [x for x in done.stdout.splitlines() if x.strip()] or [done.stderr[-200:]]
    for line in lines:
        if line.startswith(("FAILED", "ERROR")):
            print(f"  {line}", flush=True)
    return re.sub(r"[= ]*in [\d.]+s.*", "", lines[-1]).strip("= ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--main", default=MAIN, help="Keras' main: a URL of pip")
    args = parser.parse_args()
    print("| row | Python | versions | tests |\n|---|---|---|---|", flush=True)
    rows = []
    for name in args.only:
        rows.append(run(name, ROWS[name], args.main))
        print(rows[-1], flush=True)
    sys.exit(any("failed" in row or "error" in row for row in rows))


if __name__ == "__main__":
    main()
