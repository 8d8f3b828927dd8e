"""Random pairs of programs that must end with equal weights.

    python -m tests.campaign.pairs --count 600

Kinds of pairs:

- `eager`: compiled, and run eagerly.
- `several steps`: one step in an execution, and three.
- `accumulated`: batches of 16, and two micro-batches of 8 for each update.
- `saved`: two epochs, and one epoch, then saved, loaded and trained for another one.
- `watched`: without callbacks, and with some that only watch. Equal bit for bit.
- `plain`: fused kernels and buckets, and each weight by the rule as it is written.
- `two devices`: one device, and two that share each batch (not on torch).
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_optlab import optimizers
from keras_optlab.engine.backend.devices import have_devices, mirrored_strategy
from keras_optlab.verify.problems import FULL_RANK
from tests.campaign.random.draw import Draw
from tests.campaign.random.models import BACKEND, DETERMINISTIC, IN_PAIRS
from tests.campaign.random.optimizers import described
from tests.campaign.random.programs import (
    build,
    build_callbacks,
    draw_program,
    fit_arguments,
    weights_of,
)

WATCHING = ["Monitor", "TensorBoard", "GradientSignals", "Validate", "TimeStopping"]
NEVER = 2**60
NULL_SPACES = {*FULL_RANK, "soapmuon"}  # rounding chooses the basis of a null space


def draw_pair(seed: int, kinds: list[str]) -> dict[str, Any]:
    """Return a program without chance in it, and the kind of its partner."""
    draw = Draw(f"pair {seed}")
    program = draw_program(seed)
    program |= {"data": "arrays", "policy": "float32", "callbacks": [], "compile": {}}
    program |= {"batch": 16, "validation": False}
    _rule(program["optimizer"])["arguments"].pop("gradient_accumulation_steps", None)
    impossible = _impossible(program["optimizer"])
    kinds = [k for k in kinds if k not in impossible] or ["watched"]
    kind = draw.one(kinds)
    if kind != "watched" and program["model"] not in DETERMINISTIC:
        program["model"] = draw.one(DETERMINISTIC)
    program["model"] = IN_PAIRS.get(program["model"], program["model"])
    return {"kind": kind, "program": program}


def _rule(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the specification of the innermost optimizer."""
    return _rule(spec["inner"]) if "inner" in spec else spec


def _impossible(spec: dict[str, Any]) -> set[str]:
    """Return the kinds of pairs that differ by their nature, or that Keras lacks."""
    found = set()
    rule = _rule(spec)
    if rule["name"] in NULL_SPACES:
        found |= set(KINDS) - {"saved", "watched"}
    if rule["arguments"].get("use_ema"):  # in Keras, another `fit` begins at averages
        found.add("saved")
    while spec:  # a second pass sees one micro-batch at a time
        if optimizers.info(spec["name"]).cls.needs_second_pass:
            found.add("accumulated")
        spec = spec.get("inner", {})
    if BACKEND == "torch":
        found |= {"several steps", "two devices"}
    if BACKEND == "jax":
        found |= {"plain"}
    return found


def difference(pair: dict[str, Any]) -> tuple[float, float]:
    """Return the distance of the weights, relative to their movement, and its limit."""
    program, kind = pair["program"], pair["kind"]
    one, start = _ended(program)
    other = PARTNERS[kind](program)
    moved = max(_norm(one, start), 1e-6 * _norm(one, [0.0] * len(one)))
    matrices = optimizers.info(_rule(program["optimizer"])["name"]).cls.sees_matrices
    limit = 0.05 if matrices else 2e-3  # orthogonal factors magnify rounding
    limit = 0.0 if kind == "watched" else limit
    return _norm(one, other) / moved, limit


def _norm(a: Any, b: Any) -> float:
    rows = zip(a, b, strict=True)
    return float(np.sqrt(sum(np.sum((x - y) ** 2) for x, y in rows)))


