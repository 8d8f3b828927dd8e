"""Rules with evaluation weights: the model moves between the two sets by itself."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import callbacks, optimizers
from keras_optlab.verify.problems import values
from tests.support.problems import compiled_model, mlp, regression

pytestmark = pytest.mark.sampled

MOVERS = {
    "schedulefreesgd": lambda: optimizers.ScheduleFreeSGD(0.05),
    "schedulefreeadamw": lambda: optimizers.ScheduleFreeAdamW(0.02, weight_decay=0.1),
    "schedulefree": lambda: optimizers.ScheduleFree(optimizers.RMSprop(0.01)),
    "ema": lambda: optimizers.EMA(optimizers.Adam(0.01), average_decay=0.8),
    "swa": lambda: optimizers.SWA(optimizers.SGD(0.05), average_from=3),
    "lawa": lambda: optimizers.LAWA(
        optimizers.SGD(0.05), average_checkpoints=3, average_period=2
    ),
    "powerema": lambda: optimizers.PowerEMA(optimizers.Adam(0.01), tail_power=3.0),
}
rest = [
    pytest.param(n, marks=pytest.mark.every)
    for n in ("schedulefree", "swa", "lawa", "powerema")
]
mover = pytest.mark.parametrize(
    "name", ["schedulefreesgd", "schedulefreeadamw", "ema", *rest]
)


def linear(optimizer):
    """Return a linear model of two inputs, with fixed initial weights."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.array([[0.5], [-0.3]])])
    return compiled_model(model, optimizer)


def data():
    x = np.random.default_rng(4).normal(size=(24, 2)).astype("float32")
    return x, x @ np.float32([[1.0], [2.0]]) + 1


def points_of(update, steps):
    """Train the linear model in NumPy; return the evaluation weights of each step."""
    x, y = data()
    w, points = np.array([[0.5], [-0.3]]), []
    for t in range(steps):
        rows = slice(8 * (t % 3), 8 * (t % 3) + 8)
        g = 2 * x[rows].T @ (x[rows] @ w - y[rows]) / 8
        w, point = update(w, g, t + 1)
        points.append(point)
    return points


def schedule_free():
    s = {"x": np.array([[0.5], [-0.3]]), "z": np.array([[0.5], [-0.3]])}

    def update(y, g, t):
        s["z"] = s["z"] - 0.05 * g
        s["x"] = (1 - 1 / t) * s["x"] + s["z"] / t
        return 0.1 * s["z"] + 0.9 * s["x"], s["x"]

    return update


def averaged():
    past = []

    def update(w, g, t):
        w = w - 0.05 * g
        past.append(w)
        return w, np.mean(past[2:], axis=0) if t > 3 else w

    return update


@pytest.mark.parametrize(
    ("name", "by_hand"), [("schedulefreesgd", schedule_free), ("swa", averaged)]
)
@pytest.mark.slow
def test_evaluation_sees_the_point_of_the_paper(name, by_hand, tmp_path):
    model = linear(MOVERS[name]())
    x, y = data()
    points = points_of(by_hand(), 12)
    keep = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}.weights.h5", save_weights_only=True
    )
    history = model.fit(
        x,
        y,
        batch_size=8,
        epochs=4,
        verbose=0,
        shuffle=False,
        validation_data=(x, y),
        callbacks=[keep],
    )
    at_epochs = points[2::3]
    losses = [np.mean((x @ w - y) ** 2) for w in at_epochs]
    np.testing.assert_allclose(history.history["val_loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], points[-1], rtol=1e-5)
    np.testing.assert_allclose(values(model.weights)[0], points[-1], rtol=1e-5)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), x @ points[-1], rtol=1e-4, atol=1e-5
    )
    other = linear(MOVERS[name]())
    for epoch, w in enumerate(at_epochs, 1):
        other.load_weights(tmp_path / f"{epoch}.weights.h5")
        np.testing.assert_allclose(other.get_weights()[0], w, rtol=1e-5)


