"""Wrong arguments: each argument of each public name, by a pool of values.

    python -m tests.campaign.arguments
    python -m tests.campaign.arguments --only find_rate EarlyStopping --show

A name is called with legal arguments, one of which is replaced. An argument takes
values of some kinds, such as integers or text; they follow from its annotation, or from
its declaration. A call ends in one of these ways:

- `refused`: an error that names an argument and has `Received`. Data and functions of
  the user may also be refused by Keras.
- `taken`: the value is of a kind that the argument takes.
- `fault`: a value of another kind is taken, or the error is of another form.

Whether a number of the right kind is in range is decided in `tests/test_arguments.py`
and `tests/callbacks/test_arguments.py`. `--show` prints the numbers that are taken.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import inspect
import io
import re
import signal
import sys
import tempfile
import time
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

import keras_optlab as kol
from keras_optlab import (
    averaging,
    callbacks,
    constraints,
    finders,
    lab,
    optimizers,
    recipes,
    regularizers,
    schedules,
    stopping,
    transforms,
)
from keras_optlab.core.fields import ChoiceField, FlagField, HyperField
from keras_optlab.schedules.arguments import LengthField, ListField, RateField
from tests.campaign.random.draw import Draw
from tests.campaign.values import FLAG, NEVER, NONE, POOL

SECONDS = 3  # a call that runs for longer has taken its value

KINDS = (  # of an annotation
    (r"\bNone\b", "none"),
    (r"\bbool\b", "flag"),
    (r"\bint\b", "whole"),
    (r"\bfloat\b", "number"),
    (r"\bstr\b|\bMatch\b|\bGlobs\b", "text"),
    (r"Path", "path"),
    (r"Sequence\[int\]|tuple\[Any|list\[|Sequence\[", "list"),
    (r"Sequence\[(int|Any)\]|tuple\[Any", "numbers"),
    (r"Sequence\[(str|Match|Any)\]|\bMatch\b|\bGlobs\b|tuple\[Any", "texts"),
    (r"\bMatch\b|\bGlobs\b", "list"),
    (r"Mapping|dict\[", "mapping"),
    (r"Callable|Score|Progress", "function"),
    (r"LearningRateSchedule", "schedule"),
)
ALSO = {
    "match": {"function"},
    "verbose": {"flag"},
    "of": {"schedule"},
    "callbacks": {"nones"},
    "groups": {"none", "list"},
}


def kinds_of(parameter: inspect.Parameter, field: Any) -> frozenset[str] | None:
    """Return the kinds of values that an argument takes; `None` if it takes any."""
    if field is not None:
        return _declared_kinds(field)
    annotation = str(parameter.annotation)
    annotation = re.sub(r"Mapping\[.*?\]", "Mapping", annotation)
    if re.search(r"\bAny\W*$|Any \||^Unpack|\bempty\b", annotation):
        return None
    kinds = {kind for text, kind in KINDS if re.search(text, annotation)}
    return frozenset(kinds | ALSO.get(parameter.name, set()))


def _declared_kinds(field: Any) -> frozenset[str] | None:
    none = NONE if field.default is None or getattr(field, "optional", False) else NEVER
    if isinstance(field, FlagField):
        return FLAG | none
    if isinstance(field, ChoiceField):
        return none
    if isinstance(field, ListField):
        return frozenset({"numbers", "array"})
    if field.name == "groups":
        return frozenset({"none", "list"})
    if isinstance(field, HyperField | RateField):
        kind = "whole" if getattr(field, "integer", False) else "number"
        driven = {"schedule", "function"} if field.adjustable else set()
        share = {"number"} if isinstance(field, LengthField) else set()
        return none | {kind} | driven | share
    return None


def model() -> Any:
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    made.compile(optimizers.SGD(0.01), "mse")
    return made


X = np.ones((8, 2), "float32")
DATA = {"model": model, "x": lambda: X, "y": lambda: X[:, 0]}
PROBLEM = {
    "problem": lambda: "quadratic-100",
    "optimizers": lambda: ["sgd"],
    "trials": lambda: 1,
    "seeds": lambda: 2,
    "workers": lambda: 1,
}
HALF = lambda: schedules.Constant(0.5)  # noqa: E731
# Legal values of required arguments, and those that make a call short.
LEGAL: dict[str, dict[str, Callable[[], Any]]] = {
    "AverageModelCheckpoint": {"update_weights": bool, "filepath": lambda: "a.keras"},
    "BatchRamp": {"schedule": HALF},
    "Candidate": {"optimizer": lambda: "sgd"},
    "Choices": {"values": lambda: (1, 2)},
    "Comparison": {"study": lambda: "no such study"},
    "Data": {"train": lambda: (X, X)},
    "Group": {"match": lambda: "a"},
    "HyperparameterScheduler": {"name": lambda: "weight_decay", "schedule": HALF},
    "Join": {"schedules": lambda: [HALF(), HALF()], "boundaries": lambda: [3]},
    "LogUniform": {"low": lambda: 0.1, "high": lambda: 1.0},
    "Piecewise": {"boundaries": lambda: [3], "levels": lambda: [0.1, 0.2]},
    "ProgressQuotient": {"alpha": lambda: 1.0},
    "Resume": {"directory": lambda: "checkpoints"},
    "Rising": {"strips": lambda: 2},
    "Scaled": {"schedule": HALF, "factor": lambda: 0.5},
    "Setting": {"optimizer": lambda: "sgd"},
    "Target": {"metric": lambda: "loss", "value": lambda: 0.5},
    "TensorBoard": {"log_dir": lambda: "logs"},
    "Track": {"tracker": lambda: types.SimpleNamespace(log=print)},
    "Uniform": {"low": lambda: 0.1, "high": lambda: 1.0},
    "Validate": {"every": lambda: 5},
    "Warmup": {"schedule": HALF},
    "WeightClipping": {"max_norm": lambda: 1.0},
    "compare": PROBLEM,
    "constrain": {"model": model, "kernel": constraints.NonNegative},
    "create": {"name": lambda: "sgd"},
    "diagnose": {"source": model, "x": lambda: X, "y": lambda: X[:, 0]},
    "find_batch_size": DATA | {"largest": lambda: 8, "seconds": lambda: 1},
    "find_rate": DATA | {"steps": lambda: 4, "runs": lambda: 1},
    "fine_tuning": {"model": model},
    "fit_full_batch": DATA | {"epochs": lambda: 1, "verbose": lambda: 0},
    "image_classification": {"model": model},
    "info": {"name": lambda: "sgd"},
    "layerwise_decay": {"model": model, "factor": lambda: 0.5},
    "mup_groups": {"model": model, "base_model": model},
    "mup_initialize": {"model": model, "base_model": model},
    "Problem": {
        "model": lambda: model,
        "data": lambda: lab.Data((X, X)),
        "loss": lambda: "mse",
    },
    "paths": {
        "problem": lambda: "beale",
        "optimizers": lambda: ["sgd"],
        "updates": lambda: 2,
        "rates": lambda: 1,
    },
    "plot_history": {"history": lambda: {"loss": [1.0, 0.5]}},
    "recommend": {
        "model": model,
        "data": lambda: (X, X[:, 0]),
        "budget": lambda: 1.0,
        "optimizers": lambda: ["sgd"],
        "epochs": lambda: 1,
    },
    "refresh_normalization": {"model": model, "data": lambda: X},
    "regularize": {"model": model, "kernel": regularizers.L2},
    "soup": {"members": lambda: [model()]},
    "text": {"model": model},
    "train": {"problem": lambda: "quadratic-100", "optimizer": lambda: "sgd"},
    "tune": PROBLEM,
    "tune_execution": DATA | {"seconds": lambda: 1},
}
FIRST = {"initial": 0.1, "peak": 0.2, "value": 0.1}  # of schedules
# Bases, and what functions return: nobody calls them with values of their own.
NOT_CALLED = {
    "BatchSizeResult",
    "Callback",
    "Criterion",
    "Diamonds",
    "ExecutionResult",
    "Factor",
    "MeasuredCriterion",
    "MetricCallback",
    "Paths",
    "Penalty",
    "RateRange",
    "Recipe",
    "Schedule",
    "StepCallback",
    "TensorTransform",
    "Timed",
    "Transform",
    "Wrapper",
}
ROOMS = (
    kol,
    averaging,
    callbacks,
    constraints,
    finders,
    lab,
    recipes,
    regularizers,
    schedules,
    stopping,
    transforms,
    optimizers,
)


def public_calls() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every public name that is called with arguments."""
    seen = set()
    for room in ROOMS:
        for name in room.__all__:
            found = getattr(room, name)
            if not callable(found) or name in NOT_CALLED or id(found) in seen:
                continue
            seen.add(id(found))
            if inspect.signature(found).parameters:
                yield name, found


