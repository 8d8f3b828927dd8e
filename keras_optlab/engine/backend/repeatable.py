"""Doing the same again: random numbers, and derivatives of derivatives."""

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
    """Have second derivatives of normalization right in what TensorFlow traces here.

    Its moments stop the gradient of the mean within the variance, which is 0, but whose
    own gradient is not.
    """
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
    """Return where the generators of Python, NumPy and torch stand, and their setters.

    Keras draws from torch's what an unseeded `Dropout` drops.
    """
    numbers = [
        (random.setstate, random.getstate()),
        (np.random.set_state, np.random.get_state()),
    ]
    if keras.backend.backend() != "torch":
        return numbers
    torch = torch_module()
    owners = [torch]
    if torch.accelerator.is_available():  # a build for one may run where there is none
        accelerator = torch.accelerator.current_accelerator()
        owners.append(torch.get_device_module(accelerator))
    return numbers + [(x.set_rng_state, x.get_rng_state()) for x in owners]


@contextlib.contextmanager
def drawn_again(numbers: list[tuple[Callable[[Any], None], Any]]) -> Iterator[None]:
    """Draw the same random numbers as from then on, and go on from now afterwards."""
    now = random_numbers()
    for move, where in numbers:
        move(where)
    try:
        yield
    finally:
        for move, where in now:
            move(where)
