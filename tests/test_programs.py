"""Programs in the style of Keras' guides, with optimizers of each kind."""

import importlib
import os
import pkgutil

import pytest

from tests import programs
from tests.programs.common import KINDS, Maker

PROGRAMS = sorted(
    info.name
    for info in pkgutil.iter_modules(programs.__path__)
    if info.name != "common"
)


def marks(program, kind):
    """Return the markers for a program with a kind of optimizer.

    The first program runs with one kind by default, and so does each other one in the
    slow tier. All other kinds are in `pytest -m every`.
    """
    if PROGRAMS.index(program) % len(KINDS) != KINDS.index(kind):
        return [pytest.mark.every]
    return [] if program == PROGRAMS[0] else [pytest.mark.slow]


CASES = [
    pytest.param(program, kind, marks=marks(program, kind))
    for program in PROGRAMS
    for kind in KINDS
]


@pytest.mark.parametrize(("program", "kind"), CASES)
def test_a_program_trains(program, kind, tmp_path):
    module = importlib.import_module(f"tests.programs.{program}")
    directory = os.fspath(tmp_path)
    if kind == "second pass" and module.no_second_pass:
        with pytest.raises((RuntimeError, ValueError), match=module.no_second_pass):
            module.train(Maker(kind), directory)
    else:
        module.train(Maker(kind), directory)
