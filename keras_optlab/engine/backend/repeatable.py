"""Repeating a computation: replayed random numbers, and second derivatives."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.modules import torch_module


@contextlib.contextmanager
def twice_differentiable() -> Iterator[None]:
    """Have correct second derivatives of normalization and attention, in the context.

    TensorFlow: `tf.nn.moments` stops the gradient of the mean within the variance. This
    gradient is 0, but its own gradient is not. torch: fused attention has no second
    derivative, so it is computed in its plain form.
    """
    if keras.backend.backend() == "torch":
        from torch.nn.attention import SDPBackend, sdpa_kernel

        with sdpa_kernel(SDPBackend.MATH):
            yield
        return
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    def moments(x: Tensor, axes: Any, keepdims: bool = False) -> tuple[Tensor, Tensor]:
        mean = tf.reduce_mean(x, axes, keepdims=True)
        variance = tf.reduce_mean(tf.square(x - mean), axes, keepdims=keepdims)
        return mean if keepdims else tf.squeeze(mean, axes), variance

    given, tf.nn.moments = tf.nn.moments, moments
    try:
        yield
    finally:
        tf.nn.moments = given


def random_numbers() -> list[tuple[Callable[[Any], None], Any]]:
    """Return setters and states of the random generators of Python, NumPy and torch.

    On torch, an unseeded `Dropout` of Keras draws from torch's generator.
    """
    numbers = [
        (random.setstate, random.getstate()),
        (np.random.set_state, np.random.get_state()),
    ]
    if keras.backend.backend() != "torch":
        return numbers
    torch = torch_module()
    owners = [torch]
    if torch.accelerator.is_available():  # a CUDA build may run without a GPU
        accelerator = torch.accelerator.current_accelerator()
        owners.append(torch.get_device_module(accelerator))
    return numbers + [(x.set_rng_state, x.get_rng_state()) for x in owners]


@contextlib.contextmanager
def replayed_random_numbers(
    numbers: list[tuple[Callable[[Any], None], Any]],
) -> Iterator[None]:
    """Replay random numbers from earlier states; restore the present ones at exit."""
    now = random_numbers()
    for move, where in numbers:
        move(where)
    try:
        yield
    finally:
        for move, where in now:
            move(where)
