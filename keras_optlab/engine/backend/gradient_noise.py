"""Mean and variance of a model's gradient over micro-batches, in one compiled pass.

The pass reads the model and changes nothing: weights, normalization statistics, random
seeds and metrics are values in it, and what layers and losses write is dropped.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.keras_adapter import loss_scale
from keras_optlab.engine.backend.modules import jax_module, torch_module

Tensors = list[Tensor]
Loss = Callable[..., Tensor]


class GradientNoise:
    """Ratios of a model's squared mean gradient to its variance.

    The loss is what `model.compute_loss` returns for the model in inference mode:
    dropout is off, normalization uses its moving statistics. Penalties of the layers
    are part of it.

    Args:
        model: built and compiled.
    """

    def __init__(self, model: Any) -> None:
        self.made_for = _identity(model)
        self.trained: list[Variable] = list(model.trainable_variables)
        everything = [*model.variables, *model.metrics_variables]
        trained = {id(v) for v in self.trained}
        self.others = [v for v in everything if id(v) not in trained]
        self.optimizer: Any = getattr(model, "optimizer", None)
        self._loss = self._loss_of(model)
        self._pass = compiled(self._make_pass())

    def fits(self, model: Any) -> bool:
        """Return whether the compiled pass is still that of this model."""
        return self.made_for == _identity(model)

    def loss(self, x: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the loss of one micro-batch, without compiling."""
        values, others = self._present()
        value = self._loss(values, others, tensors((x, y, sample_weight)))
        return float(ops.convert_to_numpy(value))

    def mean_ratio(self, x: Any, y: Any) -> float:
        """Return the mean over all weights of (mean gradient)² / variance.

        The mean is that of all micro-batches, the variance that of a single one. A
        weight whose gradient does not vary beyond rounding errors, such as that of a
        dead unit, does not count. NaN if no weight counts.

        Args:
            x: the inputs, arrays of shape (micro-batches, examples in each, ...).
            y: the targets, like `x`.
        """
        values, others = self._present()
        total, count = self._pass(values, others, tensors((x, y, None)))
        total, count = map(float, map(ops.convert_to_numpy, (total, count)))
        return total / count if count else float("nan")

    def _present(self) -> tuple[Tensors, Tensors]:
        """Return the values of the trained and of the other variables, with a scale.

        The ratio does not depend on the scale of the loss, which keeps gradients in
        float16 from underflow.
        """
        scale = loss_scale(self.optimizer, "float32") if self.optimizer else 1.0
        values = [ops.convert_to_tensor(v.value) for v in self.trained]
        others = [ops.convert_to_tensor(v.value) for v in self.others]
        return values, [*others, ops.convert_to_tensor(scale, "float32")]

    def _make_pass(self) -> Callable[..., Any]:
        moments = moments_of(self._loss)

        def run(values: Tensors, others: Tensors, data: Any) -> tuple[Any, Any]:
            return _sum_of_ratios(*moments(values, others, data))

        return run

    def _loss_of(self, model: Any) -> Loss:
        def loss(values: Tensors, others: Tensors, data: Any) -> Tensor:
            x, y, sample_weight = data
            *others, scale = others
            held = itertools.chain(
                zip(self.trained, values, strict=True),
                zip(self.others, others, strict=True),
            )
            with keras.StatelessScope(state_mapping=list(held), collect_losses=True):
                y_pred = model(x, training=False)
                value = model.compute_loss(x, y, y_pred, sample_weight, training=False)
            return value * ops.cast(scale, value.dtype)

        return loss


def _identity(model: Any) -> list[Any]:
    """Return what changes if a model gets other weights, or is compiled again."""
    parts = [model, model.loss, getattr(model, "optimizer", None)]
    return [id(x) for x in (*parts, *model.variables, *model.metrics_variables)]


