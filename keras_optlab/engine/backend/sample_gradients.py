"""Gradients of a model over a sample: their size, their variance and their change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.gradient_noise import (
    GradientNoise,
    Tensors,
    moments_of,
    tensors,
    wide,
)
from keras_optlab.engine.backend.variables import read


@dataclass(frozen=True)
class Measured:
    """What one pass over a sample has measured, of all weights together.

    Attributes:
        square: |mean gradient|², at the present weights.
        variance: Sum of the variances of a micro-batch's gradient, at the same.
        curvature: Mean second derivative of the loss on the way from other weights to
            the present ones; `None` without others, or if no weight differs.
    """

    square: float
    variance: float
    curvature: float | None


class SampleGradients(GradientNoise):
    """Gradients of a model over micro-batches of a sample, at two sets of weights.

    The loss is that of `GradientNoise`. Between the passes nothing is kept.
    """

    def weights(self) -> Tensors:
        """Return copies of the trained weights, which later steps do not change."""
        return [ops.copy(ops.stop_gradient(read(v))) for v in self.trained]

    def measure(self, data: Any, before: Tensors) -> Measured:
        """Measure the gradients over a sample.

        Args:
            data: Inputs, targets and sample weights or `None`; arrays of shape
                (micro-batches, examples in each, ...).
            before: The weights at an earlier time, as from `weights`; none for no
                curvature.
        """
        values, others = self._present()
        sums = self._pass(values, before, others, tensors(data))
        scale = float(ops.convert_to_numpy(others[-1]))
        square, variance, change, way = (float(ops.convert_to_numpy(x)) for x in sums)
        return Measured(
            square / scale**2,
            variance / scale**2,
            change / scale / way if way else None,
        )

    def _make_pass(self) -> Callable[..., Any]:
        moments = moments_of(self._loss)

        def run(
            values: Tensors, before: Tensors, others: Tensors, data: Any
        ) -> tuple[Tensor, ...]:
            means, variances = moments(values, others, data)
            zero = ops.zeros((), "float32")
            square = _product(means, means)
            variance = _total([ops.sum(s) for s in variances])
            if not before:
                return square, variance, zero, zero
            first, _ = moments(before, others, data)
            step, change = _minus(values, before), _minus(means, first)
            return square, variance, _product(change, step), _product(step, step)

        return run


def _minus(xs: Tensors, ys: Tensors) -> Tensors:
    return [wide(x) - wide(y) for x, y in zip(xs, ys, strict=True)]


def _product(xs: Tensors, ys: Tensors) -> Tensor:
    """Return the inner product of two vectors that are given in parts."""
    return _total([ops.sum(x * y) for x, y in zip(xs, ys, strict=True)])


def _total(parts: Tensors) -> Tensor:
    return sum((ops.cast(x, "float32") for x in parts), ops.zeros((), "float32"))
