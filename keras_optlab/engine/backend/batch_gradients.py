"""Gradients of a model on single batches, without an effect on the model."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.gradient_noise import compiled, gradient_of
from keras_optlab.engine.backend.keras_adapter import loss_scale

Tensors = list[Tensor]


class BatchGradients:
    """Norms of a model's gradients, and the largest entry for each unit of layers.

    The loss is what `model.compute_loss` returns for the model in training mode, with
    the penalties of the layers. What layers write is dropped. With a loss scale, the
    gradient is scaled and scaled back.

    Args:
        model: built and compiled.
        units: The weights, by their `id`, for whose last axis to return a vector.
    """

    def __init__(self, model: Any, units: set[int]) -> None:
        self.trained: list[Variable] = list(model.trainable_variables)
        trained = set(map(id, self.trained))
        everything = [*model.variables, *model.metrics_variables]
        self._others = [v for v in everything if id(v) not in trained]
        self._units = [id(v) in units for v in self.trained]
        self._model, self._optimizer = model, model.optimizer
        gradient = gradient_of(self._loss)

        def measure(*arguments: Any) -> tuple[Tensor, Tensors]:
            slopes = [ops.cast(g, "float32") for g in gradient(*arguments)]
            return self._measures(slopes)

        self._measure = compiled(measure)

    def __call__(
        self, x: Any, y: Any, sample_weight: Any = None
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Return the norm for each weight, and the largest entries of units.

        The latter are by the position of the weight.
        """
        x, y, sample_weight = tree.map_structure(_tensor, (x, y, sample_weight))
        scale = ops.convert_to_numpy(loss_scale(self._optimizer, "float32"))
        values = [ops.convert_to_tensor(v.value) for v in self.trained]
        others = [ops.convert_to_tensor(v.value) for v in self._others]
        others.append(ops.convert_to_tensor(scale))
        norms, largest = self._measure(values, others, x, y, sample_weight)
        positions = [i for i, wanted in enumerate(self._units) if wanted]
        arrays = [np.asarray(ops.convert_to_numpy(u)) for u in largest]
        return (
            np.asarray(ops.convert_to_numpy(norms), "float64") / scale,
            dict(zip(positions, arrays, strict=True)),
        )

    def _loss(
        self, values: Tensors, others: Tensors, x: Any, y: Any, weight: Any
    ) -> Tensor:
        *others, scale = others
        held = itertools.chain(
            zip(self.trained, values, strict=True),
            zip(self._others, others, strict=True),
        )
        with keras.StatelessScope(state_mapping=list(held), collect_losses=True):
            y_pred = self._model(x, training=True)
            value = self._model.compute_loss(x, y, y_pred, weight, training=True)
        return value * ops.cast(scale, value.dtype)

    def _measures(self, slopes: Tensors) -> tuple[Tensor, Tensors]:
        norms = ops.stack([ops.sqrt(ops.sum(ops.square(g))) for g in slopes])
        largest = [
            ops.max(ops.abs(ops.reshape(g, (-1, g.shape[-1]))), axis=0)
            for g, wanted in zip(slopes, self._units, strict=True)
            if wanted
        ]
        return norms, largest


def _tensor(x: Any) -> Any:
    """Return an array as a tensor, of `floatx` if it has floats."""
    if x is None or ops.is_tensor(x):
        return x
    x = np.asarray(x)
    return ops.convert_to_tensor(
        x, keras.config.floatx() if x.dtype.kind == "f" else None
    )
