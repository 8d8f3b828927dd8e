"""The examples: with a tiny budget and, if slow tests run, as a user runs them."""

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import keras_optlab

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run an example in this process, in an empty folder; return its output."""

    def run(name, *options):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *options])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.fixture
def launch(tmp_path):
    """Run an example in a new process; return its output."""

    def launch(name, *options):
        package = Path(keras_optlab.__file__).parents[1]  # if not installed
        paths = filter(None, [str(package), os.environ.get("PYTHONPATH")])
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / name), *options],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return launch


def number(pattern, text):
    """Return the number that the group of a pattern matches."""
    found = re.search(pattern, text)
    assert found, f"no {pattern!r} in:\n{text}"
    return float(found[1])


@pytest.mark.slow
def test_mnist(run, tmp_path):
    said = run("mnist.py", "--epochs=1", "--examples=640", "--log-dir=my runs")
    assert 0 < number(r"Test accuracy: ([\d.]+) %", said) < 99.2
    assert "The goal of 99.2 % is not reached." in said
    (log,) = (tmp_path / "my runs").iterdir()
    assert {"train", "validation"} <= {path.name for path in log.iterdir()}
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", "my runs"]
    assert f"\n    {shlex.join(command)}\n" in said


@pytest.mark.slow
def test_diamonds(run, tmp_path):
    pytest.importorskip("matplotlib")
    said = run("diamonds.py", "--epochs=2", "--picture=new/prices.png")
    assert number(r"Test R² of the log price: ([-\d.]+)", said) > 0.9
    assert 200 < number(r"Mean absolute error: \$(\d+)", said) < 1000
    assert "Saved a picture of it: new/prices.png" in said
    assert (tmp_path / "new" / "prices.png").stat().st_size > 10_000


@pytest.mark.slow
def test_diamonds_without_matplotlib(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    said = run("diamonds.py", "--epochs=1", "--examples=2560")
    assert f"For a picture of it: {sys.executable} -m pip install matplotlib" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_custom_loop(run):
    said = run("custom_loop.py", "--epochs=3", "--examples=1920")
    assert "Updates: 87, skipped: 3" in said
    assert number(r"at update 80: ([\d.]+)", said) > 0.05
    assert number(r"clipped to ([\d.]+)", said) == 0.05
    assert number(r"Test R²: ([-\d.]+)", said) > 0.95


@pytest.mark.slow
def test_schedules(run, tmp_path):
    pytest.importorskip("matplotlib")
    said = run("schedules.py", "new/all.png")
    assert "Saved a picture of them: new/all.png" in said
    assert (tmp_path / "new" / "all.png").stat().st_size > 10_000


@pytest.mark.slow
def test_every_optimizer(run):
    said = run("every_optimizer.py", "lion", "sam", "ftrl", "--examples=1280")
    for name in "lion", "sam", "ftrl":
        assert 0 < number(rf"{name} +[\d.]+ +([\d.]+)", said) <= 100


@pytest.mark.slow
def test_companions(run, tmp_path):
    said = run("companions.py", "--epochs=2", "--examples=512", "--log-dir=logs")
    assert number(r"Test accuracy: ([\d.]+) %", said) > 15
    assert {"train", "validation"} <= {p.name for p in (tmp_path / "logs").iterdir()}


@pytest.mark.slow
def test_l2_or_decay(run):
    said = run("l2_or_decay.py", "--epochs=1")
    rows = dict(re.findall(r"^(.*?)  +(\d.*)$", said, flags=re.MULTILINE))
    ends = {k: [float(x) for x in v.split()] for k, v in rows.items()}
    assert ends["L2 in the loss"][:2] == ends["l2= of the optimizer"][:2]
    assert ends["L2 in the loss"][2] > ends["l2= of the optimizer"][2]
    large, small, _ = ends["weight_decay="]
    assert abs(large - small) < 0.1 < ends["L2 in the loss"][0] - small


@pytest.mark.slow
def test_regularization(run, tmp_path):
    pytest.importorskip("matplotlib")
    options = "--epochs=1", "--rows=50", "--picture=new/all.png"
    said = run("regularization.py", *options)
    norm = r" +[\d.]+ +[\d.]+ +[\d.]+ +\d+ +([\d.]+)"
    # 512 + 512 + 1 units, each with a norm of at most 0.2
    assert number(f"weight clipping{norm}", said) <= 0.2 * 1025**0.5 + 0.1
    assert number(f"none{norm}", said) > 20
    assert (tmp_path / "new" / "all.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "score", "least"),
    [
        ("mnist.py", ["--epochs=2", "--examples=10000"], r"accuracy: ([\d.]+) %", 95),
        ("diamonds.py", ["--epochs=15"], r"R² of the log price: ([-\d.]+)", 0.985),
        ("custom_loop.py", [], r"R²: ([-\d.]+)", 0.98),
    ],
)
def test_as_a_user_runs_it(launch, name, options, score, least):
    assert number(rf"Test {score}", launch(name, *options)) > least


TEXTBOOK = EXAMPLES / "textbook"
TINY = {  # a budget for each, and what its output then says
    "gradient_descent": ("--updates=60", r"full batch +60 updates, \d"),
    "momentum": (
        "--updates=20",
        r"falling rate: heavy ball [01]e[+-]\d\d from velocity",
    ),
    "adaptive": ("--updates=30", r"SGD +rates at the end: \[0\.3 0\.3 0\.3\]"),
    "learning_rate": (
        "--epochs=2 --examples=320 --rates=2",
        r"one cycle +validation loss",
    ),
    "overfitting": ("--epochs=1 --rows=50", r"weight clipping +test error \d"),
    "six_optimizers": ("--epochs=2 --examples=320 --rates=1", r"Adam 0.003: \d"),
    "tensorflow_loop": ("--epochs=2 --examples=640", r"Test accuracy: [4-9]\d"),
    "compile_fit": ("--epochs=2 --examples=640", r"of the loop and of fit: \d"),
}
ON_EVERY_BACKEND = "gradient_descent", "momentum", "adaptive"


def check_picture(path):
    """Assert that a picture is small and shows something."""
    image = pytest.importorskip("PIL.Image")
    assert 5_000 < path.stat().st_size < 60_000
    with image.open(path) as picture:
        assert picture.size[0] == 1080
        assert 8 < len(picture.getcolors()) <= 64


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_textbook(run, tmp_path, monkeypatch, name):
    pytest.importorskip("matplotlib")
    if name not in ON_EVERY_BACKEND and keras.backend.backend() != "tensorflow":
        pytest.skip("its training runs on TensorFlow")
    monkeypatch.syspath_prepend(TEXTBOOK)
    budget, line = TINY[name]
    said = run(f"textbook/{name}.py", *budget.split(), "--picture=new/picture.png")
    assert re.search(line, said), said
    check_picture(tmp_path / "new" / "picture.png")


@pytest.mark.slow
def test_torch_loop(launch, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    said = launch("textbook/torch_loop.py", "--examples=1280")
    assert "Saved a picture of it: torch_loop.png" in said
    check_picture(tmp_path / "torch_loop.png")


def test_each_textbook_example_is_short_and_has_its_picture():
    page = (TEXTBOOK / "README.md").read_text()
    names = {path.stem for path in TEXTBOOK.glob("*.py")} - {"pictures"}
    assert names == {*TINY, "torch_loop"}
    for name in names:
        assert 30 <= len((TEXTBOOK / f"{name}.py").read_text().splitlines()) <= 80, name
        assert f"[{name}.py]({name}.py)" in page
        assert re.search(rf"!\[[^]]{{20,}}\]\({name}\.png\)", page), name
        check_picture(TEXTBOOK / f"{name}.png")
