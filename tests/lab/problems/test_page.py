import re
from pathlib import Path

import pytest

from keras_optlab.lab.problems import find
from tools import problem_table

ROOT = Path(__file__).parents[3]


@pytest.mark.every
def test_the_table_of_the_page_is_fresh():
    pytest.importorskip("sklearn")
    text = problem_table.PAGE.read_text(encoding="utf-8")
    assert problem_table.fresh(text) == text, "run `python tools/problem_table.py`"


def test_the_problem_on_the_page_works(tmp_path):
    text = (ROOT / "docs" / "problems.md").read_text(encoding="utf-8")
    (own,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len([line for line in own.splitlines() if line.strip()]) <= 10
    (tmp_path / "my_problem.py").write_text(own)
    problem = find(str(tmp_path / "my_problem.py:circle"))
    assert problem.splits.rows == 700
    assert problem.model().output_shape == (None, 1)
