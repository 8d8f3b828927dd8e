"""`AxisLength`: a length in a slot's shape that remembers the axes of the weight."""

from __future__ import annotations

from collections.abc import Sequence


class AxisLength(int):
    """The length of an axis of a weight, or the product of several.

    A rule computes the shape of a slot from that of its weight: it leaves axes out,
    takes one twice, or joins several. The lengths still tell which axes of the weight
    they are, so that a slot can be divided over devices as its weight is. A length that
    is computed in another way is a plain integer.

    Attributes:
        axes: The positions of the axes in the weight.

    >>> rows, columns = axis_lengths((3, 4))
    >>> (rows * columns).axes, min(rows, columns).axes
    ((0, 1), (0,))
    """

    axes: tuple[int, ...]

    def __new__(cls, length: int, axes: tuple[int, ...]) -> AxisLength:
        """Return a length with its axes."""
        made = super().__new__(cls, length)
        made.axes = axes
        return made

    def __mul__(self, other: int) -> int:  # type: ignore[override]
        product = int(self) * int(other)
        if isinstance(other, AxisLength):
            return AxisLength(product, self.axes + other.axes)
        return AxisLength(product, self.axes) if other == 1 else product

    __rmul__ = __mul__  # `math.prod` begins with 1


def axis_lengths(shape: Sequence[int]) -> tuple[AxisLength, ...]:
    """Return the shape of a weight as lengths of its axes."""
    return tuple(AxisLength(n, (axis,)) for axis, n in enumerate(shape))


def axes_of(length: int) -> tuple[int, ...]:
    """Return the axes of the weight that a length in a slot's shape is of, or none."""
    return length.axes if isinstance(length, AxisLength) else ()
