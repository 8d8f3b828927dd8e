"""The examples run as a user runs them, on the backend at hand."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import keras_optlab

ROOT = Path(__file__).parents[1]


@pytest.fixture
def run(tmp_path):
    """Run an example in an empty folder; return what it prints."""

    def run(name, *options):
        package = str(Path(keras_optlab.__file__).parents[1])
        paths = filter(None, [package, os.environ.get("PYTHONPATH")])
        done = subprocess.run(
            [sys.executable, str(ROOT / "examples" / name), *options],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def number(pattern, text):
    """Return the number that stands in the place of the group of a pattern."""
    found = re.search(pattern, text)
    assert found, f"no {pattern!r} in:\n{text}"
    return float(found[1])


def test_mnist(run, tmp_path):
    said = run("mnist.py", "--epochs=1", "--examples=640", "--log-dir=my runs")
    assert 0 < number(r"Test accuracy: ([\d.]+) %", said) < 99.2
    assert "The goal of 99.2 % is not reached." in said
    assert f"{sys.executable} -m tensorboard.main --logdir 'my runs'" in said
    (log,) = (tmp_path / "my runs").iterdir()
    assert sorted(path.name for path in log.iterdir()) == ["train", "validation"]


def test_custom_loop(run):
    said = run("custom_loop.py", "--epochs=3", "--examples=1920")
    assert "Updates: 87, skipped: 3" in said
    assert number(r"update 80: ([\d.]+)", said) > 0.05
    assert number(r"clipped to ([\d.]+)", said) == 0.05
    assert number(r"Test R²: ([-\d.]+)", said) > 0.9


@pytest.mark.slow
def test_diamonds(run, tmp_path):
    said = run("diamonds.py", "--epochs=8", "--picture=new/prices.png")
    assert number(r"Test R² of the log price: ([-\d.]+)", said) > 0.98
    assert 200 < number(r"Mean absolute error: \$(\d+)", said) < 450
    if importlib.util.find_spec("matplotlib"):
        assert "Saved a picture of it: new/prices.png" in said
        assert (tmp_path / "new" / "prices.png").stat().st_size > 10_000
    else:
        assert "-m pip install matplotlib" in said


def test_diamonds_without_matplotlib(run, tmp_path, monkeypatch):
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said = run("diamonds.py", "--epochs=1", "--examples=2560")
    assert f"For a picture of it: {sys.executable} -m pip install matplotlib" in said
    assert not (tmp_path / "runs").exists()