class Looking(keras.callbacks.Callback):
    """A callback that evaluates, saves and reads the model during an epoch."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            model = self.model
            model.evaluate(*regression(8), verbose=0)
            model.predict(regression(8)[0], verbose=0)
            model.save(self.path / "model.keras")
            model.get_weights()


@mover
@pytest.mark.slow
def test_looking_changes_nothing(name, tmp_path):
    ends = []
    for looks in ([], [Looking(tmp_path)]):
        model = compiled_model(mlp(), MOVERS[name]())
        x, y = regression()
        model.fit(
            x, y, batch_size=32, epochs=3, verbose=0, shuffle=False, callbacks=looks
        )
        ends.append(values(model.weights))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.every
@mover
def test_training_in_parts_is_training_at_once(name):
    """Each call moves the weights back and forth, which is exact up to rounding."""
    x, y = regression(64)
    ends = []
    for parts in (1, 2):
        model = compiled_model(mlp(), MOVERS[name]())
        for _ in range(parts):
            model.fit(x, y, batch_size=32, epochs=4 // parts, verbose=0, shuffle=False)
        ends.append(values(model.trainable_variables))
    model = compiled_model(mlp(), MOVERS[name]())
    for i in range(8):
        rows = slice(32 * (i % 2), 32 * (i % 2) + 32)
        model.train_on_batch(x[rows], y[rows])
    ends.append(values(model.trainable_variables))
    for a, b, c in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(a, c, rtol=1e-4, atol=1e-5)


@pytest.mark.every
@mover
def test_continues_from_a_checkpoint_of_the_middle(name, tmp_path):
    x, y = regression()
    how = {"batch_size": 32, "verbose": 0, "shuffle": False}
    keep = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    model = compiled_model(mlp(), MOVERS[name]())
    model.fit(x, y, epochs=4, callbacks=[keep], **how)
    loaded = keras.saving.load_model(tmp_path / "2.keras")
    loaded.fit(x, y, epochs=2, **how)
    for a, b in zip(values(model.weights), values(loaded.weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@mover
@pytest.mark.parametrize(
    "stopping",
    [
        lambda: keras.callbacks.EarlyStopping(
            "val_loss", patience=2, restore_best_weights=True
        ),
        lambda: callbacks.EarlyStopping("val_loss", patience=2, restore_best=True),
    ],
    ids=["keras", "ours"],
)
@pytest.mark.slow
def test_early_stopping_restores_the_best_point(name, stopping):
    model = compiled_model(mlp(), MOVERS[name]())
    x, y = regression()
    worse = (x, -y)  # val_loss rises as training goes on
    history = model.fit(
        x, y, epochs=10, verbose=0, validation_data=worse, callbacks=[stopping()]
    )
    best = min(history.history["val_loss"])
    assert model.evaluate(*worse, verbose=0) == pytest.approx(best, rel=1e-5)


@mover
@pytest.mark.slow
def test_weights_set_by_hand_are_points_to_evaluate(name):
    model = compiled_model(mlp(), MOVERS[name]())
    x, y = regression()
    model.fit(x, y, verbose=0)
    before = model.get_weights()
    model.set_weights([w + 1 for w in before])
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a + 1, b)


@mover
def test_a_loop_of_ones_own_says_where_it_trains(name):
    model = compiled_model(mlp(), MOVERS[name]())
    optimizer = model.optimizer
    weights = model.trainable_variables
    gradients = [ops.ones(w.shape) for w in weights]
    with pytest.raises(RuntimeError, match="training_weights"):
        optimizer.apply(gradients, weights)
    start = values(weights)
    with optimizer.training_weights():
        for _ in range(3):
            optimizer.apply(gradients, weights)
        training = values(weights)
        with optimizer.evaluation_weights():
            inside = values(weights)
        for a, b in zip(training, values(weights), strict=True):
            np.testing.assert_array_equal(a, b)
    for w, a, b, c in zip(start, training, inside, values(weights), strict=True):
        assert not np.array_equal(a, w)
        np.testing.assert_allclose(b, c, rtol=1e-6)


@mover
def test_a_loop_without_a_compiled_model_is_at_the_training_point(name):
    optimizer, w = MOVERS[name](), keras.Variable([1.0, -2.0])
    for _ in range(4):
        optimizer.apply([ops.ones((2,))], [w])
    training = values([w])[0]
    with optimizer.evaluation_weights():
        assert not np.array_equal(training, values([w])[0])
    np.testing.assert_array_equal(training, values([w])[0])


@mover
@pytest.mark.slow
def test_a_failing_fit_leaves_the_model_usable(name):
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise InterruptedError

    model = compiled_model(mlp(), MOVERS[name]())
    x, y = regression()
    with pytest.raises(InterruptedError):
        model.fit(x, y, epochs=3, verbose=0, callbacks=[Failing()])
    assert model.optimizer.at_evaluation_weights
    model.fit(x, y, verbose=0)
    assert np.isfinite(model.evaluate(x, y, verbose=0))


@mover
def test_recompiling_gives_the_model_its_methods_back(name):
    model = compiled_model(mlp(), MOVERS[name]())
    model.fit(*regression(), verbose=0)
    weights = values(model.weights)
    model.compile("sgd", "mse")
    assert model.fit.__func__ is type(model).fit
    for a, b in zip(weights, values(model.weights), strict=True):
        np.testing.assert_array_equal(a, b)