def legal_for(name: str, found: Callable[..., Any]) -> dict[str, Any]:
    """Return legal arguments."""
    given = {k: make() for k, make in LEGAL.get(name, {}).items()}
    for key, parameter in inspect.signature(found).parameters.items():
        if key in given or parameter.default is not parameter.empty:
            continue
        if key in FIRST:
            given[key] = FIRST[key]
        elif key == "optimizer" and isinstance(found, type):
            given[key] = optimizers.SGD(0.01)
    return given


class TooLong(BaseException):
    """A call that takes its value and works."""


def _stop(*_: Any) -> None:
    raise TooLong


def outcome(found: Callable[..., Any], given: dict[str, Any], free: str) -> str:
    """Return `taken`, `refused`, or what is wrong with the error.

    Args:
        found: The function or class.
        given: Its arguments.
        free: Who may refuse the value beside this package: `keras` or `user`.
    """
    names = inspect.signature(found).parameters
    begin = time.monotonic()
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(SECONDS)
    try:
        with _silence():
            found(**given)
    except TooLong:
        pass
    except Exception as error:  # noqa: BLE001  # any error is judged
        if _is_late(begin):  # the alarm was answered with an error
            return "taken"
        text, kind = str(error), type(error).__name__
        raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
        if free == "user" or (free == "keras" and "keras_optlab" not in raised_in):
            return "refused"
        if not isinstance(error, TypeError | ValueError | OSError | ImportError):
            return f"{kind}: {text[:200]}"
        named = isinstance(error, OSError) or any(
            name.rstrip("s") in text for name in names
        )
        if "Received: " in text and named:
            return "refused"
        return f"{kind} without `Received` or a name: {text[:200]}"
    finally:
        signal.alarm(0)
    return "taken"


