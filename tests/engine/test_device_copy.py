"""Copies of the state of training, which later steps do not change."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from keras_optlab.engine import DeviceCopy
from tests.support.fitting import X, Y
from tests.support.problems import compiled_model

BACKEND = keras.backend.backend()
LAYERS = keras.layers


def numbers(variables):
    return [np.array(ops.convert_to_numpy(v)) for v in variables]


class AtBatches(keras.callbacks.Callback):
    """Calls functions of the model before batches, by their number."""

    def __init__(self, **functions):
        super().__init__()
        self.functions = functions

    def on_train_batch_begin(self, batch, logs=None):
        function = self.functions.get(f"at_{batch}")
        if function is not None:
            function(self.model)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.Adam(0.01),
        pytest.param(
            lambda: keras.optimizers.Adam(0.01, use_ema=True), marks=pytest.mark.every
        ),
        pytest.param(
            lambda: keras.optimizers.LossScaleOptimizer(
                optimizers.SGD(0.01, momentum=0.9)
            ),
            marks=pytest.mark.every,
        ),
    ],
)
def test_it_goes_back_within_a_fit(optimizer):
    """The copy outlives later steps and can be used twice."""
    keras.utils.set_random_seed(0)
    frozen = LAYERS.Dense(3, trainable=False)
    layers = [keras.Input((3,)), frozen, LAYERS.Dense(4), LAYERS.BatchNormalization()]
    layers += [LAYERS.Dropout(0.5), LAYERS.Dense(1)]
    model = compiled_model(keras.Sequential(layers), optimizer(), "mse")
    seeds = [v for v in model.non_trainable_variables if "seed" in v.path]
    kept = {}

    def copy(model):
        kept["state"] = DeviceCopy(model)
        kept["before"] = numbers(changing(model)), numbers(model.metrics_variables)
        kept["seeds"] = numbers(seeds)
        assert kept["state"].is_finite

    def changing(model):
        inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        state = [v for v in inner.variables if "learning_rate" not in v.path]
        others = [v for v in model.non_trainable_variables if "seed" not in v.path]
        return [*model.trainable_variables, *others, *state]

    def back(model):
        model.trainable_variables[0].assign(np.nan * numbers(model.weights)[2])
        assert not DeviceCopy(model).is_finite
        assert kept["state"].restore(with_metrics=True)
        after = numbers(changing(model)), numbers(model.metrics_variables)
        for group, expected in zip(after, kept["before"], strict=True):
            for x, y in zip(group, expected, strict=True):
                np.testing.assert_array_equal(x, y)
        if seeds and BACKEND != "torch":  # there, Dropout draws from torch's generator
            assert not np.array_equal(numbers(seeds)[0], kept["seeds"][0])

    hooks = AtBatches(at_3=copy, at_7=back, at_12=back)
    model.fit(X, Y, batch_size=1, callbacks=[hooks], verbose=0)
    assert "state" in kept
    assert all(np.isfinite(x).all() for x in numbers(model.weights))


@pytest.mark.every
def test_what_callbacks_drive_does_not_go_back():
    model = compiled_model(
        keras.Sequential([keras.Input((3,)), LAYERS.Dense(1)]), optimizers.Adam(0.01)
    )
    model.fit(X, Y, verbose=0)
    state = DeviceCopy(model)
    model.optimizer.learning_rate = 0.5
    model.optimizer.learning_rate_scale = 0.25
    state.restore(with_metrics=False)
    assert model.optimizer.learning_rate_scale == 0.25
    assert float(ops.convert_to_numpy(model.optimizer.learning_rate)) == 0.5