def _ended(
    program: dict[str, Any], callbacks: Any = (), epochs: int = 2, **changes: Any
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the weights after training, and before."""
    model, x, y = build(program | changes)
    model(keras.tree.map_structure(lambda a: a[:2], x))  # which builds it
    start = weights_of(model)
    data = fit_arguments(program | changes, *_even(x, y))
    model.fit(**data, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return weights_of(model), start


def _even(x: Any, y: Any) -> Any:
    """Return as many rows as fill three batches of 16."""
    return keras.tree.map_structure(lambda a: a[:48], (x, y))


def _eager(program: dict[str, Any]) -> list[np.ndarray]:
    return _ended(program, compile={"run_eagerly": True})[0]


def _several_steps(program: dict[str, Any]) -> list[np.ndarray]:
    return _ended(program, compile={"steps_per_execution": 3})[0]


def _accumulated(program: dict[str, Any]) -> list[np.ndarray]:
    optimizer = json.loads(json.dumps(program["optimizer"]))
    _rule(optimizer)["arguments"]["gradient_accumulation_steps"] = 2
    return _ended(program, optimizer=optimizer, batch=8)[0]


def _saved(program: dict[str, Any]) -> list[np.ndarray]:
    model, x, y = build(program)
    data = fit_arguments(program, *_even(x, y))
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", True)  # noqa: ARG005
    )
    model.fit(**data, epochs=2, verbose=0, callbacks=[stop])  # which schedules span
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        model = keras.saving.load_model(path, custom_objects=_own_classes())
    model.fit(**data, initial_epoch=1, epochs=2, verbose=0)
    return weights_of(model)


def _own_classes() -> dict[str, Any]:
    from tests.campaign.random import models

    classes = models.Subclassed, models.OwnStep, models.OddShapes
    return {c.__name__: c for c in classes}


def _watched(program: dict[str, Any]) -> list[np.ndarray]:
    draw = Draw(f"watched {program['seed']}")
    names = draw.some(WATCHING, 3) or WATCHING[:1]
    with tempfile.TemporaryDirectory() as folder:
        _, x, y = build(program)
        both = _even(x, y)
        callbacks = build_callbacks(program | {"callbacks": names}, Path(folder), *both)
        return _ended(program, callbacks)[0]


def _plain(program: dict[str, Any]) -> list[np.ndarray]:
    with _without_fused_updates():
        return _ended(program)[0]


def _two_devices(program: dict[str, Any]) -> list[np.ndarray]:
    if BACKEND == "tensorflow":
        with mirrored_strategy(2).scope():
            return _ended(program)[0]
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    try:
        return _ended(program)[0]
    finally:
        keras.distribution.set_distribution(None)


@contextlib.contextmanager
def _without_fused_updates() -> Iterator[None]:
    from unittest import mock

    fused = "keras_optlab.engine.fused"
    changes: list[tuple[str, str, Any]] = [
        ("keras_optlab.engine.update.buckets", "SMALL", 0),
        (f"{fused}.form", "MIN_COMPILED_SIZE", NEVER),
        (f"{fused}.{BACKEND}_kernels", "KERNELS", {}),
    ]
    if BACKEND == "torch":
        changes.append((f"{fused}.torch_in_place", "IN_PLACE", {}))
    with contextlib.ExitStack() as stack:
        for module, name, value in changes:
            owner = importlib.import_module(module)
            stack.enter_context(mock.patch.object(owner, name, value))
        yield


PARTNERS = {
    "eager": _eager,
    "several steps": _several_steps,
    "accumulated": _accumulated,
    "saved": _saved,
    "watched": _watched,
    "plain": _plain,
    "two devices": _two_devices,
}


KINDS = list(PARTNERS)


def outcome(pair: dict[str, Any]) -> dict[str, Any]:
    """Return how a pair ended: `equal`, `refused`, `diverged` or `differs`."""
    try:
        found, limit = difference(pair)
    except Exception as error:  # noqa: BLE001  # any failure is judged
        text = f"{type(error).__name__}: {error}"
        if "Received" in text:
            return {"end": "refused", "text": text}
        return {"end": "error", "text": text, "trace": traceback.format_exc()[-2000:]}
    if found != found:  # noqa: PLR0124  # NaN in both
        return {"end": "diverged"}
    return {"end": "equal" if found <= limit else "differs", "difference": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--minutes", type=float, help="start no more after this time")
    parser.add_argument("--file", type=Path, help="add the results to this file")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, help="only these")
    args = parser.parse_args()
    if BACKEND != "torch":
        have_devices(2)
    ends: collections.Counter[str] = collections.Counter()
    begin = time.monotonic()
    for seed in range(args.first, args.first + args.count):
        if args.minutes and time.monotonic() - begin > 60 * args.minutes:
            break
        pair = draw_pair(seed, args.kinds or KINDS)
        end = outcome(pair)
        ends[f"{pair['kind']}: {end['end']}"] += 1
        keras.backend.clear_session()
        program = pair["program"]
        line = {"seed": seed, "kind": pair["kind"], **end, "model": program["model"]}
        line["optimizer"] = described(program["optimizer"])
        if args.file:
            with args.file.open("a") as file:
                print(json.dumps(line), file=file)
        if end["end"] in ("differs", "error"):
            print(line, flush=True)
    for name, count in sorted(ends.items()):
        print(f"{name:30} {count}")
    sys.exit(any(x.endswith(("differs", "error")) for x in ends))


if __name__ == "__main__":
    main()
