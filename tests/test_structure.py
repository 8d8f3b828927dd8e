"""The shape of the repository: who imports whom, and documents that keep up."""

import ast
import functools
import re
import statistics
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_optlab
from tools import readme_table, stubs

PACKAGE = Path(keras_optlab.__file__).parent
ROOT = PACKAGE.parent

# Each room, and those it may import from (itself always).
ROOMS = {
    "core": set(),
    "datasets": {"core"},
    "schedules": {"core"},
    "regularizers": {"core"},
    "constraints": {"core"},
    "transforms": {"core"},
    "engine": {"core", "transforms"},
    "optimizers": {"core", "engine"},
    "tensorboard": {"core", "engine"},
    "stopping": {"core", "engine"},
    "finders": {"core", "engine", "schedules"},
    "resuming": {"core", "engine"},
    "spikes": {"core", "engine"},
    "callbacks": {
        "core",
        "engine",
        "tensorboard",
        "schedules",
        "constraints",
        "stopping",
        "finders",
        "resuming",
        "spikes",
    },
    "averaging": {"core", "engine"},
    "diagnosis": {"core", "engine", "finders", "callbacks"},
    "full_batch": {"core", "engine", "callbacks"},
    "plotting": {"core", "stopping"},
    "recipes": {"core", "optimizers", "schedules", "callbacks"},
    "lab": {
        "core",
        "engine",
        "datasets",
        "optimizers",
        "schedules",
        "stopping",
        "finders",
        "callbacks",
        "plotting",
        "tensorboard",
    },
    "verify": {"core", "engine", "optimizers"},
    "cli": {  # it imports them when a command needs them, by their names
        "core",
        "optimizers",
        "schedules",
        "callbacks",
        "finders",
        "diagnosis",
        "verify",
        "lab",
    },
}
# The rooms of the engine from the lowest to the highest; imports go downwards.
ENGINE = [
    ("contract",),
    ("backend",),
    ("weights", "statistics", "saving"),
    ("fused",),
    ("hyperparameters",),
    ("update",),
    ("model",),
    (
        "checkpoint",
        "rule",
        "public_names",
        "notebook",
        "description",
        "state_sharding",
    ),
    ("optimizer",),
    ("wrapper", "lookup"),
]
FLOORS = {room: floor for floor, rooms in enumerate(ENGINE) for room in rooms}
BACKENDS = {"tensorflow", "jax", "torch"}
ADAPTERS = {"keras_adapter.py", "trainer_adapter.py"}
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = {"file": 400, "function": 50, "median algorithm": 84}


@functools.cache
def nodes(path):
    """Return all nodes of the code of a file."""
    return list(ast.walk(ast.parse(path.read_text())))


def imports(path, when_running=False):
    """Yield every module that a file imports, wherever in the file.

    Where a package is imported from, each of its modules counts by itself.
    """
    for_types = [
        node
        for branch in nodes(path)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    ]
    for node in nodes(path):
        if when_running and node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if file_of(inner) else node.module


def file_of(module):
    """Return the file of a module of the package, `None` if it is none."""
    stem = ROOT / module.replace(".", "/")
    files = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((f for f in files if module.startswith("keras_") and f.exists()), None)


def name_of(path):
    return str(path.relative_to(PACKAGE))


def is_allowed(room, module):
    """Return whether a module of a room of the package may import another module."""
    names = module.split(".")
    if names[0] == "keras_optlab" and room and len(names) > 1:
        return names[1] in {room, "_version"} | ROOMS[room]
    if names[0] in BACKENDS:
        return room in {"engine", "tensorboard", "verify"}
    return True


def test_rooms_import_downwards_and_only_the_engine_knows_backends():
    wrong = []
    for path in FILES:
        parts = path.relative_to(PACKAGE).parts
        room = parts[0] if len(parts) > 1 else None
        for module in imports(path):
            private = module.startswith("keras.src")
            if not is_allowed(room, module) or (private and path.name not in ADAPTERS):
                wrong.append((name_of(path), module))
    assert not wrong


def test_the_rooms_of_the_engine_import_downwards():
    wrong = []
    for path in (PACKAGE / "engine").rglob("*.py"):
        room = path.relative_to(PACKAGE / "engine").with_suffix("").parts[0]
        if room == "__init__":  # what others take from the engine
            continue
        for module in imports(path, when_running=True):
            names = module.split(".")
            inside = names[:2] == ["keras_optlab", "engine"] and names[2:3]
            if inside and FLOORS[names[2]] > FLOORS[room]:
                wrong.append((name_of(path), module))
    assert not wrong


def test_no_module_imports_itself_by_others():
    graph = {
        path: {file_of(m) for m in imports(path, when_running=True)} - {None, path}
        for path in FILES
    }
    while leaves := [
        path for path, imported in graph.items() if not imported & graph.keys()
    ]:
        for path in leaves:
            del graph[path]
    assert not graph, [name_of(p) for p in graph]


def test_files_and_functions_are_short():
    long = []
    for path in FILES:
        text = path.read_text()
        if len(text.splitlines()) > MOST_LINES["file"]:
            long.append(name_of(path))
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef):
                documented = ast.get_docstring(node) and node.body[1:]
                first = node.body[1] if documented else node
                if node.end_lineno - first.lineno + 1 > MOST_LINES["function"]:
                    long.append((name_of(path), node.name))
    assert not long


