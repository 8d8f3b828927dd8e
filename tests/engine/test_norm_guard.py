"""The limit on the gradient norm of a step, and the norms it records."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from keras_optlab.engine import add_norm_guard, remove_norm_guard

NORMS = [3.0, 8.0, math.nan, 4.0]


@pytest.mark.parametrize("steps", [None, 2])
def test_steps_above_the_limit_are_skipped(steps):
    w = keras.Variable([0.0, 0.0])
    optimizer = optimizers.SGD(1.0, gradient_accumulation_steps=steps)
    optimizer.build([w])
    count = len(optimizer.variables)
    guard = add_norm_guard(optimizer, 3)
    guard.set_limit(7.5)
    for norm in NORMS:
        optimizer.apply([ops.convert_to_tensor([norm, 0.0])], [w])
    expected = -7 if steps is None else -3 - 4  # two windows with one good gradient
    np.testing.assert_allclose(ops.convert_to_numpy(w), [expected, 0])
    assert int(ops.convert_to_numpy(optimizer.skipped_steps)) == 2
    now, found = guard.since(0)
    assert now == 4
    np.testing.assert_array_equal(found, [(8, False), (math.nan, False), (4, True)])
    assert guard.since(3) == (4, [(4.0, True)])
    assert remove_norm_guard(optimizer)
    assert not remove_norm_guard(optimizer)
    assert len(optimizer.variables) == count


def test_there_is_no_limit_at_first():
    w = keras.Variable([0.0])
    optimizer = optimizers.SGD(1.0)
    optimizer.build([w])
    add_norm_guard(optimizer, 2)
    optimizer.apply([ops.convert_to_tensor([1e14])], [w])
    assert float(ops.convert_to_numpy(w)[0]) == pytest.approx(-1e14)
