"""Transforms worked by hand, what their protocol carries, and their serialization."""

import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from keras_optlab import transforms as T
from keras_optlab.core import Slot
from tests.problems import apply, one_step, trajectory, values, variables


def test_clipping_by_hand():
    def clipped(transform, g):
        return -one_step(
            optimizers.SGD(1.0, gradient_transforms=[transform]), np.zeros(2), g
        )

    np.testing.assert_allclose(clipped(T.ClipByValue(0.5), [3.0, -0.1]), [0.5, -0.1])
    np.testing.assert_allclose(clipped(T.ClipByNorm(1.0), [3.0, 4.0]), [0.6, 0.8])
    np.testing.assert_allclose(clipped(T.ClipByNorm(9.0), [3.0, 4.0]), [3.0, 4.0])
    np.testing.assert_allclose(clipped(T.ClipByGlobalNorm(1), [3.0, 4.0]), [0.6, 0.8])


def test_global_norm_is_of_all_tensors():
    sgd = optimizers.SGD(1.0, gradient_transforms=[T.ClipByGlobalNorm(1.0)])
    ends = trajectory(sgd, [np.zeros(1), np.zeros(1)], [[[3.0], [4.0]]])
    np.testing.assert_allclose(np.ravel(ends), [-0.6, -0.8], rtol=1e-6)


def test_zero_gradients_stay_zero():
    for transform in (T.ClipByNorm(1.0), T.ClipByGlobalNorm(1.0), T.Centralize()):
        sgd = optimizers.SGD(1.0, gradient_transforms=[transform])
        assert (one_step(sgd, np.ones((2, 2)), np.zeros((2, 2))) == 1).all()


def test_centralize_takes_the_mean_over_the_inputs_of_each_unit():
    sgd = optimizers.SGD(1.0, gradient_transforms=[T.Centralize()])
    ends = one_step(sgd, np.zeros((2, 2)), [[1.0, 10.0], [3.0, 10.0]])
    np.testing.assert_allclose(ends, [[1.0, 0.0], [-1.0, 0.0]])
    again = optimizers.SGD(1.0, gradient_transforms=[T.Centralize()])
    np.testing.assert_allclose(one_step(again, [0.0, 0.0], [1.0, 3.0]), [-1.0, -3.0])


def test_cautious_drops_what_the_gradient_contradicts():
    momentum = optimizers.Momentum(1.0, momentum=0.5, update_transforms=[T.Cautious()])
    ws = variables([np.zeros(2)])
    apply(momentum, [np.array([4.0, 4.0])], ws)  # both agree: -4, -4
    apply(momentum, [np.array([1.0, -1.0])], ws)  # velocity 3, 1: only one agrees
    np.testing.assert_allclose(values(ws)[0], [-4.0 - 3.0 * 2, -4.0])


def test_a_transform_may_hold_state_of_both_kinds():
    class Counting(T.Transform):
        slots = (Slot("seen"),)
        shared = (Slot("steps"),)

        def run(self, xs, seen, s, z, h):
            steps = z.steps + 1
            s = [r.next(seen=r.seen + x) for r, x in zip(s, xs, strict=True)]
            return [x * steps for x in xs], s, z.next(steps=steps)

    sgd = optimizers.SGD(1.0, gradient_transforms=[Counting(), Counting()])
    ends = trajectory(sgd, [np.zeros(2)], [[[1.0, 1.0]], [[1.0, 1.0]]])
    np.testing.assert_allclose(ends[0], [-5.0, -5.0])  # 1 * 1 + 2 * 2
    slots = sgd.plan.parameters[0].transform_slots
    np.testing.assert_allclose(values([slots[0]["seen"]])[0], [2.0, 2.0])
    np.testing.assert_allclose(values([slots[1]["seen"]])[0], [3.0, 3.0])


@pytest.mark.parametrize(
    "transform",
    [
        T.ClipByValue(0.3),
        T.ClipByNorm(2.0),
        T.ClipByGlobalNorm(0.1),
        T.Centralize(),
        T.Cautious(),
    ],
    ids=repr,
)
def test_they_serialize(transform):
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(transform)
    )
    assert repr(again) == repr(transform)
