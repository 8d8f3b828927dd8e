"""Compare optimizers with their papers and with other libraries.

    python -m keras_optlab.verify
    python -m keras_optlab.verify adam lion --backend jax
    python -m keras_optlab.verify --markdown docs/verify.md

Each optimizer runs 60 compiled steps on weights of several shapes, with seeded
gradients, weight decay, and a learning rate that is halved in the middle. It is
compared with a float64 NumPy transcription of its paper, and with the installed
implementations in optax, torch and other packages that agree with the paper. The table
shows the largest difference of the final weights over the distance moved. A second
table shows implementations that are known to differ from the papers. The exit code is 1
if a row is not as expected.

Each backend runs in its own process. The tables need `rich`; `pip install
"keras-optlab[verify]"` installs the other libraries.
"""

import argparse
import importlib.util
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras

from keras_optlab import optimizers

BACKENDS = ("tensorflow", "jax", "torch")


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; return 1 if a row is not as expected, else 0.

    Args:
        arguments: Command line arguments; by default those of the process.

    Raises:
        SystemExit: if the command line is wrong or `rich` is not installed.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    _require_rich()
    try:
        names = [optimizers.info(name).name for name in options.names]
    except ValueError as error:
        parser.error(str(error))
    rows = collect(names, options.backend)
    if options.rows:
        options.rows.write_bytes(pickle.dumps(rows))
        return 0
    _show(rows)
    if options.markdown:
        options.markdown.write_text(page(rows))
    return int(not all(row.ok for row in rows))


def collect(names: list[str], backends: list[str]) -> list[Any]:
    """Return the rows of some or all optimizers on some backends.

    Args:
        names: Names of optimizers; an empty list is all.
        backends: Installed backends.

    Raises:
        SystemExit: if the comparisons cannot be run.
    """
    if backends == [keras.backend.backend()]:
        return _rows(names)
    return _rows_of_processes(names, backends)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m keras_optlab.verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="optimizers to compare; default: all")
    parser.add_argument(
        "--backend",
        type=_backends,
        default=[name for name in BACKENDS if importlib.util.find_spec(name)],
        help="some of tensorflow,jax,torch; default: all that are installed",
    )
    parser.add_argument("--markdown", type=Path, help="Markdown file to write too")
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    return parser


def _backends(given: str) -> list[str]:
    for name in given.split(","):
        if name not in BACKENDS or not importlib.util.find_spec(name):
            raise argparse.ArgumentTypeError(
                f"expected installed backends of {','.join(BACKENDS)}. "
                f"Received: {name!r}"
            )
    return given.split(",")


def _require_rich() -> None:
    if not importlib.util.find_spec("rich"):
        raise SystemExit("keras_optlab.verify needs rich. Run `pip install rich`.")


def _rows(names: list[str]) -> list[Any]:
    """Return the rows of the backend of this process."""
    from keras_optlab.verify import rows

    return list(rows.rows(names))


def _rows_of_processes(names: list[str], backends: list[str]) -> list[Any]:
    """Return the rows of several backends, which run in parallel processes."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        running = {}
        for backend in backends:
            file = Path(folder, backend)
            module = [sys.executable, "-m", "keras_optlab.verify", *names]
            running[file] = subprocess.Popen(
                [*module, "--backend", backend, "--rows", str(file)],
                env=os.environ
                | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
                stdout=subprocess.DEVNULL,
            )
        try:
            for file, process in running.items():
                if status := process.wait():
                    raise SystemExit(
                        f"The comparisons on {file.name} failed with status {status}; "
                        "see above."
                    )
                rows += pickle.loads(file.read_bytes())
        finally:
            for process in running.values():
                process.kill()  # does nothing to one that has ended
    return rows


def _show(rows: list[Any]) -> None:
    """Print one table of agreements and one of known differences."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console.width = 160  # no line breaks in a file
    for title, part in parts(rows):
        table = Table(title=title)
        for name in [*vars(part[0]), "ok"]:
            table.add_column(name, overflow="fold")
        for row in part:
            cells = [_cell(value) for value in vars(row).values()]
            style = None if row.ok else "red"
            table.add_row(*cells, "yes" if row.ok else "NO", style=style)
        console.print(table)
    bad = sum(not row.ok for row in rows)
    console.print(f"{len(rows)} comparisons, {bad} not as expected")


def parts(rows: list[Any]) -> list[tuple[str, list[Any]]]:
    """Return the rows of each table that is not empty, with its title."""
    titles = {"Agreement": "Should agree", "Disagreement": "Known to differ"}
    parts = [
        (title, [row for row in rows if type(row).__name__ == kind])
        for kind, title in titles.items()
    ]
    return [(title, part) for title, part in parts if part]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1e}"
    return "" if value is None else str(value)


def page(rows: list[Any]) -> str:
    """Return a page with a column for each backend."""
    lines = [
        "# Comparison of the optimizers with papers and libraries",
        "",
        "Written by `python -m keras_optlab.verify --markdown docs/verify.md`. Each",
        "number is the largest difference of the final weights over the distance",
        f"moved, on the backend of its column. Versions: {_versions(rows)}.",
    ]
    for title, part in parts(rows):
        measured = "difference" if title == "Should agree" else "theirs"
        backends = list(dict.fromkeys(row.backend for row in part))
        shown = [k for k in vars(part[0]) if k not in ("backend", measured, "ours")]
        table: dict[tuple[str, ...], dict[str, str]] = {}
        for row in part:
            key = tuple(_cell(getattr(row, name)) for name in shown)
            mark = "" if row.ok else " NO"
            cell = _cell(getattr(row, measured)) + mark
            table.setdefault(key, {})[row.backend] = cell
        header = [*shown, *backends]
        lines += ["", f"## {title}", "", _line(header), "|---" * len(header) + "|"]
        lines += [
            _line([*key, *(cells.get(b, "") for b in backends)])
            for key, cells in table.items()
        ]
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _versions(rows: list[Any]) -> str:
    """Return the versions of all packages in the rows."""
    from importlib.metadata import packages_distributions, version

    backends = {row.backend for row in rows}
    others = {row.oracle.partition(".")[0] for row in rows} - {"paper"}
    homes = packages_distributions()
    found = {home for name in {"keras", *backends, *others} for home in homes[name]}
    return ", ".join(f"{home} {version(home)}" for home in sorted(found))
