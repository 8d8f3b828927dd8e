"""Programs in the manner of Keras' guides, with optimizers of each kind."""

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
# A plain `pytest` has one kind of optimizer for each program, in turn.
CASES = [
    pytest.param(
        program,
        kind,
        marks=[] if i % len(KINDS) == k else [pytest.mark.every],
    )
    for i, program in enumerate(PROGRAMS)
    for k, kind in enumerate(KINDS)
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
