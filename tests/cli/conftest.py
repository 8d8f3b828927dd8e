import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from keras_optlab.cli import app as module
from keras_optlab.cli import console


@pytest.fixture
def optlab(tmp_path, monkeypatch):
    """Run a command in an empty folder; return its result."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0):
        monkeypatch.setattr("sys.argv", ["optlab", *arguments])
        result = CliRunner().invoke(module.app, list(arguments))
        expected = SystemExit if code else type(None)
        assert isinstance(result.exception, expected | type(None)), result.exception
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def screen(monkeypatch):
    """Print on a terminal of some columns; return a function that reads it."""

    def of(width):
        out = Console(
            file=io.StringIO(), width=width, force_terminal=True, highlight=False
        )
        for name in ("charts", "compare", "console", "show", "diagnose", "find_rate"):
            module = __import__(f"keras_optlab.cli.{name}", fromlist=["out"])
            monkeypatch.setattr(module, "out", out)
        monkeypatch.setattr(console, "prepare", lambda: None)
        return lambda: console.Text.from_ansi(out.file.getvalue()).plain

    return of
