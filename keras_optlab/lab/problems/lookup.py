"""Problems by name, from a file, or from a module."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_optlab.core.errors import shown, suggest
from keras_optlab.lab.problems.problem import Problem
from keras_optlab.lab.requirements import need

HERE = "keras_optlab.lab.problems"
BUILT_IN = {  # the functions that make them
    "mnist-mlp": "mnist:mlp",
    "mnist-cnn": "mnist:cnn",
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
            or `"file.py"`, whose function is `problem`.

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
            f"expected a lab.Problem, or {EXAMPLE}. Received: {shown(problem)}"
        )
    if problem in BUILT_IN:
        return replace(_call(f"{HERE}.{BUILT_IN[problem]}"), name=problem)
    if problem.endswith(".pkl"):
        return _unpickled(Path(problem))
    if ":" not in problem and not problem.endswith(".py"):
        raise ValueError(
            f"No problem has this name. Received: {problem!r}. "
            f"{suggest(problem, BUILT_IN)} Or pass your own as {EXAMPLE}."
        )
    found = _call(problem)
    return found if found.name != "problem" else replace(found, name=problem)


def _unpickled(path: Path) -> Problem:
    """Return a problem that a study has kept in its folder, for its workers."""
    need("cloudpickle")
    import cloudpickle

    return cloudpickle.loads(path.read_bytes())


def _call(reference: str) -> Problem:
    """Return what a function returns, by `module:function` or `file.py:function`."""
    where, _, name = reference.rpartition(":")
    if not where or name.endswith(".py"):
        where, name = reference, "problem"
    try:
        module = _from_file(Path(where)) if where.endswith(".py") else _import(where)
        made = getattr(module, name)()
    except Exception as error:
        raise ValueError(
            f"The problem cannot be made. Received: {reference!r}, which raises "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(made, Problem):
        raise TypeError(
            f"expected a function that returns a lab.Problem. Received: {reference!r}, "
            f"which returns {shown(made)}"
        )
    return made


def _import(module: str) -> Any:
    here = str(Path.cwd())
    sys.path.insert(0, here)  # a command's first entry is the folder of its script
    try:
        return importlib.import_module(module)
    finally:
        sys.path.remove(here)


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    name = f"keras_optlab_problem_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that classes in it can be pickled
    spec.loader.exec_module(module)
    return module
