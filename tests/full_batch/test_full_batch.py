"""Full-batch training: known optima, and what callbacks see."""

import builtins

import keras
import numpy as np
import pytest
from keras import layers

from keras_optlab import callbacks, fit_full_batch, optimizers
from keras_optlab.callbacks import EarlyStopping, Monitor, TensorBoard
from keras_optlab.full_batch import methods
from keras_optlab.full_batch.data import Data
from keras_optlab.full_batch.objective import Objective
from tests.support.fitting import Script

RNG = np.random.default_rng(4)
X = RNG.normal(size=(40, 3))
Y = X @ np.array([[1.0], [-2.0], [0.5]]) + 0.3 + 0.1 * RNG.normal(size=(40, 1))
WEIGHT = RNG.uniform(0.5, 2.0, size=40)


def linear(loss="mse", **dense):
    """Return a linear model of three inputs."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, **dense)])
    model.compile(loss=loss)
    return model


def curve(width=8, metrics=None):
    """Return a small network of one input, and the points of a curve to fit."""
    keras.utils.set_random_seed(3)
    hidden = layers.Dense(width, activation="tanh")
    model = keras.Sequential([keras.Input((1,)), hidden, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=metrics)
    x = np.linspace(-1, 1, 64)[:, None]
    return model, x, np.sin(3 * x)


def optimum(weight=None, ridge=0.0):
    """Return slopes and intercept of the least-squares solution, by linear algebra."""
    root = np.sqrt(np.ones(len(X)) if weight is None else weight)[:, None]
    a, b = root * np.hstack([X, np.ones((len(X), 1))]), root * Y
    penalty = np.sqrt(len(X) * ridge) * np.eye(3, 4)
    a, b = np.vstack([a, penalty]), np.vstack([b, np.zeros((3, 1))])
    return np.linalg.lstsq(a, b)[0].ravel()


def found(model):
    return np.concatenate([np.ravel(w) for w in model.get_weights()])


@pytest.mark.parametrize("method", methods.METHODS)
def test_reaches_the_least_squares_optimum(method, float64):
    model = linear()
    history = fit_full_batch(model, X, Y, method, verbose=0)
    np.testing.assert_allclose(found(model), optimum(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(history.result.x, found(model), rtol=1e-12)


@pytest.mark.parametrize("method", ["L-BFGS-B", "least_squares"])
def test_reaches_it_in_single_precision(method):
    model = linear()
    fit_full_batch(model, X, Y[:, 0], method, verbose=0)
    np.testing.assert_allclose(found(model), optimum(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("method", ["BFGS", "least_squares"])
def test_sample_weights_count(method, float64):
    model = linear()
    fit_full_batch(model, X, Y, method, sample_weight=WEIGHT, verbose=0)
    np.testing.assert_allclose(found(model), optimum(WEIGHT), rtol=1e-4, atol=1e-5)


def test_regularizers_count(float64):
    model = linear(kernel_regularizer=keras.regularizers.L2(0.1))
    fit_full_batch(model, X, Y, verbose=0, tol=1e-12)
    np.testing.assert_allclose(found(model), optimum(ridge=0.1), rtol=1e-5)


@pytest.mark.every
def test_beats_adam_on_a_curve():
    model, x, y = curve()
    start = model.get_weights()
    model.fit(x, y, epochs=40, batch_size=64, verbose=0)
    adam = model.evaluate(x, y, verbose=0)
    for method in ("L-BFGS-B", "least_squares"):
        model.set_weights(start)
        fit_full_batch(model, x, y, method, epochs=40, verbose=0)
        assert model.evaluate(x, y, verbose=0) < adam / 20


def test_history_is_that_of_a_fit():
    model, x, y = curve(metrics=["mae"])
    history = fit_full_batch(
        model, x, y, epochs=5, validation_data=(x[:9], y[:9]), verbose=0
    )
    assert isinstance(history, keras.callbacks.History)
    assert model.history is history
    assert history.epoch == [0, 1, 2, 3, 4]
    logs = history.history
    assert logs.keys() == {"loss", "mae", "val_loss", "val_mae"}
    assert logs["loss"] == sorted(logs["loss"], reverse=True)
    assert history.params["epochs"] == 5
    end = model.evaluate(x, y, verbose=0, return_dict=True)
    found = logs["loss"][-1], logs["mae"][-1]
    np.testing.assert_allclose(found, [*end.values()], rtol=1e-6)  # of float32
    end = model.evaluate(x[:9], y[:9], verbose=0)
    found = logs["val_loss"][-1], logs["val_mae"][-1]
    np.testing.assert_allclose(found, end, rtol=1e-6)


class Told(keras.callbacks.Callback):
    """A callback that keeps its calls, and the weights at the end of each epoch."""

    def __init__(self, stop_at=None, fail_at=None):
        super().__init__()
        self.calls, self.weights = [], []
        self.stop_at, self.fail_at = stop_at, fail_at

    def on_train_begin(self, logs=None):
        self.calls.append("train begin")

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(f"begin {epoch}")

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(f"batch {batch}")

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(f"end {epoch}")
        self.weights.append(self.model.get_weights())
        self.model.stop_training = epoch == self.stop_at
        if epoch == self.fail_at:
            raise KeyboardInterrupt

    def on_train_end(self, logs=None):
        self.calls.append("train end")
        assert "loss" in logs


def same(a, b):
    return all((x == y).all() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("method", ["L-BFGS-B", "trust-ncg", "least_squares"])
def test_callbacks_see_iterations_as_epochs_and_may_stop(method):
    model, x, y = curve()
    told = Told(stop_at=1)
    fit_full_batch(model, x, y, method, callbacks=told, verbose=0)
    epochs = [f"{what} {n}" for n in (0, 1) for what in ("begin", "batch", "end")]
    epochs[1] = epochs[4] = "batch 0"
    assert told.calls == ["train begin", *epochs, "train end"]
    assert same(model.get_weights(), told.weights[-1])
    assert not same(*told.weights)


def test_early_stopping_restores_the_best():
    model, x, y = curve()
    stopping = keras.callbacks.EarlyStopping(
        "val_loss", mode="max", patience=2, restore_best_weights=True
    )
    told = Told()
    history = fit_full_batch(
        model, x, y, validation_data=(x, y), callbacks=[told, stopping], verbose=0
    )
    assert history.epoch == [0, 1, 2]  # mode="max", and the loss falls: epoch 0 is best
    assert same(model.get_weights(), told.weights[0])


def test_an_interruption_leaves_the_last_iteration():
    model, x, y = curve()
    told = Told(fail_at=2)
    with pytest.raises(KeyboardInterrupt):
        fit_full_batch(model, x, y, callbacks=[told], verbose=0)
    assert same(model.get_weights(), told.weights[-1])


def test_progress_is_shown(capsys):
    model, x, y = curve()
    fit_full_batch(model, x, y, epochs=2, verbose=2)
    shown = capsys.readouterr().out
    assert "Epoch 2/2" in shown
    assert "loss: " in shown


def test_layers_run_as_in_inference_and_keep_their_state():
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.GaussianNoise(1.0),
            layers.Dense(1),
        ]
    )
    model.compile(loss="mse")
    before = [v.numpy() for v in model.non_trainable_variables]
    history = fit_full_batch(model, X, Y, "BFGS", epochs=30, verbose=0)
    np.testing.assert_allclose(
        history.history["loss"][-1], model.evaluate(X, Y, verbose=0), rtol=1e-5
    )
    assert history.history["loss"][-1] < 0.1
    assert same(before, [v.numpy() for v in model.non_trainable_variables])


def test_frozen_layers_stay():
    model, x, y = curve()
    model.layers[0].trainable = False
    before = model.get_weights()
    fit_full_batch(model, x, y, "least_squares", verbose=0)
    after = model.get_weights()
    assert same(before[:2], after[:2])
    assert not same(before[2:], after[2:])


@pytest.mark.slow
def test_several_inputs_and_outputs():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    sums = layers.Dense(1, name="sums")(layers.Concatenate()([a, b]))
    more = layers.Dense(1, name="more")(a)
    model = keras.Model({"a": a, "b": b}, {"sums": sums, "more": more})
    model.compile(loss={"sums": "mse", "more": "mae"}, loss_weights=[1.0, 0.1])
    y = {"sums": X.sum(1, keepdims=True), "more": Y}
    history = fit_full_batch(
        model, {"a": X, "b": X**2}, y, validation_data=({"a": X, "b": X**2}, y),
        epochs=50, verbose=0,
    )  # fmt: skip
    assert history.history["val_loss"][-1] < history.history["val_loss"][0] / 5
    assert "val_sums_loss" in history.history


def test_the_jacobian_and_the_hessian_are_exact(float64):
    model, x, y = curve(width=3)
    data = Objective(model, Data.of(x, y))
    w = data.present()
    v = np.random.default_rng(0).normal(size=w.size)
    # On JAX and torch, Keras computes some functions of float64 in float32.
    a, b = (data.residuals(w + s * v) for s in (1e-3, -1e-3))
    np.testing.assert_allclose(data.jacobian(w) @ v, (a - b) / 2e-3, atol=2e-4)
    a, b = (data.loss_and_gradient(w + s * v)[1] for s in (1e-3, -1e-3))
    np.testing.assert_allclose(data.hessian_product(w, v), (a - b) / 2e-3, atol=2e-3)


class TestErrors:
    def test_an_unknown_method_is_named_with_the_nearest(self):
        with pytest.raises(ValueError, match="'L-BFG'.*Did you mean 'L-BFGS-B'"):
            fit_full_batch(linear(), X, Y, "L-BFG")

    def test_a_method_may_be_written_in_any_case(self):
        assert methods.find_method("l-bfgs-b") == "L-BFGS-B"

    @pytest.mark.parametrize("method", ["BFGS", "least_squares"])
    def test_a_nan_is_told_and_leaves_the_weights(self, method):
        model, y = linear(), Y.copy()
        y[3] = np.nan
        before = model.get_weights()
        with pytest.raises(FloatingPointError, match="loss=nan after 0 iterations"):
            fit_full_batch(model, X, y, method, verbose=0)
        assert same(before, model.get_weights())

    @pytest.mark.parametrize("loss", ["mae", "huber", keras.losses.LogCosh()])
    def test_least_squares_takes_no_other_loss(self, loss):
        with pytest.raises(ValueError, match="Received: loss="):
            fit_full_batch(linear(loss), X, Y, "least_squares", verbose=0)

    def test_least_squares_takes_nothing_beside_the_loss(self):
        models = [
            linear(kernel_regularizer="l2"),
            linear(keras.losses.MeanSquaredError(reduction="sum")),
        ]
        for model in models:
            with pytest.raises(ValueError, match="Received: a loss of"):
                fit_full_batch(model, X, Y, "least_squares", verbose=0)

    def test_a_jacobian_may_be_too_large(self, monkeypatch):
        monkeypatch.setattr(methods, "LARGEST_JACOBIAN", 100)
        with pytest.raises(ValueError, match="40 residuals and 4 weights"):
            fit_full_batch(linear(), X, Y, "least_squares", verbose=0)

    def test_the_model_must_be_ready(self):
        with pytest.raises(ValueError, match="not built"):
            fit_full_batch(keras.Sequential([layers.Dense(1)]), X, Y)
        bare = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
        with pytest.raises(ValueError, match="not compiled"):
            fit_full_batch(bare, X, Y)
        frozen = linear()
        frozen.trainable = False
        with pytest.raises(ValueError, match="needs trainable weights"):
            fit_full_batch(frozen, X, Y)
        with pytest.raises(ValueError, match="constraints on .*kernel"):
            fit_full_batch(linear(kernel_constraint="non_neg"), X, Y)

    def test_the_data_must_fit(self):
        with pytest.raises(ValueError, match=r"x: \[40\], y: \[39\]"):
            fit_full_batch(linear(), X, Y[1:])
        with pytest.raises(ValueError, match=r"x: \[0\], y: \[0\]"):
            fit_full_batch(linear(), X[:0], Y[:0])
        with pytest.raises(TypeError, match="arrays of numbers"):
            fit_full_batch(linear(), iter([X]), Y)
        with pytest.raises(ValueError, match="epochs=0"):
            fit_full_batch(linear(), X, Y, epochs=0)

    @pytest.mark.parametrize(
        "argument",
        [
            {"epochs": "3"},
            {"validation_data": X},
            {"callbacks": "early"},
            {"callbacks": [1]},
            {"verbose": "loud"},
            {"verbose": 3},
            {"tol": "small"},
            {"tol": -1.0},
            {"options": [3]},
            {"options": {3: 1}},
        ],
        ids=str,
    )
    def test_arguments(self, argument):
        ((name, _),) = argument.items()
        with pytest.raises((TypeError, ValueError), match=f"{name}.*Received: "):
            fit_full_batch(linear(), X, Y, **argument)

    def test_no_model(self):
        with pytest.raises(TypeError, match="Received: model='model'"):
            fit_full_batch("model", X, Y)

    def test_scipy_may_be_missing(self, monkeypatch):
        true = builtins.__import__

        def without(name, *args, **kwargs):
            if name.startswith("scipy"):
                raise ImportError(name)
            return true(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(ImportError, match=r"keras-optlab\[full-batch\]"):
            fit_full_batch(linear(), X, Y)


def test_options_reach_scipy():
    model, x, y = curve()
    history = fit_full_batch(model, x, y, options={"maxiter": 3}, verbose=0)
    assert history.result.nit == 3
    history = fit_full_batch(
        model, x, y, "least_squares", options={"max_nfev": 2}, verbose=0
    )
    assert history.result.nfev == 2


# Why the training ended.


@pytest.mark.sampled
@pytest.mark.parametrize("method", methods.METHODS)
def test_the_result_tells_what_ended_it(method):
    model, x, y = curve()
    over = fit_full_batch(model, x, y, method, epochs=1, verbose=0).result
    assert over.message == "All epochs are done: epochs=1."
    least_squares = method == "least_squares"
    assert (over.success, over.status) == (False, 0 if least_squares else 1)
    stop = EarlyStopping("loss", target=1e9, verbose=0)
    stopped = fit_full_batch(model, x, y, method, callbacks=[stop], verbose=0).result
    assert stopped.message == "A callback stopped the training after epoch 1."
    assert (stopped.success, stopped.status) == (False, -2 if least_squares else 99)


def test_a_method_that_converges_says_so_itself():
    result = fit_full_batch(linear(), X, Y, "L-BFGS-B", verbose=0).result
    assert (result.success, result.status) == (True, 0)
    assert result.message.startswith("CONVERGENCE")


@pytest.mark.filterwarnings("error:Monitor", "error:TensorBoard")
def test_our_callbacks_show_no_optimizer_and_hear_of_a_failure(tmp_path):
    model, monitor = linear(), Monitor(every=1)
    shown = TensorBoard(tmp_path, every=1)
    history = fit_full_batch(
        model, X, Y, epochs=2, callbacks=[monitor, shown], verbose=0
    )
    assert history.history.keys() == {"loss"}
    assert [row["step"] for row in monitor.rows] == [1, 2]
    script, stopping = Script([1.0, 2.0, 3.0]), EarlyStopping(verbose=0)
    with pytest.raises(KeyboardInterrupt):
        fit_full_batch(
            model, X, Y - 9, callbacks=[script, stopping, Told(fail_at=1)], verbose=0
        )
    assert same(model.get_weights(), script.weights[0])
    assert not same(*script.weights)


@pytest.mark.parametrize(
    "callback",
    [
        callbacks.GradientClipping(norm=1.0),
        callbacks.HyperparameterScheduler("weight_decay", lambda epoch: 0.1),
        callbacks.ReduceOnPlateau("loss"),
        callbacks.WeightClipping(low=0.0),
        callbacks.AverageModelCheckpoint(False, "never.keras"),
    ],
    ids=lambda c: type(c).__name__,
)
def test_callbacks_that_need_an_optimizer_are_refused(callback):
    model = linear()
    model.compile(optimizers.SGD(use_ema=True), loss="mse")
    with pytest.raises((TypeError, ValueError), match="needs|acts at"):
        fit_full_batch(model, X, Y, callbacks=[callback], verbose=0)
