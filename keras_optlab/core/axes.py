"""`Matrices`: the axes of a weight that are inputs, outputs, or count matrices."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from keras import ops

from keras_optlab.core.errors import shown
from keras_optlab.core.fields import Option
from keras_optlab.core.types import Tensor

Shape = tuple[int, ...]
Role = Literal["hidden", "embedding", "head"]
Axis = int | Sequence[int]

AxesLike = Literal["layer"] | tuple[Axis, Axis] | None

GATES = {"lstm_cell": 4, "conv_lstm_cell": 4, "gru_cell": 3}
VECTORS = "bias", "beta", "gamma", "scale", "recurrent_bias"  # names of such weights


@dataclass(frozen=True)
class Matrices:
    """A weight as a matrix of inputs by outputs, or as a batch of them.

    Attributes:
        whole: The weight's shape.
        inputs: The axes of `parts` that are inputs of the layer: the rows.
        outputs: The axes that are outputs: the columns. All others form the batch.
        heads: The axis that counts the heads of an attention, if there is one.
        role: What the layer is for.
        split: `parts`, if an axis of the weight joins several, such as the gates and
            units of an LSTM.
        positions: The positions of a convolution's kernel, which are the first part of
            its inputs: 9 if it is 3 by 3.

    >>> queries = Matrices((32, 4, 8), inputs=(0,), outputs=(1, 2), heads=1)
    >>> queries.shape, queries.per_head().shape
    ((32, 32), (4, 32, 8))
    """

    whole: Shape
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    heads: int | None = None
    role: Role = "hidden"
    split: Shape | None = None
    positions: int = 1

    @property
    def parts(self) -> Shape:
        """The weight's shape, with the axes split that `split` splits."""
        return self.split or self.whole

    @property
    def batch(self) -> tuple[int, ...]:
        """The axes that are neither inputs nor outputs."""
        taken = self.inputs + self.outputs
        return tuple(i for i in range(len(self.parts)) if i not in taken)

    @property
    def shape(self) -> Shape:
        """Rows and columns, after the number of matrices if there is a batch."""
        sizes = [self._size(axes) for axes in (self.batch, self.inputs, self.outputs)]
        return tuple(sizes if self.batch else sizes[1:])

    @property
    def rows(self) -> int:
        """The number of inputs."""
        return self.shape[-2]

    @property
    def columns(self) -> int:
        """The number of outputs."""
        return self.shape[-1]

    def of(self, x: Tensor) -> Tensor:
        """Return a tensor of the weight's shape as matrices."""
        if self._is_as_it_is:
            return x
        x = x if self.split is None else ops.reshape(x, self.split)
        x = x if self._in_order else ops.transpose(x, self._order)
        return ops.reshape(x, self.shape)

    def back(self, x: Tensor) -> Tensor:
        """Return matrices as a tensor of the weight's shape."""
        if self._is_as_it_is:
            return x
        if not self._in_order:
            x = ops.reshape(x, [self.parts[i] for i in self._order])
            x = ops.transpose(x, [self._order.index(i) for i in range(len(self.parts))])
        return ops.reshape(x, self.whole)

    def per_head(self) -> Matrices:
        """Return one matrix for each head of an attention."""
        if self.heads is None:
            return self
        keep = [
            tuple(i for i in axes if i != self.heads)
            for axes in (self.inputs, self.outputs)
        ]
        return replace(self, inputs=keep[0], outputs=keep[1]) if all(keep) else self

    def in_words(self) -> str:
        """Return the matrices in words.

        >>> Matrices((9, 64, 1), inputs=(0,), outputs=(2,)).in_words()
        '64 matrices 9 x 1'
        """
        size = f"{self.rows} x {self.columns}"
        return f"{self.shape[0]} matrices {size}" if self.batch else f"matrix {size}"

    @property
    def _order(self) -> tuple[int, ...]:
        return self.batch + self.inputs + self.outputs

    @property
    def _is_as_it_is(self) -> bool:
        return self._in_order and self.shape == self.whole

    @property
    def _in_order(self) -> bool:
        return self._order == tuple(range(len(self.parts)))

    def _size(self, axes: tuple[int, ...]) -> int:
        return math.prod(self.parts[i] for i in axes)


def last_is_output(shape: Shape, role: Role = "hidden") -> Matrices | None:
    """Return a matrix with one column per entry of the last axis; `None` for vectors.

    More than two axes are those of a convolution's kernel.

    >>> last_is_output((3, 3, 16, 32)).shape
    (144, 32)
    """
    if len(shape) < 2:
        return None
    last = len(shape) - 1
    inputs = tuple(range(last))
    return Matrices(shape, inputs, (last,), role=role, positions=positions_of(shape))


