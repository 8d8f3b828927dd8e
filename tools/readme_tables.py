"""Write the tables of the README from the code: `python tools/readme_tables.py`.

Each table is the text between two comments, such as `<!-- optimizers -->` and
`<!-- end -->`, and is replaced.
"""

import re
from pathlib import Path

import keras_optlab as kol

README = Path(__file__).parents[1] / "README.md"

BASES = {"Callback", "Factor", "MetricCallback", "Penalty", "Schedule", "StepCallback"}
BASES |= {"TensorTransform", "Timed", "Transform"}


def optimizers() -> str:
    """Return the table of the registered optimizers."""
    return _table(kol.optimizers.names())


def wrappers() -> str:
    """Return the table of the wrappers."""
    return _table(kol.optimizers.wrappers())


def _table(names: list[str]) -> str:
    rows = ["| name | what it is | source | bytes per weight |", "|---|---|---|---|"]
    for name in names:
        about = kol.optimizers.info(name)
        if not about.cls.__module__.startswith("keras_optlab.optimizers."):
            continue  # a class defined outside of the package
        paper = f"{about.paper.authors} ({about.paper.year})"
        if about.paper.arxiv:
            paper = f"[{paper}](https://arxiv.org/abs/{about.paper.arxiv})"
        what = about.summary.partition(": ")[2] or about.summary
        row = [f"`{about.cls.__name__}`", what, paper, str(about.bytes_per_parameter)]
        rows.append(f"| {' | '.join(row)} |")
    return "\n".join(rows)


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
    """Return the README with its tables generated again."""
    for table in (optimizers, wrappers, companions):
        text = re.sub(
            rf"(<!-- {table.__name__} -->\n).*?(<!-- end -->)",
            lambda found, table=table: f"{found[1]}{table()}\n{found[2]}",
            text,
            flags=re.DOTALL,
        )
    return text


if __name__ == "__main__":
    README.write_text(fresh(README.read_text()))
