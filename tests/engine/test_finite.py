"""`check_gradients`: whether gradients are finite and not too large for a step."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab.engine.backend.finite import LARGEST_NORM, check_gradients

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
    """On CPU, XLA's maximum ignores a NaN in some positions."""
    ask = jitted(lambda x: check_gradients([ops.ones((3, 3)), x])[0])
    good = np.random.default_rng(0).normal(size=size)
    assert bool(ask(ops.convert_to_tensor(good, dtype)))
    for at in {0, size // 3, size // 2, size - 1}:
        for value in (np.nan, np.inf, -np.inf):
            bad = good.copy()
            bad[at] = value
            assert not bool(ask(ops.convert_to_tensor(bad, dtype))), (at, value)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_norm_that_could_not_be_summed_up(compiled):
    ask = jitted if compiled else lambda f: f
    ask = ask(lambda x: check_gradients([x])[0])
    for dtype, limit in LARGEST_NORM.items():
        if dtype == "float64" and BACKEND == "jax":
            continue  # JAX has no float64 by default
        for factor, good in (0.01, True), (10.0, False):
            x = np.full(100, factor * limit / 10, dtype)
            assert bool(ask(ops.convert_to_tensor(x))) is good


def test_half_precision_is_not_squared():
    ok, norm = check_gradients([ops.convert_to_tensor(np.full(1000, 6e4, "float16"))])
    assert bool(ok)
    assert float(norm) == pytest.approx(6e4 * 1000**0.5, rel=1e-3)


def test_an_empty_tensor():
    finite, norm = check_gradients([ops.zeros((0, 3)), ops.ones(4)])
    assert bool(finite)
    assert float(norm) == 2
