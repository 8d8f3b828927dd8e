"""Blocks of code in a page: what their marks say, and running them.

    python -m tools.site.blocks docs/guides/resuming.md
    python -m tools.site.blocks docs/*.md docs/*/*.md

The line above each block of Python or shell code is one of

    <!-- run -->                   it runs as printed
    <!-- smoke -->                 it runs with tiny data and without pretrained weights
    <!-- by hand, 2026-11-27 -->   it was run by hand on this day
    <!-- not run -->               it takes too long, more machines, or a server
    <!-- other library -->         it shows code of another library, for comparison

Python blocks of a page run in order, in one program and in an empty folder. Several
pages run as programs of their own, two at a time.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from unittest import mock

import keras

ROWS = 64  # examples that a smoke run trains on
MARKS = "run", "smoke", r"by hand, \d{4}-\d\d-\d\d", "not run", "other library"
BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^```(python|sh)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """One block: its mark, its language, its text, and the line where it begins."""

    mark: str
    language: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page.

    Raises:
        ValueError: if one has no mark, or an unknown one.
    """
    found = []
    for match in BLOCK.finditer(page):
        mark, language, text = match.groups()
        line = page.count("\n", 0, match.start(3)) + 1
        if mark is None or not re.fullmatch("|".join(MARKS), mark):
            raise ValueError(
                f"line {line}: expected a mark above the block: {' | '.join(MARKS)}. "
                f"Received: {mark!r}"
            )
        found.append(Block(mark, language, text, line))
    return found


def run(path: Path) -> int:
    """Run the blocks of a page; return how many ran."""
    names: dict[str, Any] = {"__name__": "__main__"}
    done = 0
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for block in blocks(path.read_text("utf-8")):
            if block.mark not in ("run", "smoke"):
                continue
            with tiny() if block.mark == "smoke" else contextlib.nullcontext():
                if block.language == "python":
                    lines = "\n" * (block.line - 1)  # so that errors name the page's
                    exec(compile(lines + block.text, str(path), "exec"), names)
                else:
                    _in_shell(block.text)
            done += 1
    return done


def _in_shell(text: str) -> None:
    """Run shell code with the programs of this Python first."""
    folder = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    here = os.environ | {"PATH": folder}
    subprocess.run(["bash", "-euc", text], env=here, check=True)


@contextlib.contextmanager
def tiny() -> Iterator[None]:
    """Train on few examples for one epoch; make models without pretrained weights."""
    with contextlib.ExitStack() as stack:
        trainer = keras.Model
        stack.enter_context(mock.patch.object(trainer, "fit", _short(trainer.fit)))
        for name, make in vars(keras.applications).items():
            if callable(make) and name[0].isupper():
                patch = mock.patch.object(keras.applications, name, _untrained(make))
                stack.enter_context(patch)
        yield


def _short(fit: Any) -> Any:
    @functools.wraps(fit)
    def short(self: Any, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        if hasattr(x, "__getitem__") and hasattr(x, "shape"):
            x, y = x[:ROWS], y[:ROWS] if y is not None else None
        else:
            kwargs |= {"steps_per_epoch": 2}
        if isinstance(kwargs.get("validation_data"), tuple):
            kwargs["validation_data"] = [
                part[:ROWS] for part in kwargs["validation_data"]
            ]
        kwargs["epochs"] = kwargs.get("initial_epoch", 0) + 1
        return fit(self, x, y, **kwargs)

    return short


def _untrained(make: Any) -> Any:
    @functools.wraps(make)
    def untrained(*args: Any, **kwargs: Any) -> Any:
        return make(*args, **kwargs | {"weights": None})

    return untrained


def main(pages: list[str]) -> int:
    """Run pages; return the exit status."""
    if len(pages) == 1:
        print(f"{pages[0]}: {run(Path(pages[0]).resolve())} blocks ran")
        return 0
    importlib.import_module("keras_optlab")  # before the process is copied for a page
    with ThreadPoolExecutor(2) as pool:
        return max(pool.map(_alone, pages), default=0)


def _alone(page: str) -> int:
    """Run a page in a copy of this process; print what it printed if it fails."""
    with tempfile.TemporaryFile("w+") as printed:
        copy = multiprocessing.get_context("fork").Process(
            target=_printing_to, args=(printed, page)
        )
        copy.start()
        copy.join()
        printed.seek(0)
        text = printed.read()
    ran = copy.exitcode == 0
    print(f"{page}{text.rpartition(page)[2]}".strip() if ran else text, flush=True)
    return int(not ran)


def _printing_to(file: IO[str], page: str) -> None:
    """Run a page, whose programs print to a file."""
    for stream in 1, 2:
        os.dup2(file.fileno(), stream)
    main([page])
    sys.stdout.flush()
    os._exit(0)  # without what libraries do at the end of a process of their own


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