def test_algorithms_are_short():
    files = [p for p in FILES if p.parent.name == "optimizers" and p.stem[0] != "_"]
    lengths = [len(p.read_text().splitlines()) for p in files]
    assert statistics.median(lengths) <= MOST_LINES["median algorithm"]


PRIVATE = re.compile(
    r"\._(iterations|get_variable_index|trainable_variables|accumulated_gradients|"
    r"model_variables_moving_average|use_weight_decay|distribution_strategy|layout|"
    r"learning_rate|overwrite_variable_with_gradient|value|backend_\w+)\b"
)


def test_private_names_of_keras_are_in_one_file():
    users = [p for p in FILES if PRIVATE.search(p.read_text())]
    assert [p.name for p in users] == ["keras_adapter.py"]


def test_every_room_is_known():
    assert ROOMS.keys() == {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    inside = (PACKAGE / "engine").iterdir()
    known = {p.stem for p in inside if p.stem[0] != "_"}
    assert known == FLOORS.keys()


@pytest.mark.slow
def test_importing_the_package_is_light():
    code = (
        "import keras, sys; before = set(sys.modules); import keras_optlab;"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before};"
        "heavy = {'matplotlib', 'tensorboard', 'optax', 'pandas', 'scipy'};"
        "print(sorted(new & heavy))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def python_blocks(page):
    text = (ROOT / page).read_text()
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_the_readme_runs_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick_start, recipe, _ = python_blocks("README.md")
    assert len((ROOT / "README.md").read_text().splitlines()) < 200
    assert len(quick_start.strip().splitlines()) <= 30
    names = {}
    exec(quick_start, names)
    data = names["x_test"] / 255.0, names["y_test"]
    assert names["model"].evaluate(*data, verbose=0)[1] > 0.9
    assert list((tmp_path / "runs/quick_start/train").iterdir())
    exec(recipe, names)
    assert names["model"].evaluate(*data, verbose=0)[1] > 0.9


@pytest.mark.every
def test_the_guide_to_control_runs_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick_start, companions, _, _ = python_blocks("docs/guides/control.md")
    names = {}
    exec(quick_start, names)
    model, data = names["model"], (names["x"], names["y"])
    before, kernel = model.evaluate(*data, verbose=0), model.get_layer("head").kernel
    start = np.array(keras.ops.convert_to_numpy(kernel))
    exec(companions, names)
    after, end = model.evaluate(*data, verbose=0), keras.ops.convert_to_numpy(kernel)
    assert after[0] < before[0]
    assert after[1] > before[1]
    assert np.linalg.norm(end - start) > 0.01 * np.linalg.norm(start)


@pytest.mark.slow
def test_the_guide_to_control_measures_before_a_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick_start, _, measure, accidents = python_blocks("docs/guides/control.md")
    names = {}
    exec(quick_start, names)
    exec(measure, names)
    assert names["rate"].low < 0.01 < names["rate"].high
    assert int(keras.ops.convert_to_numpy(names["model"].optimizer.updates)) > 0
    exec(accidents, names)
    assert len(names["history"].epoch) == 2
    assert list((tmp_path / "checkpoints/mnist").glob("epoch-*"))


@pytest.mark.slow
def test_the_readme_compares_optimizers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"kol": keras_optlab, "keras": keras}
    exec(python_blocks("README.md")[2], names)
    assert "kol.optimizers." in capsys.readouterr().out
    assert names["page"].read_text().startswith("<!doctype html>")


def test_the_table_in_the_readme_is_fresh():
    text = readme_table.README.read_text()
    assert readme_table.fresh(text) == text, "run `python tools/readme_table.py`"


@pytest.mark.skipif(
    not hasattr(keras.optimizers, "ScheduleFreeAdamW"),
    reason="arguments by position are those of the newest Keras",
)
def test_the_types_of_constructors_are_fresh():
    for path, text in (
        (stubs.OPTIMIZERS, stubs.of_optimizers()),
        (
            stubs.GROUPS,
            stubs.of_groups(),
        ),
    ):
        assert path.read_text() == text, "run `python tools/stubs.py`"


def test_what_the_readme_points_to_exists():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_what_the_map_of_the_code_names_exists():
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`([\w/.]+\.py)", text))
    missing = [n for n in named if not any((d / n).exists() for d in (PACKAGE, ROOT))]
    assert named
    assert not missing
    for room in ROOMS.keys() | FLOORS.keys():
        assert re.search(rf"`(\w+/)*{room}[/.`]", text), room


def test_contributing_tells_where_each_module_is_tested():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `([\w/.]+)` \| (.*) \|$", text, flags=re.MULTILINE)
    tested = {module: re.findall(r"`(tests/[\w/.]+)`", tests) for module, tests in rows}
    for path in FILES:
        name = name_of(path)
        if path.stem != "__init__" and name.split("/")[0] in ("core", "engine"):
            assert tested.get(name), name
    for module, tests in tested.items():
        assert (PACKAGE / module).exists(), module
        assert all((ROOT / test).exists() for test in tests), module
