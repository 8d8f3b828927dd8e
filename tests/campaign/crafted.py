"""Crafted configurations: loading one runs nothing and writes nothing.

    python -m tests.campaign.crafted --count 300

The configurations of random optimizers and callbacks, and of what is in them, are
loaded as Keras loads a saved model in safe mode. In each, one value is replaced: by an
object that would run code or write a file, or by text that names code or a path. An
audit hook of Python notes what happens. A configuration is refused, or loaded without
a process, a connection, a file opened for writing, or code of the one who crafted it.
"""

from __future__ import annotations

import argparse
import base64
import collections
import contextlib
import copy
import json
import marshal
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from keras_optlab import callbacks
from tests.campaign.random.draw import Draw
from tests.campaign.random.optimizers import build_optimizer, draw_optimizer

OUTSIDE = "/outside/of/the/folder"
MODULE = "crafted_module"
CODE = compile("import crafted_module", "<crafted>", "exec")
STARTS = (
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
)
CHANGES = "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink"


def _object(module: str | None, name: str, config: Any) -> dict[str, Any]:
    names = {"module": module, "class_name": name, "registered_name": name}
    return names | {"config": config}


LAMBDA = _object(
    None,
    "__lambda__",
    {
        "value": {
            "code": base64.b64encode(marshal.dumps(CODE)).decode(),
            "defaults": None,
            "closure": None,
        }
    },
)
PAYLOADS: dict[str, Any] = {
    "function": _object("os", "function", "system"),
    "process": _object("subprocess", "Popen", {"args": ["touch", OUTSIDE]}),
    "builtin": _object("builtins", "eval", {"source": "1"}),
    "lambda": LAMBDA,
    "Lambda": _object("keras.layers", "Lambda", {"function": LAMBDA}),
    "module": _object(MODULE, "Made", {}),
    "download": _object("keras.utils", "get_file", {"fname": OUTSIDE, "origin": "x"}),
    "model": _object("keras.saving", "load_model", {"filepath": OUTSIDE}),
    **{
        name: _object("keras_optlab", f"keras_optlab>{name}", {argument: OUTSIDE})
        for name, argument in {
            "TensorBoard": "log_dir",
            "Resume": "directory",
            "AverageModelCheckpoint": "filepath",
        }.items()
    },
    "text of a function": "os:system",
    "text of a module": f"{MODULE}:Made",
    "text of a file": f"{MODULE}.py",
    "path": OUTSIDE,
    "upwards": "../../outside",
    "format": "{0.__class__.__mro__}",
    "pattern": "(a+)+$",
}


class Audit:
    """What Python does while it is asked to look, by an audit hook."""

    def __init__(self) -> None:
        self.looks = False
        self.found: list[str] = []
        sys.addaudithook(self._note)

    @contextlib.contextmanager
    def looking(self) -> Iterator[list[str]]:
        self.found, self.looks = [], True
        try:
            yield self.found
        finally:
            self.looks = False

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.looks:
            return
        ran = event == "exec" and "<crafted>" in repr(arguments)
        imported = event == "import" and arguments[0] == MODULE
        writes = event == "open" and self._writes(*arguments[:3])
        if ran or imported or writes or event.startswith((*STARTS, *CHANGES)):
            self.found.append(f"{event}{arguments!r}"[:200])

    @staticmethod
    def _writes(path: Any, mode: str | None, flags: int | None) -> bool:
        by_mode = mode is not None and set(mode) & set("wax+")
        by_flags = bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        return bool(by_mode or by_flags) and "__pycache__" not in str(path)


def configurations(seed: int) -> list[dict[str, Any]]:
    """Return serialized objects that a seed draws: an optimizer and callbacks."""
    draw = Draw(f"crafted {seed}")
    made: list[Any] = []
    with contextlib.suppress(ValueError, TypeError):  # a refused combination
        made.append(build_optimizer(draw_optimizer(draw)))
    made += draw.some(CALLBACKS, 2)
    return [json.loads(json.dumps(serialized(x))) for x in made]


def serialized(x: Any) -> Any:
    return keras.saving.serialize_keras_object(x)


CALLBACKS = [
    callbacks.EarlyStopping("loss", patience=2),
    callbacks.HyperparameterScheduler(
        "learning_rate", keras.optimizers.schedules.CosineDecay(0.1, 10)
    ),
    callbacks.TensorBoard("logs"),
    callbacks.WeightClipping(max_norm=1.0),
]


def places(config: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value in nested dicts and lists."""
    items: Any = ()
    if isinstance(config, dict):
        items = config.items()
    elif isinstance(config, list):
        items = enumerate(config)
    for key, value in items:
        yield (*at, key)
        yield from places(value, (*at, key))


def replaced(config: Any, at: tuple[Any, ...], value: Any) -> Any:
    """Return a copy with another value at a path."""
    new = copy.deepcopy(config)
    inner = new
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return new


def outcome(config: Any, audit: Audit) -> str:
    """Return `loaded` or `refused`, or what has happened."""
    with audit.looking() as found, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            keras.saving.deserialize_keras_object(config)
            end = "loaded"
        except Exception:  # noqa: BLE001  # of Keras or of this package
            end = "refused"
    return f"{end}, after {found[0]}" if found else end


def campaign(seeds: Any, tries: int, audit: Audit) -> collections.Counter[str]:
    """Return how often crafted configurations ended in which way."""
    ends: collections.Counter[str] = collections.Counter()
    for seed in seeds:
        draw = Draw(f"places {seed}")
        for config in configurations(seed):
            found = list(places(config))
            for _ in range(tries):
                at, name = draw.one(found), draw.one(PAYLOADS)
                end = outcome(replaced(config, at, PAYLOADS[name]), audit)
                ends[end] += 1
                if ", after" in end:
                    print(f"seed {seed}, {name} at {at}: {end}", flush=True)
    return ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--tries", type=int, default=40, help="values of each object")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        (Path(folder) / f"{MODULE}.py").write_text("class Made: pass\n")
        seeds = range(args.first, args.first + args.count)
        ends = campaign(seeds, args.tries, Audit())
    for text, times in sorted(ends.items()):
        print(f"{text:30} {times}")
    sys.exit(any(", after" in text for text in ends))


if __name__ == "__main__":
    main()
