"""The loss of a model on all data, as a function of one weight vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from itertools import accumulate
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend import derivatives
from keras_optlab.full_batch.data import Data


class Objective:
    """A model's loss, and for least squares its residuals, in NumPy.

    Layers run in inference mode, so that the loss is deterministic: dropout is off, and
    normalization uses its moving statistics. Only `place` changes the model.

    Args:
        model: Built and compiled.
        data: Data to fit.
    """

    def __init__(self, model: keras.Model, data: Data) -> None:
        self.model, self.data = model, data
        self.variables = list(model.trainable_variables)
        self.shapes = [tuple(v.shape) for v in self.variables]
        self.ends = list(accumulate(map(math.prod, self.shapes)))
        types = {keras.backend.standardize_dtype(v.dtype) for v in self.variables}
        self.dtype = "float64" if "float64" in types else "float32"

    @property
    def size(self) -> int:
        """Number of weights."""
        return self.ends[-1]

    def present(self) -> np.ndarray:
        """Return the model's weights as one float64 vector."""
        arrays = [np.ravel(ops.convert_to_numpy(v.value)) for v in self.variables]
        return np.concatenate(arrays).astype("float64")

    def place(self, w: np.ndarray) -> None:
        """Write a weight vector into the model."""
        parts = np.split(w, self.ends[:-1])
        for variable, x, shape in zip(self.variables, parts, self.shapes, strict=True):
            variable.assign(np.reshape(x, shape))

    @cached_property
    def loss_and_gradient(self) -> Callable[..., Any]:
        """The loss as compiled, with penalties and sample weights, and its gradient."""
        return derivatives.value_and_gradient(self._loss, self.dtype)

    @cached_property
    def hessian_product(self) -> Callable[..., Any]:
        """The Hessian of the loss times a vector."""
        return derivatives.hessian_product(self._loss, self.dtype)

    @cached_property
    def residuals(self) -> Callable[..., Any]:
        """The residuals; half their sum of squares is the mean squared error."""
        return derivatives.evaluated(self._residuals, self.dtype)

    @cached_property
    def jacobian(self) -> Callable[..., Any]:
        """The Jacobian of the residuals."""
        return derivatives.jacobian(self._residuals, self.dtype)

    def _at(self, w: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
        """Return `of` of the model's predictions with a weight vector."""
        parts = ops.split(w, self.ends[:-1]) if len(self.ends) > 1 else [w]
        values = [
            ops.reshape(x, shape) for x, shape in zip(parts, self.shapes, strict=True)
        ]
        held = list(zip(self.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=held, collect_losses=True):
            return of(self.model(self.data.x, training=False))

    def _loss(self, w: Tensor) -> Tensor:
        x, y, sample_weight = self.data.x, self.data.y, self.data.sample_weight
        return self._at(
            w, lambda y_pred: self.model.compute_loss(x, y, y_pred, sample_weight)
        )

    def _residuals(self, w: Tensor) -> Tensor:
        def of(y_pred: Tensor) -> Tensor:
            y = ops.reshape(ops.cast(self.data.y, self.dtype), y_pred.shape)
            difference = ops.cast(y_pred, self.dtype) - y
            each = ops.reshape(difference, (self.data.size, -1))
            scale = math.sqrt(2 / math.prod(y_pred.shape))
            if self.data.sample_weight is not None:
                weight = ops.cast(self.data.sample_weight, self.dtype)
                scale = scale * ops.sqrt(ops.reshape(weight, (self.data.size, 1)))
            return ops.reshape(scale * each, (-1,))

        return self._at(w, of)