def _is_late(begin: float) -> bool:
    return time.monotonic() - begin > SECONDS - 0.1


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def judge(
    name: str, found: Callable[..., Any], judged: set[Any], show: bool
) -> Iterator[tuple[str, str, str, str]]:
    """Yield argument, value, end and text for each call of one name."""
    fields = getattr(found, "fields", None) or {}
    for key, parameter in inspect.signature(found).parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        field = fields.get(key)
        if field in judged:  # inherited
            continue
        judged.add(field or (name, key))
        kinds = kinds_of(parameter, field)
        for label, (value, of) in POOL.items():
            users = callable(value) and (kinds is None or "function" in kinds)
            free = "user" if users else "keras" if kinds is None else ""
            given = legal_for(name, found) | {key: value}
            end = outcome(found, given, free)
            if end == "taken":
                legal = kinds is None or of & kinds or value is parameter.default
                if legal and show and of & {"whole", "number"}:
                    print(f"  {name}({key}={label}) is taken")
                if not legal:
                    yield key, label, "fault", f"taken; expected {sorted(kinds or [])}"
                    continue
            elif end != "refused":
                yield key, label, "fault", end
                continue
            yield key, label, end, ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", help="names")
    parser.add_argument("--show", action="store_true", help="numbers that are taken")
    parser.add_argument("--minutes", type=float, help="start no more after this time")
    parser.add_argument("--first", type=int, default=0, help="of the order of names")
    args = parser.parse_args()
    ends: collections.Counter[str] = collections.Counter()
    judged: set[Any] = set()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, found in Draw(args.first).shuffled(public_calls()):
            late = args.minutes and time.monotonic() - begin > 60 * args.minutes
            if late or (args.only and name not in args.only):
                continue
            for key, label, end, text in judge(name, found, judged, args.show):
                ends[end] += 1
                if end == "fault":
                    print(f"{name}({key}={label}): {text}", flush=True)
    print(dict(ends))
    sys.exit(bool(ends["fault"]))


if __name__ == "__main__":
    main()
