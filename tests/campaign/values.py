"""Values of each kind, right and wrong, that arguments are tried with."""

from __future__ import annotations

import decimal
import types
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_optlab import schedules


class Strange:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError


NONE = frozenset({"none"})
FLAG = frozenset({"flag"})
WHOLE = frozenset({"whole", "number"})
NUMBER = frozenset({"number"})
TEXT = frozenset({"text"})
NEVER = frozenset[str]()

POOL: dict[str, tuple[Any, frozenset[str]]] = {
    "None": (None, NONE),
    "True": (True, FLAG),
    "numpy False": (np.False_, FLAG),
    "0": (0, WHOLE),
    "1": (1, WHOLE),
    "-1": (-1, WHOLE),
    "numpy 3": (np.int64(3), WHOLE),
    "array 2": (np.array(2), WHOLE),
    "2.0": (2.0, WHOLE),
    "2**31": (2**31, WHOLE),
    "2**63": (2**63, WHOLE),
    "0.5": (0.5, NUMBER),
    "numpy 0.5": (np.float32(0.5), NUMBER),
    "tensor 0.5": (keras.ops.convert_to_tensor(0.5), NUMBER),
    "-0.5": (-0.5, NUMBER),
    "1e-50": (1e-50, NUMBER),
    "1e30": (1e30, WHOLE),
    "1e39": (1e39, NUMBER),
    "10**400": (10**400, frozenset({"whole"})),
    "nan": (float("nan"), NEVER),
    "numpy nan": (np.float32("nan"), NEVER),
    "inf": (float("inf"), NEVER),
    "-inf": (-np.inf, NEVER),
    "decimal nan": (decimal.Decimal("nan"), NEVER),
    "complex": (1j, NEVER),
    "time": (np.timedelta64(1, "s"), NEVER),
    "text": ("no such name", TEXT),
    "no text": ("", TEXT),
    "text of a number": ("0.5", TEXT),
    "bytes": (b"0.5", NEVER),
    "no list": ([], frozenset({"list"})),
    "no tuple": ((), frozenset({"list"})),
    "list of a number": ([0.5], frozenset({"numbers"})),
    "list of text": (["a"], frozenset({"texts"})),
    "list of None": ([None], frozenset({"nones"})),
    "vector": (np.array([1.0, 2.0]), frozenset({"numbers", "array"})),
    "no mapping": ({}, frozenset({"mapping"})),
    "mapping": ({"no such": 0.5}, frozenset({"mapping"})),
    "set": ({1.0}, NEVER),
    "object": (object(), NEVER),
    "strange": (Strange(), NEVER),
    "class": (float, frozenset({"function"})),
    "module": (types, NEVER),
    "function": (lambda: 0.5, frozenset({"function"})),
    "generator": ((x for x in [1.0]), NEVER),
    "path": (Path("no/such"), frozenset({"path"})),
    "schedule": (schedules.Constant(0.5), frozenset({"schedule", "function"})),
}
