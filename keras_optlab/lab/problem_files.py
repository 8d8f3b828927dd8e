"""Problems that workers can load: by reference, or pickled into the study's folder."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_optlab.core.errors import shown
from keras_optlab.lab.problems import Data, Problem, find
from keras_optlab.lab.problems.problem import is_dataset
from keras_optlab.lab.requirements import need


def as_problem(problem: Any, data: Any = None) -> Problem:
    """Return a problem.

    Args:
        problem: What `problems.find` takes, or a function that returns a new compiled
            model.
        data: `Data` or `(x, y)`, with such a function.

    Raises:
        TypeError: if that is no problem, or `data` is missing or not needed.
        ValueError: if the problem cannot be made.
    """
    if isinstance(problem, keras.Model):
        raise TypeError(
            "expected a function that returns a new compiled model, since each trial "
            f"needs one. Received: problem={shown(problem)}. Write `lambda: ...` or "
            "`def`."
        )
    if not callable(problem) or isinstance(problem, Problem):
        if data is not None:
            raise TypeError(
                "`data` goes with a function that returns a model. "
                f"Received: data={shown(data)}, with problem={shown(problem)}."
            )
        return find(problem)
    if data is None:
        raise TypeError(
            "a function that returns a model needs `data`. Received: data=None. "
            "Pass data=(x, y) or a lab.Data."
        )
    name = getattr(problem, "__name__", "problem").strip("<>")
    return Problem(problem, data, loss=None, name=name)


def reference_of(problem: Any, made: Problem, folder: Path) -> str:
    """Return what workers load the problem by, after pickling it if it has no name."""
    if isinstance(problem, str):
        file, colon, function = problem.partition(".py")
        return f"{Path(file).resolve()}{colon}{function}" if colon else problem
    path = folder.resolve() / "problem.pkl"
    _pickle(made, path)
    return str(path)


def fingerprint(problem: Problem) -> dict[str, Any]:
    """Return what tells a problem from one that was changed: weights, data, budget."""
    weights = [[v.path.split("/")[-1], *v.shape] for v in problem.new_model().weights]
    check = 0
    for part in keras.tree.flatten(tuple(problem.splits)):
        if part is not None and not is_dataset(part):
            check = zlib.crc32(np.ascontiguousarray(part).data, check)
    return {
        "weights": weights,
        "data": f"{check:08x}",
        "batch_size": problem.batch_size,
        "epochs": problem.epochs,
    }


def _pickle(problem: Problem, path: Path) -> None:
    """Write a problem beside its arrays, which workers map into memory."""
    need("cloudpickle")
    import cloudpickle

    splits, paths = problem.splits, []
    if any(is_dataset(part) for part in splits):
        path.write_bytes(cloudpickle.dumps(problem.with_changes()))
        return
    for number, array in enumerate(keras.tree.flatten(tuple(splits))):
        file = path.with_name(f"array{number}.npy")
        if array is not None and not file.exists():
            np.save(file, np.asarray(array))
        paths.append(None if array is None else str(file))
    mapped = keras.tree.pack_sequence_as(tuple(splits), paths)
    stored = problem.with_changes(data=_loader(mapped))
    path.write_bytes(cloudpickle.dumps(stored))


def _loader(paths: Any) -> Callable[[], Data]:
    def load() -> Data:
        def mapped(file: str | None) -> Any:
            return None if file is None else np.load(file, mmap_mode="r")

        return Data(*keras.tree.map_structure(mapped, paths))

    return load
