"""Corrected weight decay: the decay follows the learning rate's share of its peak."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_optlab.core import Values
from keras_optlab.core.ends import largest_of
from keras_optlab.core.numerics import maximum
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.variables import Pairs, read
from keras_optlab.engine.contract import BuiltOptimizer


class DecayCorrection:
    """The peaks of the learning rate so far, and the factor on weight decay.

    Args:
        add_variable: Creates a scalar variable from a name and a number.

    Attributes:
        variables: The largest rate and the largest `learning_rate_scale` so far.
    """

    def __init__(self, add_variable: Callable[[str, float], Variable]) -> None:
        names = "peak_rate", "peak_scale"
        self.variables = {name: add_variable(name, 0.0) for name in names}

    def factor(
        self, optimizer: BuiltOptimizer, rate: Tensor, scale: Tensor
    ) -> tuple[Tensor, Pairs]:
        """Return the rate as a share of its peak, and the new peaks.

        Args:
            optimizer: The optimizer.
            rate: The learning rate of the update, without its scale.
            scale: The scale.
        """
        now = {"peak_rate": rate, "peak_scale": scale}
        peaks = {k: maximum(read(v), now[k]) for k, v in self.variables.items()}
        known = largest_of(optimizer.rate.source)
        highest = peaks["peak_rate"]
        if known is not None:
            highest = maximum(highest, known)
        peak = highest * peaks["peak_scale"]
        positive = peak > 0
        share = rate * scale / ops.where(positive, peak, 1.0)
        return share, [(v, peaks[k]) for k, v in self.variables.items()]


def correction_for(
    optimizer: Any, add_variable: Callable[[str, float], Variable]
) -> DecayCorrection | None:
    """Return a correction if the optimizer or one of its groups asks for it."""
    asked = [optimizer.decay_schedule] + [
        group.hyperparameters.get("decay_schedule") for group in optimizer.groups
    ]
    return DecayCorrection(add_variable) if "corrected" in asked else None


def corrected(h: Values) -> Values:
    """Return hyperparameters with the factor on each weight decay."""
    decays = {
        name: value * h.decay_factor
        for name, value in h.items()
        if name.endswith("weight_decay") and value is not None
    }
    return h.extend(**decays)
