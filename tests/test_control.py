"""One training with all that controls it: each part leaves the others as they are."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_optlab as kol
from keras_optlab import callbacks, optimizers, schedules, stopping
from keras_optlab.verify.problems import values
from tests.support.problems import regression

BACKEND = keras.backend.backend()
X, Y = regression(200)
VALIDATION = regression(40)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 13

    def __getitem__(self, i):
        return X[16 * i : 16 * i + 16], Y[16 * i : 16 * i + 16]


def arrays():
    return {"x": X, "y": Y, "batch_size": 16}


def dataset():
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(200, seed=1)
    return {"x": data.batch(16)}


def unknown_length():
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((X, Y)).filter(lambda x, y: True)
    return {"x": data.batch(16).repeat(), "steps_per_epoch": 13}


DATA = {"arrays": arrays, "PyDataset": lambda: {"x": Batches()}}
if BACKEND == "tensorflow":
    DATA |= {"tf.data": dataset, "unknown length": unknown_length}

WAYS = {
    "plain": ({}, {}, {}),
    "accumulation": ({"gradient_accumulation_steps": 2}, {}, {}),
    "initial_epoch": ({}, {}, {"initial_epoch": 1}),
}
if BACKEND != "torch":
    WAYS["steps_per_execution"] = ({}, {"steps_per_execution": 4}, {})


class Traced(schedules.OneCycle):
    """A schedule that counts how often a step with it is traced."""

    count = 0

    def formula(self, step, ops):
        Traced.count += ops is not np
        return super().formula(step, ops)


def trained(data, way, rate, validate):
    """Return the model and `Validate` after a training of four epochs."""
    of_optimizer, of_compile, of_fit = way
    keras.utils.set_random_seed(7)
    dense = keras.layers.Dense
    model = keras.Sequential([dense(8, "relu"), keras.layers.Dropout(0.1), dense(1)])
    optimizer = optimizers.AdamW(Traced(rate), **of_optimizer)
    model.compile(optimizer, "mse", **of_compile)
    criteria = [stopping.GeneralizationLoss(1000), stopping.Rising(50, strip=1)]
    controls = [
        callbacks.ReduceOnPlateau("loss", patience=50),
        callbacks.EarlyStopping("val_loss", criteria=criteria, restore_best=False),
    ]
    validation = callbacks.Validate(every=5)
    if validate:
        controls.append(validation)
    model.fit(
        **data(),
        **of_fit,
        epochs=4,
        validation_data=VALIDATION,
        verbose=0,
        callbacks=controls,
    )
    return model, validation


@pytest.mark.sampled
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.slow
def test_the_rate_ends_at_the_last_update_and_validation_changes_nothing(data, way):
    Traced.count = 0
    model, validate = trained(DATA[data], WAYS[way], 0.05, validate=True)
    traces = Traced.count
    optimizer = model.optimizer
    begin, updates, _, _ = ops.convert_to_numpy(optimizer.training_span.variable)
    assert begin == 0
    assert int(ops.convert_to_numpy(optimizer.updates)) == updates
    last = optimizer.moment(int(updates) - 1).value(optimizer.rate.source)
    assert last == pytest.approx(0.05 / 25 * 1e-4)
    assert len(validate.history["val_loss"]) >= updates // 5
    alone, _ = trained(DATA[data], WAYS[way], 0.05, validate=False)
    for a, b in zip(values(model.weights), values(alone.weights), strict=True):
        np.testing.assert_array_equal(a, b)
    if BACKEND != "torch":
        assert traces == Traced.count - traces <= 2


@pytest.mark.every
def test_the_rate_that_was_found_is_the_peak():
    model = keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Dense(1)])
    model.compile(optimizers.SGD(schedules.OneCycle(1.0)), "mse")
    found = kol.find_rate(model, X, Y, batch_size=16, steps=60)
    found.apply()
    seen = []
    see = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(  # noqa: ARG005
            see.model.optimizer.current("learning_rate")
        )
    )
    model.fit(X, Y, batch_size=16, epochs=4, verbose=0, callbacks=[see])
    assert max(seen) == pytest.approx(found.suggestion(), rel=0.05)
    assert seen[-1] == pytest.approx(found.suggestion() / 25 * 1e-4)
