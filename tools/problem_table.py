"""Write the table of docs/problems.md from the code: `python tools/problem_table.py`.

It needs the extra `lab`. The table is the text between two comments, and is replaced.
"""

import re
from pathlib import Path

from keras_optlab.lab import problems

PAGE = Path(__file__).parents[1] / "docs" / "problems.md"


def table() -> str:
    """Return the table of the problems that come with the package."""
    rows = [
        "| name | what it is | rows | parameters | batch | updates | target |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for name in problems.names():
        problem = problems.find(name)
        target = problem.target
        sign = "≥" if target.mode == "max" else "≤"
        row = [
            f"`{name}`",
            problem.summary,
            "none" if problem.surface else f"{problem.splits.rows:,}",
            f"{problem.model().count_params():,}",
            f"{problem.batch_size:,}",
            f"{problem.updates:,}",
            f"{target.metric.replace('_', ' ')} {sign} {target.value:g}",
        ]
        rows.append(f"| {' | '.join(row)} |")
    return "\n".join(rows)


def fresh(text: str) -> str:
    """Return the page with its table generated again."""
    return re.sub(
        r"(<!-- problems -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{table()}\n{found[2]}",
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    PAGE.write_text(fresh(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
