"""The table of the rules in the documentation."""

from pathlib import Path

from keras_optlab.diagnosis.rules import RULES

PAGE = Path(__file__).parents[2] / "docs" / "diagnosis.md"


def test_the_documentation_has_every_rule_with_its_limits():
    rows = [f"| `{r.name}` | {r.says} | {r.source} |" for r in RULES]
    table = PAGE.read_text().partition("| rule |")[2].partition("\n\n")[0]
    assert table.splitlines()[2:] == rows, "\n".join(rows)
