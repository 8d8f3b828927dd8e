"""`find_rate` leaves everything as it was, however it ends."""

import random
import signal

import keras
import numpy as np
import pytest
from keras import layers

import keras_optlab as kol
from keras_optlab.engine.backend.generators import generator_states

X = np.random.default_rng(0).normal(size=(96, 4)).astype("float32")
Y = (X @ np.array([1.0, -2.0, 3.0, 0.5], "float32"))[:, None]
SEARCH = {"batch_size": 16, "steps": 20, "runs": 2}


class Boom(Exception):
    """Raised by a test's data or model."""


def model(optimizer=None, **kwargs):
    """Return a small compiled model with statistics, seeds and a metric."""
    stack = [
        keras.Input((4,)),
        layers.Dense(8),
        layers.BatchNormalization(),
        layers.Dropout(0.2),
        layers.Dense(1),
    ]
    made = keras.Sequential(stack)
    made.compile(optimizer or kol.optimizers.Adam(), "mse", metrics=["mae"], **kwargs)
    return made


def state(model):
    """Return every value that a search could change."""
    optimizer = model.optimizer
    metrics = [v for m in model.metrics for v in m.variables]
    seeds = [s for _, s in generator_states()]
    values = [*model.variables, *optimizer.variables, *metrics]
    return (
        [np.array(keras.ops.convert_to_numpy(v)) for v in values],
        [np.asarray(s[1]) for s in seeds if isinstance(s, tuple) and s[0] == "MT19937"],
        random.getstate(),
        [v.path for v in values],
        model.stop_training,
        model.train_function,
    )


def same(before, after):
    """Assert that two states are equal to the last bit."""
    for old, new in zip(before[:2], after[:2], strict=True):
        assert len(old) == len(new)
        for x, y in zip(old, new, strict=True):
            np.testing.assert_array_equal(x, y)
    assert before[2:] == after[2:]


def trained(made):
    """Return a model after some steps, so that all of its state is not at zero."""
    made.fit(X, Y, batch_size=16, verbose=0)
    return made


class Data(keras.utils.PyDataset):
    """Batches that act at one of them."""

    num_batches = 6
    act_at, act = None, None

    def __getitem__(self, i):
        self.read = getattr(self, "read", 0) + 1
        if self.act_at == self.read:
            self.act()
        return X[16 * i : 16 * i + 16], Y[16 * i : 16 * i + 16]


def raise_(error):
    """Return a function that raises."""

    def act():
        raise error

    return act


def interrupt():
    """Act as Ctrl-C does."""
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def heeds_ctrl_c():
    """Let Ctrl-C interrupt, also in a process that a shell began in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


ENDS = {
    "Ctrl-C": (9, interrupt, KeyboardInterrupt),
    "normal": (None, None, None),
    "error in the data": (9, raise_(Boom()), Boom),
    "error in the first batch": (1, raise_(Boom()), Boom),
}


@pytest.mark.sampled
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.usefixtures("heeds_ctrl_c")
@pytest.mark.slow
def test_everything_is_put_back_however_the_search_ends(end):
    act_at, act, error = ENDS[end]
    made, data = trained(model()), Data()
    data.act_at, data.act = act_at, act
    before = state(made)
    if error is None:
        kol.find_rate(made, data, steps=20, runs=2)
    else:
        with pytest.raises(error):
            kol.find_rate(made, data, steps=20, runs=2)
    same(before, state(made))


@pytest.mark.every
def test_everything_is_put_back_after_a_loss_of_nan():
    made = trained(model(kol.optimizers.SGD()))
    before = state(made)
    result = kol.find_rate(made, X, Y * np.float32("nan"), **SEARCH)
    same(before, state(made))
    assert "not finite after the first update" in result.reason


class Failing(layers.Layer):
    """Raises at its first eager or traced call in training."""

    def call(self, x, training=False):
        if training:
            raise Boom
        return x


def test_everything_is_put_back_after_an_error_in_the_model():
    made = keras.Sequential([keras.Input((4,)), layers.Dense(1), Failing()])
    made.compile(kol.optimizers.Adam(), "mse")
    made.optimizer.build(made.trainable_variables)
    made.evaluate(X, Y, verbose=0)
    before = state(made)
    with pytest.raises(Boom):
        kol.find_rate(made, X, Y, **SEARCH)
    same(before, state(made))


OPTIMIZERS = {
    "stock": lambda: keras.optimizers.Adam(),
    "stock schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.CosineDecay(0.1, 50)
    ),
    "schedule": lambda: kol.optimizers.Adam(kol.schedules.OneCycle(0.1, steps=50)),
    "scaled loss": lambda: keras.optimizers.LossScaleOptimizer(kol.optimizers.Adam()),
    "EMA": lambda: kol.optimizers.EMA(kol.optimizers.SGD()),
    "schedule-free": lambda: kol.optimizers.ScheduleFreeAdamW(),
    "SAM": lambda: kol.optimizers.SAM(kol.optimizers.SGD()),
    "groups": lambda: kol.optimizers.Adam(
        groups=[kol.Group("dense*", learning_rate=0.1)]
    ),
    "accumulation": lambda: kol.optimizers.Adam(gradient_accumulation_steps=2),
}


@pytest.mark.every
@pytest.mark.sampled
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_after_a_search_is_as_without_it(optimizer):
    if optimizer == "scaled loss" and keras.backend.backend() == "torch":
        pytest.skip("Keras' LossScaleOptimizer does not work on torch")
    weights = []
    for search in (True, False):
        keras.utils.set_random_seed(3)
        made = model(OPTIMIZERS[optimizer]())
        if search:
            kol.find_rate(made, X, Y, **SEARCH)
        made.fit(X, Y, batch_size=16, epochs=2, verbose=0)
        weights.append(made.get_weights())
    for x, y in zip(*weights, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.every
def test_a_model_that_is_not_built_is_built_as_by_fit():
    weights = []
    for search in (True, False):
        keras.utils.set_random_seed(3)
        made = keras.Sequential([layers.Dense(4), layers.Dropout(0.1), layers.Dense(1)])
        made.compile(kol.optimizers.Adam(), "mse")
        if search:
            kol.find_rate(made, X, Y, **SEARCH)
        made.fit(X, Y, batch_size=16, verbose=0)
        weights.append(made.get_weights())
    for x, y in zip(*weights, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.every
def test_the_shuffling_of_a_dataset_does_not_advance():
    tf = pytest.importorskip("tensorflow")

    def dataset():
        return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(96, seed=1).batch(16)

    used, fresh = dataset(), dataset()
    kol.find_rate(model(), used, steps=20, runs=1)
    for _ in range(2):
        for one, other in zip(used, fresh, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
