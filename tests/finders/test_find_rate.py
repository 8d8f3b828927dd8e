"""`find_rate` on models and data of all kinds."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_optlab as kol
from keras_optlab.finders.schedule_peak import peak_of

X = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
Y = (X @ np.array([1.0, -2.0, 3.0, 0.5], "float32"))[:, None]
SEARCH = {"batch_size": 32, "steps": 60, "runs": 2}


def model(optimizer, loss="mse"):
    made = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    made.compile(optimizer, loss)
    return made


@pytest.mark.slow
def test_the_range_of_a_linear_regression_is_that_of_its_curvature():
    made = model(kol.optimizers.SGD())
    result = kol.find_rate(made, X, Y, **SEARCH)
    assert result.found
    # gradient descent on mean (w x - y)^2 is stable below 2 / (2 * largest eigenvalue)
    limit = 1 / np.linalg.eigvalsh(X.T @ X / len(X)).max()
    assert result.low < 0.5 * limit < result.high
    assert result.high <= 30 * result.low
    losses = []
    for rate in (result.suggestion(), result.low / 100):
        start = model(kol.optimizers.SGD(rate))
        losses.append(start.fit(X, Y, epochs=3, verbose=0).history["loss"][-1])
    assert losses[0] < losses[1] / 2


@pytest.mark.every
def test_a_frozen_model_is_refused():
    inside = layers.Dense(1, trainable=False)
    unused = layers.Dense(1)
    inputs = keras.Input((4,))
    made = keras.Model(inputs, inside(inputs) + 0.0 * unused(inputs))
    made.compile(kol.optimizers.Adam(), "mse")
    result = kol.find_rate(made, X, Y, **SEARCH)
    assert result.reason == "the loss never fell by more than its noise"


@pytest.mark.sampled
@pytest.mark.parametrize("package", [kol, keras])
def test_apply_sets_the_rate(package):
    made = model(package.optimizers.SGD(0.5))
    rate = kol.find_rate(made, X, Y, **SEARCH).apply("steepest")
    now = keras.ops.convert_to_numpy(made.optimizer.learning_rate)
    assert float(now) == pytest.approx(rate)


SCHEDULES = {
    "ours": kol.schedules.OneCycle(0.5, steps=20),
    "stock": keras.optimizers.schedules.CosineDecay(
        0.01, 8, warmup_target=0.5, warmup_steps=4
    ),
}


@pytest.mark.sampled
@pytest.mark.parametrize("package", [kol, keras])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_apply_keeps_the_shape_of_a_schedule_and_sets_its_peak(schedule, package):
    schedule = SCHEDULES[schedule]
    made = model(package.optimizers.SGD(schedule))
    result = kol.find_rate(made, X, Y, **SEARCH)
    rate = result.apply()
    now = made.optimizer._learning_rate
    assert peak_of(now) == pytest.approx(rate)
    assert float(now(3)) == pytest.approx(float(schedule(3)) * rate / 0.5, rel=1e-5)
    made.fit(X, Y, batch_size=32, verbose=0)


@pytest.mark.every
def test_a_function_as_the_rate_can_be_searched_but_not_set():
    made = model(keras.optimizers.SGD(lambda: 0.1))
    result = kol.find_rate(made, X, Y, **SEARCH)
    with pytest.raises(TypeError, match="follows a function"):
        result.apply()
    assert float(made.optimizer.learning_rate) == 0.1


@pytest.mark.sampled
@pytest.mark.parametrize("decay", [None, 0.01])
def test_another_hyperparameter_can_be_searched(decay):
    made = model(kol.optimizers.SGD(0.05, weight_decay=decay))
    names = [v.path for v in made.optimizer.variables]
    result = kol.find_rate(
        made, X, Y, name="weight_decay", lowest=1e-4, highest=1e3, **SEARCH
    )
    assert made.optimizer.weight_decay == decay
    if made.optimizer.built:
        kept = [v.path for v in made.optimizer.variables]
        assert set(names) <= set(kept)
        assert sum("weight_decay" in k for k in kept) == (decay is not None)
    assert result.name == "weight_decay"
    assert result.high < 100  # a decay of 20 a step of 0.05 is divergence


@pytest.mark.every
def test_the_step_is_traced_once_and_steps_per_execution_stays():
    traces = []

    class Counted(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            traces.append(1)
            return self.dense(x)

    made = Counted()
    at_once = 1 if keras.backend.backend() == "torch" else 4
    made.compile(kol.optimizers.SGD(), "mse", steps_per_execution=at_once)
    kol.find_rate(made, X, Y, batch_size=32, steps=20, runs=2)
    assert made.steps_per_execution == at_once
    if keras.backend.backend() != "torch":  # which runs without traces
        assert len(traces) <= 3  # to build, and for the step


class Batches(keras.utils.PyDataset):
    num_batches = 8

    def __getitem__(self, i):
        at = slice(32 * i, 32 * i + 32)
        return X[at], Y[at], np.ones(32, "float32")


def tf_data():
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(256).batch(32)


def loader():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(data, batch_size=32, shuffle=True)


@pytest.mark.sampled
@pytest.mark.parametrize("data", [tf_data, Batches, loader])
def test_data_of_all_kinds(data):
    result = kol.find_rate(model(kol.optimizers.SGD()), data(), steps=60, runs=2)
    assert result.found


@pytest.mark.every
def test_several_outputs_weights_and_a_custom_step():
    class Custom(keras.Model):
        def compute_loss(self, *args, **kwargs):
            return 2.0 * super().compute_loss(*args, **kwargs)

    inputs = keras.Input((4,))
    outputs = {"a": layers.Dense(1)(inputs), "b": layers.Dense(1)(inputs)}
    made = Custom(inputs, outputs)
    made.compile(kol.optimizers.Adam(), {"a": "mse", "b": "mae"})
    result = kol.find_rate(made, X, {"a": Y, "b": Y}, **SEARCH)
    assert result.found
    weighted = model(kol.optimizers.SGD())
    nothing = kol.find_rate(weighted, X, Y, sample_weight=np.zeros(256), **SEARCH)
    assert not nothing.found


@pytest.mark.every
def test_a_search_is_repeatable():
    made = model(kol.optimizers.SGD())
    first, again, other = (
        kol.find_rate(made, X, Y, batch_size=32, steps=20, runs=1, seed=seed).losses[0]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def generator():
    yield X, Y


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"x": generator()}, ValueError, "readable again"),
        ({"lowest": 1.0, "highest": 0.1}, ValueError, "must be below"),
        ({"lowest": -1.0}, ValueError, "lowest"),
        ({"steps": 5}, ValueError, "steps"),
        ({"runs": 0}, ValueError, "runs"),
        ({"name": "weight_decay"}, ValueError, "needs both ends"),
        ({"name": "betta", "lowest": 0.1, "highest": 0.9}, AttributeError, "betta"),
        ({"monitor": "lost"}, ValueError, "monitor='lost'"),
    ],
)
def test_bad_input_is_refused(arguments, error, text):
    made = model(kol.optimizers.SGD())
    before = made.get_weights()
    data = {"x": X, "y": Y} if "x" not in arguments else {}
    with pytest.raises(error, match=text):
        kol.find_rate(made, **data, **arguments)
    for x, y in zip(before, made.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


def test_a_model_that_cannot_train_is_refused():
    made = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="compiled"):
        kol.find_rate(made, X, Y)
    with pytest.raises(ValueError, match="needs the targets `y`"):
        kol.find_rate(model(kol.optimizers.SGD()), X)
    with pytest.raises(TypeError, match=r"keras\.Model"):
        kol.find_rate(layers.Dense(1), X, Y)
    stock = model(keras.optimizers.SGD())
    with pytest.raises(TypeError, match="optimizer of keras_optlab"):
        kol.find_rate(stock, X, Y, name="momentum", lowest=0.1, highest=0.9)
    stock.trainable = False
    stock.compile("sgd", "mse")
    with pytest.raises(ValueError, match="trainable weights"):
        kol.find_rate(stock, X, Y)
