r"""The dynamic map of 8-bit states: 256 values from $10^{-7}$ to 1, as code and back.

A code is the position of a value in the sorted map (Dettmers et al., 2021,
arXiv:2110.02861, section 2.2; the map of bitsandbytes and torchao). The signed map has
$2^i$ values of each sign in the decade up to $10^{i-6}$, $i = 0, \dots, 6$, the
unsigned map twice as many. Both have 0 and 1.

From 0 to the value before 1, positions are a concave function of values that is linear
between neighbours, so it is the minimum of the lines through neighbours. Only 13 or 14
of them differ. Rounding this minimum gives the nearest value, without a search.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.tables import look_up

DECADES = 7


@dataclass(frozen=True)
class DynamicMap:
    """Values that a byte stores, between -1 or 0 and 1.

    Args:
        signed: Whether there are negative values.
    """

    signed: bool

    @cached_property
    def values(self) -> np.ndarray:
        """The 256 values, sorted, in float64."""
        sizes = [2**i if self.signed else 2 ** (i + 1) for i in range(DECADES)]
        edges = [
            np.linspace(0.1, 1.0, n + 1) * 10.0 ** (i - 6) for i, n in enumerate(sizes)
        ]
        positive = np.concatenate([(e[1:] + e[:-1]) / 2 for e in edges])
        negative = -positive if self.signed else []
        return np.sort(np.concatenate([negative, [0.0], positive, [1.0]]))

    @property
    def zero(self) -> int:
        """The code of 0."""
        return 127 if self.signed else 0

    @cached_property
    def lines(self) -> list[tuple[float, float]]:
        """Slopes and intercepts of the lines from a value to its place after 0."""
        x = self.values[self.zero : -1]
        slopes = 1 / np.diff(x)
        intercepts = np.arange(len(slopes)) - slopes * x[:-1]
        _, first = np.unique(np.round(np.log(slopes), 6), return_index=True)
        return [(float(slopes[i]), float(intercepts[i])) for i in first]

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes of the nearest values, as uint8.

        In the unsigned map, a positive entry never becomes 0: a rule that divides by
        the root of a second moment would take a huge step.

        Args:
            x: Tensor of numbers in [-1, 1], or in [0, 1] for the unsigned map.
        """
        size = ops.abs(x) if self.signed else x
        last = float(254 - self.zero)
        place = last
        for slope, intercept in self.lines:
            other = size * slope + intercept
            place = ops.where(other < place, other, place)  # XLA's minimum is slower
        if self.signed:
            place = ops.where(x < 0, -place, place)
        else:
            place = ops.where(x > 0, ops.where(place < 1.0, 1.0, place), 0.0)
        code = ops.where(x > (self.values[-2] + 1) / 2, last + 1, ops.round(place))
        return ops.cast(code + float(self.zero), "uint8")

    def decode(self, codes: Tensor) -> Tensor:
        """Return the values of codes, as float32."""
        table = ops.convert_to_tensor(self.values, "float32")
        return look_up(table, codes)


SIGNED, UNSIGNED = DynamicMap(signed=True), DynamicMap(signed=False)