def moments_of(loss: Loss) -> Callable[..., tuple[Tensors, Tensors]]:
    """Return a function that returns the mean and the variance of the gradient.

    They are those over micro-batches: the data have an axis of them before that of the
    examples. The variance is that of a single one.
    """
    gradient = gradient_of(loss)

    def moments(values: Tensors, others: Tensors, data: Any) -> tuple[Tensors, Tensors]:
        size = tree.flatten(data)[0].shape[0]

        def add(i: Tensor, state: tuple[Tensors, Tensors]) -> Any:
            means, squares = state
            one = tree.map_structure(lambda a: None if a is None else a[i], data)
            new = [wide(g) for g in gradient(values, others, one)]
            n = ops.cast(i + 1, "float32")
            steps = [g - m for g, m in zip(new, means, strict=True)]
            means = [
                m + d / ops.cast(n, m.dtype) for m, d in zip(means, steps, strict=True)
            ]
            squares = [
                s + d * (g - m)
                for s, d, g, m in zip(squares, steps, new, means, strict=True)
            ]
            return means, squares

        zeros = [ops.zeros(v.shape, wide(v).dtype) for v in values]
        means, squares = ops.fori_loop(0, size, add, (zeros, list(zeros)))
        return means, [s / (size - 1) for s in squares]

    return moments


def _sum_of_ratios(means: Tensors, variances: Tensors) -> tuple[Tensor, Tensor]:
    """Return the sum of mean² / variance over the weights that vary, and their number.

    A variance of rounding errors alone would make the ratio of a penalty's gradient,
    which is the same in all micro-batches, as large as the precision allows.
    """
    total = count = 0.0
    for mean, variance in zip(means, variances, strict=True):
        rounding = 8 * np.finfo(keras.backend.standardize_dtype(mean.dtype)).eps
        varies = variance > ops.square(rounding * mean)
        ratio = ops.square(mean) / ops.where(varies, variance, ops.ones_like(variance))
        total += ops.sum(ops.where(varies, ratio, ops.zeros_like(ratio)))
        count += ops.sum(ops.cast(varies, "float32"))
    return total, count


def gradient_of(loss: Loss) -> Callable[..., Sequence[Tensor]]:
    """Return the function that returns the gradient by the first argument."""
    backend = keras.backend.backend()
    if backend == "jax":
        return jax_module().grad(loss)
    return _torch_gradient(loss) if backend == "torch" else _tf_gradient(loss)


def _tf_gradient(loss: Loss) -> Callable[..., Tensors]:
    import tensorflow as tf

    def gradient(values: Tensors, *rest: Any) -> Tensors:
        with tf.GradientTape() as tape:
            tape.watch(values)
            value = loss(values, *rest)
        zero = tf.UnconnectedGradients.ZERO
        slopes = tape.gradient(value, values, unconnected_gradients=zero)
        return [tf.convert_to_tensor(g) for g in slopes]  # may be IndexedSlices

    return gradient


def _torch_gradient(loss: Loss) -> Callable[..., Tensors]:
    torch = torch_module()

    def gradient(values: Tensors, *rest: Any) -> Tensors:
        with torch.enable_grad():
            leaves = [v.detach().requires_grad_(True) for v in values]
            value = loss(leaves, *rest)
            slopes = torch.autograd.grad(value, leaves, allow_unused=True)
        pairs = zip(slopes, leaves, strict=True)
        return [torch.zeros_like(v) if g is None else g.detach() for g, v in pairs]

    return gradient


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of tensors, compiled on TensorFlow and JAX."""
    backend = keras.backend.backend()
    if backend == "jax":
        return jax_module().jit(function)
    if backend == "torch":
        return function
    import tensorflow as tf

    return tf.function(function, autograph=False)


def wide(x: Tensor) -> Tensor:
    """Return a tensor in float32 at least."""
    narrow = keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")
    return ops.cast(x, "float32") if narrow else x


def tensors(data: Any) -> Any:
    """Return arrays as tensors, those of floats in the type of the backend."""

    def tensor(x: np.ndarray | None) -> Tensor:
        if x is None:
            return None
        floating = keras.config.floatx() if x.dtype.kind == "f" else None
        return ops.convert_to_tensor(x, floating)

    return tree.map_structure(tensor, data)
