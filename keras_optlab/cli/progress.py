"""The progress of trials and trainings, with the time that is left; Ctrl-C."""

from __future__ import annotations

import contextlib
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from keras_optlab.cli import console

INTERRUPTED = 130


def in_words(seconds: float) -> str:
    """Return a duration in words.

    >>> in_words(7.2), in_words(100), in_words(5000)
    ('7 s', '2 min', '1 h 23 min')
    """
    if seconds < 60:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class TimeLeft(ProgressColumn):
    """The time until the end that a task has in its field `ends`."""

    def render(self, task: Task) -> Text:
        """Return it as text."""
        ends = task.fields.get("ends")
        if ends is None or task.finished:
            return Text("")
        return Text(f"{in_words(max(0.0, ends - time.monotonic()))} left")


class Steps:
    """A bar that moves on; where there is no terminal, a line at every tenth.

    Args:
        what: What is counted: `"trials"`, `"updates"`.
        every_line: Whether each step has its line where there is no terminal.
    """

    def __init__(self, what: str, every_line: bool = False) -> None:
        self._what, self._every_line = what, every_line
        self._first: tuple[float, int] | None = None  # when, and how many were done
        self._tenth = -1
        whole, rest = Column(no_wrap=True), Column(no_wrap=True, ratio=1)
        self._bar = Progress(
            BarColumn(20 if console.errors.width >= 80 else 8),
            MofNCompleteColumn(),
            TextColumn(what),
            TimeLeft(table_column=whole),
            TextColumn("{task.fields[last]}", style="dim", table_column=rest),
            console=console.errors,
            expand=True,
        )
        self._task = self._bar.add_task(what, total=None, last="", ends=None)
        self._terminal = console.errors.is_terminal

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar from the first step on, and end it."""
        try:
            yield
        finally:
            if self._terminal:
                self._bar.stop()

    def advance(self, done: int, total: int, last: str) -> None:
        """Show how far it is, and what was last."""
        now = time.monotonic()
        left = None
        if self._first is None:  # also the first one after an interrupted study
            self._first = now, done
        else:
            begun, before = self._first
            left = (now - begun) / max(1, done - before) * (total - done)
        if self._terminal:
            ends = None if left is None else now + left
            self._bar.start()
            self._bar.update(
                self._task, completed=done, total=total, last=last, ends=ends
            )
            return
        tenth = 10 * done // total
        if self._every_line or tenth > self._tenth:
            until = "" if left is None or done == total else f", {in_words(left)} left"
            line = f"{done} of {total} {self._what}{until}: {last}".rstrip(": ")
            console.errors.print(Text(line), soft_wrap=True)
            self._tenth = tenth

    def say(self, text: str, style: str = "") -> None:
        """Print a line above the bar."""
        self._bar.console.print(Text(text, style=style))


class Trials(Steps):
    """The trials of a study, as `progress` of `lab.compare` and `lab.tune`."""

    def __init__(self) -> None:
        super().__init__("trials", every_line=True)

    def __call__(self, record: dict[str, Any], done: int, total: int) -> None:
        """Show a record."""
        if record["status"] == "failed":
            self.say(f"Failed: {record['key']}: {record['error']}", "red")
        self.advance(done, total, outcome(record))


def outcome(record: dict[str, Any]) -> str:
    """Return a record in a few words."""
    who = f"{record['label']} ({record['purpose']})"
    reached, value = record.get("reached"), record.get("value")
    if record["status"] == "failed":
        return f"{who}: failed"
    if reached:
        return f"{who}: target after {reached['updates']} updates"
    if value is None:
        return f"{who}: {record['status']}"
    end = "" if record["status"] == "complete" else f", {record['status']}"
    return f"{who}: {value:.4g}{end}"


@contextlib.contextmanager
def interruptible(folder: Path) -> Iterator[Trials]:
    """Show the trials of a study; Ctrl-C ends it so that it can go on later."""
    trials = Trials()
    try:
        with trials.shown():
            yield trials
    except KeyboardInterrupt:
        console.errors.print("Stopped.")
        say_how_to_go_on(folder)
        raise typer.Exit(INTERRUPTED) from None
    except (OSError, RuntimeError):
        say_how_to_go_on(folder)
        raise


def say_how_to_go_on(folder: Path) -> None:
    """Print what was kept, and the command that goes on with it."""
    try:
        kept = (folder / "records.jsonl").read_bytes().count(b"\n")
    except OSError:
        return
    console.errors.print(
        Text(f"{kept} records are kept in {folder}. To go on, run the same command:")
    )
    console.errors.print(
        Text(f"  {shlex.join(['optlab', *sys.argv[1:]])}", style="cyan"), soft_wrap=True
    )