def positions_of(shape: Shape) -> int:
    """Return the number of positions of a convolution's kernel.

    >>> positions_of((3, 3, 16, 32)), positions_of((16, 32))
    (9, 1)
    """
    return math.prod(shape[:-2])


def of_cell(shape: Shape, gates: int) -> Matrices:
    """Return the matrices of a recurrent cell's kernel, one for each gate."""
    parts = (*shape[:-1], gates, shape[-1] // gates)
    inputs = tuple(range(len(shape) - 1))
    return Matrices(
        shape, inputs, (len(shape),), split=parts, positions=positions_of(shape)
    )


def depthwise(shape: Shape) -> Matrices:
    """Return the matrices of a depthwise kernel, one for each channel."""
    last = len(shape) - 1
    inputs = tuple(range(last - 1))
    return Matrices(shape, inputs, (last,), positions=positions_of(shape))


def from_path(path: str, shape: Shape) -> Matrices | None:
    """Return the matrices of a weight as far as its path and shape tell them.

    >>> from_path("block/attention/query/kernel", (32, 4, 8)).outputs
    (1, 2)
    >>> from_path("block/attention/query/bias", (4, 8)) is None
    True
    """
    names = [re.sub(r"_\d+$", "", name) for name in path.lower().split("/")]
    layer, name = ([""] * 2 + names)[-2:]
    if len(shape) < 2 or name in VECTORS:
        return None
    if any("embedding" in one for one in names[-2:]):
        return last_is_output(shape, role="embedding")
    if len(shape) == 3 and layer in ("query", "key", "value"):
        return Matrices(shape, (0,), (1, 2), heads=1)
    if len(shape) == 3 and layer == "attention_output":
        return Matrices(shape, (0, 1), (2,), heads=0)
    gates = GATES.get(layer)
    if gates and shape[-1] % gates == 0:
        return of_cell(shape, gates)
    if len(shape) > 2 and "depthwise" in f"{layer}/{name}":
        return depthwise(shape)
    return last_is_output(shape)


def check_axes(value: Any) -> Any:
    """Return `axes` as two tuples, or as `"layer"` or `None`; raise if it is neither.

    Raises:
        TypeError: if it is neither `"layer"`, `None`, nor a pair.
        ValueError: if an axis is both an input and an output, or a side has none.
    """
    if value is None or (isinstance(value, str) and value == "layer"):
        return value
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise TypeError(
            'expected a pair (inputs, outputs) of axes, such as (0, (1, 2)), "layer" '
            f"or None. Received: axes={shown(value)}"
        )
    pair = tuple(_as_axes(side, value) for side in value)
    together = pair[0] + pair[1]
    if not all(pair) or len(set(together)) < len(together):
        raise ValueError(
            "expected different axes for inputs and outputs, at least one of each. "
            f"Received: axes={shown(value)}"
        )
    return pair


def LayerAxes() -> Any:
    """Return the declaration of the argument `axes`."""
    return Option(
        default="layer",
        check=check_axes,
        domain='"layer", (inputs, outputs) or None',
        by_group=True,
        doc="axes of the matrices",
    )


def given_axes(axes: Any, found: Matrices | None, shape: Shape, path: str) -> Any:
    """Return the matrices with the axes that a user gave.

    Raises:
        ValueError: if the weight does not have these axes.
    """
    if axes == "layer":
        return found
    if axes is None:
        return None
    wrong = [i for i in axes[0] + axes[1] if not -len(shape) <= i < len(shape)]
    sides = [tuple(i % max(len(shape), 1) for i in side) for side in axes]
    if wrong or len({*sides[0], *sides[1]}) < len(sides[0] + sides[1]):
        raise ValueError(
            f"`axes` must be different axes of the weight {path!r}, which has "
            f"{len(shape)}: {shape}. Received: axes={axes}. Give other axes, or None "
            "for the step of vectors."
        )
    return Matrices(shape, inputs=sides[0], outputs=sides[1])


def _as_axes(side: Any, value: Any) -> tuple[int, ...]:
    axes = tuple(side) if isinstance(side, list | tuple) else (side,)
    if not all(isinstance(i, int) and not isinstance(i, bool) for i in axes):
        raise TypeError(
            "expected axes as integers or tuples of integers. "
            f"Received: axes={shown(value)}"
        )
    return axes
