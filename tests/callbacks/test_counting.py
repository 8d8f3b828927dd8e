"""Callbacks count steps by batches, whatever the optimizer counts."""

import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from keras_optlab.callbacks import EarlyStopping, Monitor, WeightClipping
from tests.support.fitting import new_model

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()
X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)

MAKERS = {
    "ours": optimizers.SGD,
    "stock": keras.optimizers.SGD,
    "ours, accumulating": lambda rate: optimizers.SGD(
        rate, gradient_accumulation_steps=2
    ),
    "stock, accumulating": lambda rate: keras.optimizers.SGD(
        rate, gradient_accumulation_steps=2
    ),
    "several steps": lambda rate: optimizers.MultiSteps(
        optimizers.SGD(rate), accumulation_steps=2
    ),
}


def batches():
    for start in range(0, 32, 4):
        yield X[start : start + 4], Y[start : start + 4]


def of_unknown_length():
    """Return eight batches as data of unknown length."""
    if BACKEND != "tensorflow":
        return batches()
    import tensorflow as tf

    like = [tf.TensorSpec((4, 3)), tf.TensorSpec((4, 1))]
    return tf.data.Dataset.from_generator(batches, output_signature=tuple(like))


def train(model, *callbacks, epochs=2):
    """Train on data of unknown length; a generator lasts for one epoch."""
    at_once = epochs if BACKEND == "tensorflow" else 1
    for start in range(0, epochs, at_once):
        model.fit(
            of_unknown_length(),
            initial_epoch=start,
            epochs=start + at_once,
            verbose=0,
            callbacks=callbacks,
        )


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("at_once", [1, 3] if BACKEND != "torch" else [1])
@pytest.mark.parametrize("maker", MAKERS)
def test_the_end_of_the_data_is_no_step(maker, at_once):
    model = new_model(MAKERS[maker](0.01), steps_per_execution=at_once)
    monitor, stopping = Monitor(every=2), EarlyStopping("loss", verbose=0)
    train(model, monitor, stopping)
    train(model, monitor, stopping)
    ends = [row["step"] for row in monitor.rows if "epoch/loss" in row]
    window = 2 if "accumulating" in maker else 1
    assert ends == [8 // window * n for n in (1, 2, 3, 4)]
    assert stopping.best_step == ends[-1]


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("make", [optimizers.SGD, keras.optimizers.SGD])
def test_weights_are_clipped_at_the_step_that_was_asked_for(make):
    model, largest = new_model(make(1e-4)), []
    model.set_weights([np.full((3, 1), 2.0), np.zeros(1)])
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: largest.append(model.get_weights()[0].max())
    )
    # Step 16 starts the third epoch; if ends of data counted as steps, 14 would be 16.
    clipping = WeightClipping(high=0.5, start=16, stop=17)
    train(model, clipping, look, epochs=3)
    assert largest[1] > 1.9
    assert largest[2] < 0.51


def test_an_epoch_that_was_interrupted_counts():
    model, monitor = new_model(optimizers.SGD(0.01)), Monitor(every=1)

    def fail(batch, logs):
        if batch == 3:
            raise KeyboardInterrupt

    stop = keras.callbacks.LambdaCallback(on_train_batch_begin=fail)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=4, verbose=0, callbacks=[monitor, stop])
    model.fit(X, Y, batch_size=4, verbose=0, callbacks=[monitor])
    assert [row["step"] for row in monitor.rows] == list(range(1, 12))


def test_keras_need_not_wait_for_a_batch_to_be_counted():
    class Own(EarlyStopping):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)

    assert EarlyStopping("loss").async_safe
    assert not Own("loss").async_safe
