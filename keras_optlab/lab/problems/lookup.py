"""Problems by name, from a file, or from a module."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_optlab.core.errors import shown, suggest
from keras_optlab.lab.problems.given import GIVEN
from keras_optlab.lab.problems.problem import Problem
from keras_optlab.lab.requirements import need

HERE = "keras_optlab.lab.problems"
BUILT_IN = {  # the functions that make them
    "beale": "two_numbers:beale",
    "char-gpt": "char_gpt:char_gpt",
    "diabetes-mlp": "tabular:diabetes_mlp",
    "diamonds-mlp": "tabular:diamonds_mlp",
    "embedding": "ratings:embedding",
    "mnist-autoencoder": "mnist:autoencoder",
    "mnist-cnn": "mnist:cnn",
    "mnist-logreg": "mnist:logreg",
    "mnist-mlp": "mnist:mlp",
    "quadratic-100": "quadratic:quadratic",
    "rastrigin": "two_numbers:rastrigin",
    "rosenbrock": "two_numbers:rosenbrock",
    "saddle": "two_numbers:saddle",
}
EXAMPLE = "'mnist-mlp', 'my_module:function' or 'my_file.py:function'"


def names() -> list[str]:
    """Return the names of the problems that come with the package.

    >>> "mnist-mlp" in names()
    True
    """
    return sorted(BUILT_IN)


def find(problem: Any) -> Problem:
    """Return a problem.

    Args:
        problem: A `Problem`; the name of one that comes with the package;
            `"module:function"` or `"file.py:function"` of a function that returns one;
            or `"file.py"`, whose function is `problem`. A `Problem` may stand in place
            of the function.

    Raises:
        TypeError: if that is no problem.
        ValueError: if there is no such name, module, file or function; if it raises.

    >>> find("mnist-mlp").batch_size
    128
    """
    if isinstance(problem, Problem):
        return problem
    if not isinstance(problem, str):
        raise TypeError(
            f"`problem` must be a lab.Problem, or {EXAMPLE}. "
            f"Received: problem={shown(problem)}"
        )
    if problem in GIVEN:
        return GIVEN[problem]
    if problem in BUILT_IN:
        return replace(_read(f"{HERE}.{BUILT_IN[problem]}"), name=problem)
    if problem.endswith(".pkl"):
        return _unpickled(Path(problem))
    if ":" not in problem and not problem.endswith(".py"):
        raise ValueError(
            f"No problem has this name. Received: {problem!r}. "
            f"{suggest(problem, BUILT_IN)} Or pass your own as {EXAMPLE}."
        )
    found = _read(problem)
    return found if found.name != "problem" else replace(found, name=problem)


def _unpickled(path: Path) -> Problem:
    """Return a problem that a study has kept in its folder, for its workers."""
    need("cloudpickle")
    import cloudpickle

    return cloudpickle.loads(path.read_bytes())


def _read(reference: str) -> Problem:
    """Return what `module:function`, `file.py:function` or `file.py` stands for."""
    where, _, name = reference.rpartition(":")
    if not where or name.endswith(".py"):
        where, name = reference, "problem"
    if where.endswith(".py"):
        module = _from_file(reference, Path(where).expanduser())
    else:
        module = _called(reference, _import, where)
    if not hasattr(module, name):
        raise ValueError(
            f"There is no function {name!r} in {where}. Received: {reference!r}. "
            f"{suggest(name, _functions(module))}"
        )
    made = getattr(module, name)
    if callable(made) and not isinstance(made, type):
        made = _called(reference, made)
    if not isinstance(made, Problem):
        raise TypeError(
            f"expected a function that returns a lab.Problem. Received: {reference!r}, "
            f"which is {shown(made)}"
        )
    return made


def _functions(module: Any) -> list[str]:
    """Return the names that a module defines itself, and that may be meant."""
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, Problem)
        or getattr(value, "__module__", None) == module.__name__
    ]


def _called(reference: str, function: Any, *args: Any) -> Any:
    """Return what a function of the user returns; say where it raised."""
    try:
        return function(*args)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise ValueError(
            f"The problem cannot be made. Received: {reference!r}, which raises "
            f"{type(error).__name__}: {error} ({frame.filename}, line {frame.lineno})"
        ) from error


def _import(module: str) -> Any:
    with _first_on_path(Path.cwd()):  # a command's first entry is its script's folder
        return importlib.import_module(module)


def _from_file(reference: str, path: Path) -> Any:
    if not path.is_file():
        raise ValueError(
            f"There is no file {str(path)!r} in {Path.cwd()}. Received: {reference!r}"
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # for dataclasses, which look their module up
    try:
        with _first_on_path(path.parent):  # for modules beside it
            _called(reference, spec.loader.exec_module, module)
    finally:  # cloudpickle sends to workers what no known module has
        sys.modules.pop(path.stem)
        if before is not None:
            sys.modules[path.stem] = before
    return module


@contextlib.contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    before = sys.path.copy()
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path[:] = before
