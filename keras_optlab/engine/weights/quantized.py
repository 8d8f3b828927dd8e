r"""State in 8 bits: a code for each entry, and a float32 scale for each 256 entries.

The entry of largest magnitude in a block is its scale $s$, with its sign. A code stores
the nearest value of the dynamic map to $x / s$. Thus the largest entry is exact, and
values that were stored once are stored again without a change.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.tables import computed_once
from keras_optlab.engine.backend.variables import Pairs, View, read, to_numpy
from keras_optlab.engine.weights.dynamic_map import SIGNED, UNSIGNED

BLOCK = 256  # entries with a common scale
MIN_SIZE = 4096  # entries of a weight; state of smaller ones is not quantized
SMALLEST = 2.0**-126  # below, the inverse of a scale overflows

Shape = tuple[int, ...]


class Quantized(View):
    """A slot, read and written as float32 in the shape of its weight.

    Args:
        codes: Variable or tensor of uint8, (blocks, 256); the last block is padded.
        scales: Variable or tensor of float32, (blocks,).
        shape: Shape of the weight.
        signed: Whether entries may be negative.
    """

    dtype = "float32"

    def __init__(self, codes: Variable, scales: Variable, shape: Shape, signed: bool):
        self.codes, self.scales = codes, scales
        self.shape = shape
        self.signed = signed
        self.map = SIGNED if signed else UNSIGNED

    @property
    def variables(self) -> list[Variable]:
        """What it is stored in."""
        return [self.codes, self.scales]

    @property
    def value(self) -> Tensor:
        """The entries."""
        blocks = self.map.decode(read(self.codes)) * read(self.scales)[:, None]
        return ops.reshape(
            ops.reshape(blocks, (-1,))[: math.prod(self.shape)], self.shape
        )

    def assign(self, value: Any) -> None:
        """Write all entries."""
        for variable, x in self.pairs(ops.convert_to_tensor(value, "float32")):
            variable.assign(x)

    def pairs(self, value: Tensor) -> Pairs:
        """Return its variables with the values that store these entries."""
        x = computed_once(ops.cast(value, "float32"))
        blocks = _as_blocks(x, self.shape)
        largest = ops.max(blocks, axis=1)
        if self.signed:
            least = ops.min(blocks, axis=1)
            largest = ops.where(largest < -least, least, largest)
        zero = ops.abs(largest) < SMALLEST
        inverse = ops.where(zero, 0.0, 1.0 / ops.where(zero, 1.0, largest))
        codes = self.map.encode(blocks * inverse[:, None])
        return [(self.codes, codes), (self.scales, largest)]

    def numpy(self) -> np.ndarray:
        """Return the entries as an array."""
        return to_numpy(self)


def in_8_bits(p: Any) -> bool:
    """Return whether `slot_dtype="int8"` quantizes the state of a `Parameter`.

    Not if it is small, nor that of an embedding, whose rare rows need precise state,
    nor that of small weights that are updated as one.
    """
    alone = p.members == [p]
    return alone and p.size >= MIN_SIZE and not p.path.endswith("embeddings")


def number_of_blocks(shape: Shape) -> int:
    """Return the number of blocks of a weight, the last one perhaps not full."""
    return -(-math.prod(shape) // BLOCK)


def _as_blocks(x: Tensor, shape: Shape) -> Tensor:
    size = math.prod(shape)
    missing = -size % BLOCK
    x = ops.reshape(x, (-1,))
    return ops.reshape(ops.pad(x, (0, missing)) if missing else x, (-1, BLOCK))


# Slots as plain tensors or variables, for functions that are compiled.


def opened(slots: dict[str, Variable], get: Any) -> dict[str, Any]:
    """Return what each slot is stored in, by a function of a variable."""
    return {
        name: tuple(map(get, v.variables)) if isinstance(v, Quantized) else get(v)
        for name, v in slots.items()
    }


def closed(parts: dict[str, Any], like: dict[str, Variable], shape: Shape) -> Any:
    """Undo `opened`, for a weight of this shape with the same kinds of slots."""
    return {
        name: Quantized(x[0], x[1], shape, like[name].signed)
        if isinstance(x, tuple)
        else x
        for name, x in parts.items()
    }


def stored_in(slot: Variable) -> list[Variable]:
    """Return the variables of a slot."""
    return slot.variables if isinstance(slot, Quantized) else [slot]


# In files, each entry is one byte: int8 with the signed map, uint8 with the unsigned.

SCALES = "scales|"  # start of the key of a slot's scales


def to_arrays(slot: Variable, key: str) -> dict[str, np.ndarray]:
    """Return the arrays to save of a slot, by key."""
    if not isinstance(slot, Quantized):
        return {key: to_numpy(slot)}
    codes = to_numpy(slot.codes).reshape(-1)[: math.prod(slot.shape)]
    if slot.signed:
        codes = (codes.astype("int16") - 128).astype("int8")
    scales = to_numpy(slot.scales)
    return {key: codes.reshape(slot.shape), f"{SCALES}{key}": scales}


def from_arrays(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return saved arrays with quantized slots as float32."""
    found = {k: x for k, x in arrays.items() if not k.startswith(SCALES)}
    for name in arrays.keys() - found.keys():
        key = name.removeprefix(SCALES)
        if key in found:
            found[key] = _decoded(found[key], arrays[name])
    return found


def _decoded(codes: np.ndarray, scales: np.ndarray) -> np.ndarray:
    signed = codes.dtype == np.int8
    places = codes.astype("int16").reshape(-1) + (128 if signed else 0)
    table = (SIGNED if signed else UNSIGNED).values.astype("float32")
    each = np.repeat(scales, BLOCK)[: codes.size]
    return (table[places] * each).reshape(codes.shape)
