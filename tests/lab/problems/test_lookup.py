import subprocess
import sys
import textwrap

import pytest

from keras_optlab.lab.problems import find, names

OWN = """
import keras
import numpy as np
from keras_optlab.lab.problems import Problem

x = np.random.RandomState(0).normal(size=(200, 4)).astype("float32")
def problem():
    def model():
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    return Problem(model, data=(x, x[:, :1]), loss="mse", epochs=2)
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file into the current folder; return its name."""
    monkeypatch.chdir(tmp_path)

    def write(name, text):
        (tmp_path / name).write_text(textwrap.dedent(text))
        return name

    return write


def test_a_problem_of_ten_lines_works_from_a_file_and_a_module(write):
    assert len(OWN.strip().splitlines()) <= 10
    write("own_problem_1.py", OWN)
    path, modules = sys.path.copy(), set(sys.modules)
    for reference in (
        "own_problem_1.py",
        "own_problem_1.py:problem",
        "./own_problem_1.py",
    ):
        problem = find(reference)
        assert problem.name == reference
        assert problem.updates == 9
        assert find(problem) is problem
    assert set(sys.modules) == modules
    assert find("own_problem_1:problem").model().count_params() == 5
    assert sys.path == path
    del sys.modules["own_problem_1"]


def test_a_file_may_import_one_beside_it_and_have_problems_as_they_are(write, tmp_path):
    (tmp_path / "inner").mkdir()
    write("inner/beside_1.py", "LOSS = 'mae'")
    write(
        "inner/mine.py",
        OWN
        + """
from dataclasses import dataclass
from beside_1 import LOSS

@dataclass
class Settings:  # looks its module up
    width: int = 1

ready = problem().with_changes(loss=LOSS, name="mine")
""",
    )
    problem = find("inner/mine.py:ready")
    assert (problem.name, problem.loss) == ("mine", "mae")
    del sys.modules["beside_1"]


@pytest.mark.parametrize(
    ("reference", "error", "said"),
    [
        (7, TypeError, "must be a lab.Problem.*Received: problem=7"),
        ("mnist-mpl", ValueError, "Did you mean 'mnist-mlp'"),
        ("missing.py", ValueError, "There is no file 'missing.py'"),
        ("missing.py:f", ValueError, "There is no file 'missing.py'"),
        ("no_such_module:f", ValueError, "raises ModuleNotFoundError"),
        ("own.py:problme", ValueError, "no function 'problme'.*mean 'problem'"),
        ("own.py:", ValueError, "There is no function ''"),
        ("raises.py", ValueError, "ZeroDivisionError.*raises.py, line 3"),
        ("raises.py:late", ValueError, "ZeroDivisionError.*raises.py, line 3"),
        ("late.py", ValueError, "RuntimeError: no data.*late.py, line 2"),
        ("broken.py", ValueError, "raises SyntaxError"),
        ("wrong.py", TypeError, "returns a lab.Problem.*which is 3"),
        ("wrong.py:number", TypeError, "returns a lab.Problem.*which is 4"),
    ],
)
def test_what_is_no_problem_is_refused(write, reference, error, said):
    write("own.py", OWN)
    write("raises.py", "\n\n1 / 0\n")
    write("late.py", "def problem():\n    raise RuntimeError('no data')\n")
    write("broken.py", "def problem(:\n")
    write("wrong.py", "def problem():\n    return 3\nnumber = 4\n")
    path = sys.path.copy()
    with pytest.raises(error, match=said):
        find(reference)
    assert sys.path == path
    assert "raises" not in sys.modules


@pytest.mark.every
def test_a_problem_from_a_file_goes_to_another_process(write, tmp_path):
    cloudpickle = pytest.importorskip("cloudpickle")
    write("own_problem_2.py", OWN)
    sent = tmp_path / "sent"
    sent.write_bytes(cloudpickle.dumps(find("own_problem_2.py").model))
    code = "import pickle, sys; f = pickle.load(open(sys.argv[1], 'rb')); print(f)"
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", code, str(sent)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "<function problem.<locals>.model" in ran.stdout, ran.stderr


def test_names_are_those_that_are_found():
    assert names() == sorted(names())
    assert [find(name).name for name in names()] == names()
    assert all(find(name).summary for name in names())
