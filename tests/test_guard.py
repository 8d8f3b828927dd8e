"""The guard's question, whether gradients hold a NaN or an infinity."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab.engine.guard import all_finite

BACKEND = keras.backend.backend()
SIZES = (1, 3, 10, 33, 100, 4097, 70_000)


def jitted(function):
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    return function


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("size", SIZES)
def test_no_entry_is_overlooked(size, dtype):
    """XLA's maximum on a CPU overlooks a NaN in some positions."""
    ask = jitted(lambda x: all_finite([ops.ones((3, 3)), x])[0])
    good = np.random.default_rng(0).normal(size=size)
    assert bool(ask(ops.convert_to_tensor(good, dtype)))
    for at in {0, size // 3, size // 2, size - 1}:
        for value in (np.nan, np.inf, -np.inf):
            bad = good.copy()
            bad[at] = value
            assert not bool(ask(ops.convert_to_tensor(bad, dtype))), (at, value)


@pytest.mark.parametrize("compiled", [False, True])
def test_finite_entries_whose_sum_is_not(compiled):
    ask = (jitted if compiled else lambda f: f)(lambda x: all_finite([x])[0])
    for x in np.full(1000, 3e38, "float32"), np.full(1000, 6e4, "float16"):
        assert bool(ask(ops.convert_to_tensor(x)))


def test_an_empty_tensor():
    finite, norm = all_finite([ops.zeros((0, 3)), ops.ones(4)])
    assert bool(finite)
    assert norm is None or float(norm) == 2
