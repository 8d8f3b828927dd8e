"""Write the table of the README from the code: `python tools/readme_table.py`.

It is the text between `<!-- companions -->` and `<!-- end -->`, which is replaced.
"""

import re
from pathlib import Path

import keras_optlab as kol

README = Path(__file__).parents[1] / "README.md"

BASES = {"Callback", "Factor", "MetricCallback", "Penalty", "Schedule", "StepCallback"}
BASES |= {"TensorTransform", "Timed", "Transform"}


def companions() -> str:
    """Return the table of the modules that go with the optimizers."""
    rows = ["| module | contents |", "|---|---|"]
    for room in (
        kol.schedules,
        kol.callbacks,
        kol.transforms,
        kol.regularizers,
        kol.constraints,
    ):
        shown = ", ".join(f"`{name}`" for name in room.__all__ if name not in BASES)
        rows.append(f"| `{room.__name__.removeprefix('keras_optlab.')}` | {shown} |")
    return "\n".join(rows)


def fresh(text: str) -> str:
    """Return the README with its table generated again."""
    return re.sub(
        r"(<!-- companions -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{companions()}\n{found[2]}",
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    README.write_text(fresh(README.read_text()))
