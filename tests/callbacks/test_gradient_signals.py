"""Gradient cosine, noise scale and sharpness: equal to NumPy, and without effects."""

import pickle
import warnings

import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from keras_optlab.callbacks import GradientSignals, Monitor, TensorBoard
from keras_optlab.callbacks.base.sample import SEED
from keras_optlab.verify.problems import values
from tests.support import logs, own_steps
from tests.support.own_steps import by_another, own
from tests.support.problems import compiled_model, mirrored_strategy

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 4)).astype("float32")
Y = (X @ RNG.normal(size=(4, 2)) + RNG.normal(size=(48, 2))).astype("float32")
WEIGHTS = RNG.uniform(0.5, 1.0, 48).astype("float32")
START = np.full((4, 2), 0.5), np.full(2, 0.1)
COSINE, NOISE, SHARPNESS = (
    f"optimizer/{x}" for x in ("gradient_cosine", "gradient_noise_scale", "sharpness")
)
DRAWN = {"examples": 32, "micro_batch": 4}


def linear(optimizer, **compiling):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="line")])
    compiled_model(model, optimizer, **compiling)
    model.set_weights(START)
    return model


def fit(model, callbacks, epochs=2, x=X, y=Y, **kwargs):
    """Train for six steps an epoch."""
    how = {"batch_size": 8, "shuffle": False, "verbose": 0} | kwargs
    how = how if isinstance(x, np.ndarray) else how | {"batch_size": None}
    return model.fit(x, y, epochs=epochs, callbacks=callbacks, **how)


def column(signals, tag):
    return {step: tags[tag] for step, tags in signals.recorded if tag in tags}


def by_example(w, chosen, weights=None):
    """Return the gradient of each example at w, of its weight (r_1² + r_2²) / 2."""
    kernel, bias = w[:8].reshape(4, 2), w[8:]
    x = X[chosen].astype("float64")
    r = x @ kernel + bias - Y[chosen]
    r = r if weights is None else r * weights[chosen][:, None]
    of_kernel = x[:, :, None] * r[:, None, :]
    return np.concatenate([of_kernel.reshape(len(x), -1), r], axis=1)


def trained(rate, steps, batch=8):
    """Return the weights before each step of SGD, and the gradients."""
    w, ws, gs = np.concatenate([x.ravel() for x in START]), [], []
    for step in range(steps):
        start = step * batch % 48
        g = by_example(w, range(start, start + batch)).mean(0)
        ws.append(w)
        gs.append(g)
        w = w - rate * g
    return [*ws, w], gs


def drawn(count, examples=32):
    rng = np.random.default_rng([SEED, count])
    return rng.choice(48, examples, replace=False)


def scale_by_hand(w, count, average, weights=None):
    """Return the noise scale, and put its averages into the list."""
    g = by_example(w, drawn(count), weights).reshape(8, 4, -1).mean(1)
    variance = g.var(0, ddof=1).sum()
    new = np.array([4 * variance, np.sum(g.mean(0) ** 2) - variance / 8])
    average[:] = 0.8 * average + 0.2 * new
    return average[0] / average[1]


def sharpness_by_hand(w, before, count):
    g, first = (by_example(x, drawn(count)).mean(0) for x in (w, before))
    return (g - first) @ (w - before) / np.sum((w - before) ** 2)


def cosine_by_hand(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


MODES = [{}]
if BACKEND == "tensorflow":
    others = {"jit_compile": True}, {"run_eagerly": True}
    MODES += [pytest.param(how, marks=pytest.mark.every) for how in others]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_all_equal_numpy(mode):
    signals = GradientSignals(3, **DRAWN)
    fit(linear(optimizers.SGD(0.05), **mode), [signals])
    ws, gs = trained(0.05, 12)
    points, average = [1, 3, 6, 9, 12], np.zeros(2)
    expected = {
        NOISE: {n: scale_by_hand(ws[n], i, average) for i, n in enumerate(points)},
        SHARPNESS: {
            n: sharpness_by_hand(ws[n], ws[n - 1], i) for i, n in enumerate(points)
        },
        COSINE: {n: cosine_by_hand(gs[n - 2], gs[n - 1]) for n in points[1:]},
    }
    for tag, by_hand in expected.items():
        assert column(signals, tag) == pytest.approx(by_hand, rel=2e-3), tag
    assert min(expected[COSINE].values()) < 0.8  # they are not all alike


def test_tensorboard_and_monitor_log_them_at_their_steps(tmp_path):
    signals, monitor = GradientSignals(4, **DRAWN), Monitor(3)
    board = TensorBoard(tmp_path, every=5)
    fit(linear(optimizers.Adam(0.01)), [board, signals, monitor])
    train = logs.read(tmp_path / "train")
    for tag in COSINE, NOISE, SHARPNESS:
        found = column(signals, tag)
        assert list(found) == [n for n in (1, 4, 8, 12) if (tag, n) != (COSINE, 1)]
        assert train[tag] == pytest.approx(found)
        rows = {r["step"]: r[tag] for r in monitor.rows if tag in r}
        assert rows == pytest.approx(found)


@pytest.mark.parametrize("signals", [["gradient_noise_scale", "sharpness"], None])
def test_a_stock_optimizer_has_noise_and_sharpness(signals):
    signals = GradientSignals(4, signals=signals, **DRAWN)
    fit(linear(keras.optimizers.SGD(0.05)), [signals])
    ws, _ = trained(0.05, 12)
    found = column(signals, SHARPNESS)
    by_hand = {
        n: sharpness_by_hand(ws[n], ws[n - 1], i) for i, n in enumerate((1, 4, 8, 12))
    }
    assert found == pytest.approx(by_hand, rel=2e-3)
    assert list(column(signals, NOISE)) == [1, 4, 8, 12]
    assert column(signals, COSINE) == {}


def test_a_stock_optimizer_has_no_cosine():
    signals = GradientSignals(signals=["gradient_cosine"])
    with pytest.raises(TypeError, match="needs an optimizer of keras_optlab. Received"):
        fit(linear(keras.optimizers.SGD(0.05)), [signals])


class TestTraining:
    """The training is the same with and without."""

    def end(self, callbacks, optimizer, **kwargs):
        keras.utils.set_random_seed(3)
        layers = [
            keras.layers.Dense(8, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(2),
        ]
        model = keras.Sequential([keras.Input((4,)), *layers])
        compiled_model(model, optimizer())
        history = fit(model, callbacks, shuffle=True, **kwargs)
        state = model.variables + optimizers_state(model.optimizer)
        return [*values(state), *history.history["loss"]]

    @pytest.mark.parametrize(
        "optimizer",
        [
            optimizers.Adam,
            pytest.param(keras.optimizers.Adam, marks=pytest.mark.every),
            pytest.param(
                lambda: optimizers.EMA(optimizers.SGD(0.01)), marks=pytest.mark.every
            ),
            pytest.param(
                lambda: optimizers.SAM(optimizers.SGD(0.01)), marks=pytest.mark.every
            ),
            pytest.param(
                lambda: optimizers.Adam(gradient_accumulation_steps=2),
                marks=pytest.mark.every,
            ),
        ],
        ids=["Adam", "stock", "EMA", "SAM", "accumulation"],
    )
    @pytest.mark.slow
    def test_changes_no_bit(self, optimizer):
        ends = [
            self.end(callbacks, optimizer)
            for callbacks in ([], [GradientSignals(2, **DRAWN)])
        ]
        for a, b in zip(*ends, strict=True):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.every
    @pytest.mark.skipif(BACKEND != "tensorflow", reason="data of TensorFlow")
    def test_nor_with_a_data_set(self):
        import tensorflow as tf

        def data():
            keras.utils.set_random_seed(3)  # on which the order depends, too
            whole = tf.data.Dataset.from_tensor_slices((X, Y))
            return whole.shuffle(48, seed=1).batch(8)

        ends = [
            self.end(callbacks, optimizers.Adam, x=data(), y=None, batch_size=None)
            for callbacks in ([], [GradientSignals(2, **DRAWN)])
        ]
        for a, b in zip(*ends, strict=True):
            np.testing.assert_array_equal(a, b)


def optimizers_state(optimizer):
    """Return the optimizer's variables that influence training."""
    ours = getattr(optimizer, "recorder", None)
    records = [] if ours is None else ours.variables
    return [v for v in optimizer.variables if not any(v is r for r in records)]


@pytest.mark.every
def test_gradient_accumulation_compares_the_means_of_windows():
    signals = GradientSignals(2, signals=["gradient_cosine", "sharpness"], **DRAWN)
    model = linear(optimizers.SGD(0.05, gradient_accumulation_steps=3))
    fit(model, [signals], epochs=3)
    ws, gs = trained(0.05, 6, batch=24)
    by_hand = {n: cosine_by_hand(gs[n - 2], gs[n - 1]) for n in (2, 4, 6)}
    assert column(signals, COSINE) == pytest.approx(by_hand, rel=2e-3)
    by_hand = {
        n: sharpness_by_hand(ws[n], ws[n - 1], i) for i, n in enumerate((1, 2, 4, 6))
    }
    assert column(signals, SHARPNESS) == pytest.approx(by_hand, rel=2e-3)


@pytest.mark.every
@pytest.mark.skipif(BACKEND == "torch", reason="has one step in an execution")
def test_an_execution_of_several_steps_is_one_displacement():
    signals = GradientSignals(4, **DRAWN)
    fit(linear(optimizers.SGD(0.05), steps_per_execution=3), [signals])
    ws, gs = trained(0.05, 12)
    sharp = {
        n: sharpness_by_hand(ws[n], ws[n - 3], i) for i, n in enumerate((3, 6, 9, 12))
    }
    assert column(signals, SHARPNESS) == pytest.approx(sharp, rel=2e-3)
    cosines = {n: cosine_by_hand(gs[n - 2], gs[n - 1]) for n in (4, 8, 12)}
    assert column(signals, COSINE) == pytest.approx(cosines, rel=2e-3)


@pytest.mark.every
@pytest.mark.skipif(BACKEND == "torch", reason="Keras does not scale losses there")
def test_a_scaled_loss_gives_the_same_figures():
    ends = []
    for wrap in (lambda x: x), keras.optimizers.LossScaleOptimizer:
        signals = GradientSignals(3, **DRAWN)
        fit(linear(wrap(optimizers.SGD(0.05))), [signals])
        ends.append(signals.recorded)
    for (step, a), (same, b) in zip(*ends, strict=True):
        assert step == same
        assert a == pytest.approx(b, rel=1e-3)


@pytest.mark.every
def test_sample_weights_of_fit_are_used():
    signals = GradientSignals(12, signals=["gradient_noise_scale"], **DRAWN)
    model = linear(optimizers.SGD(1e-9))
    fit(model, [signals], sample_weight=WEIGHTS)
    w, average = np.concatenate([x.ravel() for x in START]), np.zeros(2)
    expected = [scale_by_hand(w, i, average, WEIGHTS) for i in (0, 1)]
    assert list(column(signals, NOISE).values()) == pytest.approx(expected, rel=2e-3)


@pytest.mark.every
def test_a_model_that_is_built_in_fit_and_one_with_several_outputs():
    signals = GradientSignals(3, **DRAWN)
    model = keras.Sequential([keras.layers.Dense(2)])
    model.compile(optimizers.SGD(0.05), "mse")
    fit(model, [signals])
    points = [1, 3, 6, 9, 12]  # on TensorFlow, the first step builds the model
    assert list(column(signals, SHARPNESS)) == points[BACKEND == "tensorflow" :]
    assert list(column(signals, NOISE)) == points
    inputs = {k: keras.Input((4,), name=k) for k in "ab"}
    outputs = {k: keras.layers.Dense(1, name=f"out_{k}")(x) for k, x in inputs.items()}
    model = keras.Model(inputs, outputs)
    model.compile(optimizers.SGD(0.05), {"a": "mse", "b": "mae"})
    signals = GradientSignals(3, **DRAWN)
    data = {"a": X, "b": X}, {"a": Y[:, :1], "b": Y[:, 1:]}
    model.fit(*data, batch_size=8, verbose=0, callbacks=[signals])
    assert [sorted(tags) for _, tags in signals.recorded if NOISE in tags] == [
        [NOISE, SHARPNESS]
    ] * 3


@pytest.mark.every
def test_a_skipped_step_has_no_sharpness_and_the_next_cosine_is_right():
    x = X.copy()
    x[16:24] = np.nan  # the third of six steps
    given = (X, Y)
    signals = GradientSignals(3, given, **DRAWN)
    model = linear(optimizers.SGD(0.05))
    with pytest.warns(UserWarning, match="skipped"):
        fit(model, [signals], epochs=1, x=x)
    assert list(column(signals, SHARPNESS)) == [1, 6]
    w = np.concatenate([x.ravel() for x in START])
    gs = []
    for start in 0, 8, 24, 32, 40:
        gs.append(by_example(w, range(start, start + 8)).mean(0))
        w = w - 0.05 * gs[-1]
    (cosine,) = column(signals, COSINE).values()  # of update 3, which is step 4
    assert cosine == pytest.approx(cosine_by_hand(gs[1], gs[2]), rel=2e-3)


def test_its_state_goes_on_in_another_object():
    def half(signals, epochs):
        fit(model, [signals], initial_epoch=epochs - 1, epochs=epochs)

    kept = ["gradient_noise_scale"]
    model = linear(optimizers.SGD(0.05))
    whole = GradientSignals(3, signals=kept, **DRAWN)
    half(whole, 1)
    state = pickle.loads(pickle.dumps(whole.get_state()))
    again = GradientSignals(3, signals=kept, **DRAWN)
    start = model.get_weights()
    half(whole, 2)
    model.set_weights(start)
    again.set_state(state)
    half(again, 2)
    assert [(n % 6, tags) for n, tags in again.recorded] == [
        (n % 6, pytest.approx(tags)) for n, tags in whole.recorded
    ]


@pytest.mark.every
def test_a_second_fit_compares_with_its_own_gradients():
    model, signals = linear(optimizers.SGD(0.05)), GradientSignals(4, **DRAWN)
    fit(model, [signals], epochs=1)
    fit(model, [], epochs=1)
    fit(model, [signals], epochs=1)
    _, gs = trained(0.05, 18)
    by_hand = {n: cosine_by_hand(gs[n - 2], gs[n - 1]) for n in (4, 16)}
    assert column(signals, COSINE) == pytest.approx(by_hand, rel=2e-3)


@pytest.mark.every
@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TensorFlow strategy")
def test_a_strategy_of_several_devices():
    found = []
    for scope in mirrored_strategy().scope, None:
        signals = GradientSignals(3, **DRAWN)
        if scope is None:
            model = linear(optimizers.SGD(0.05))
        else:
            with scope():
                model = linear(optimizers.SGD(0.05))
        monitor = Monitor(3)
        for _ in range(2):
            fit(model, [signals, monitor], epochs=1)
        found.append(signals.recorded)
        assert "throughput/memory" in monitor.columns
        last = {k: v for row in monitor.rows for k, v in row.items()}
        ratio = last["throughput/examples_per_second"]
        assert ratio / last["throughput/steps_per_second"] == pytest.approx(8)
    for (step, a), (same, b) in zip(*found, strict=True):
        assert step == same
        assert a == pytest.approx(b, rel=1e-3)


# Data and models that cannot be measured.


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"examples": 30, "micro_batch": 4}, "Received: examples=30, micro_batch=4"),
        ({"examples": 4, "micro_batch": 4}, "Received: examples=4, micro_batch=4"),
        ({"signals": ["sharp"]}, r"Received: signals=\['sharp'\]"),
        ({"signals": "sharpness"}, "Received: signals='sharpness'"),
        ({"signals": []}, r"Received: signals=\[\]"),
    ],
)
def test_bad_arguments_are_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        GradientSignals(**arguments)


@pytest.mark.parametrize(
    ("data", "error", "told"),
    [
        ((X[:, :3], Y), ValueError, r"must fit the model.*Received: .*\(4, 3\)"),
        ((X, Y[:20]), ValueError, r"Received: arrays of \[20, 48\] examples"),
        ((X[:6], Y[:6]), ValueError, "Received: 6 examples with micro_batch=4"),
        ((np.array(["a"] * 48), Y), TypeError, "Received: ndarray of dtype <U1"),
        ((x for x in [(X, Y)]), ValueError, "Received: x=.*gives each batch once"),
    ],
)
def test_data_that_cannot_be_measured_are_refused_before_training(data, error, told):
    model = linear(optimizers.SGD(0.05))
    with pytest.raises(error, match=told):
        fit(model, [GradientSignals(data=data, **DRAWN)])
    np.testing.assert_array_equal(model.get_weights()[1], START[1].astype("float32"))


def test_models_that_cannot_be_measured_are_refused_before_training():
    model = linear(optimizers.SGD(0.05))
    classes, labels = {0: 1.0, 1: 2.0}, (Y[:, :1] > 0).astype("float32")
    with pytest.raises(ValueError, match="with `class_weight`. Pass"):
        fit(model, [GradientSignals(**DRAWN)], y=labels, class_weight=classes)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(optimizers.SGD(0.05))
    with pytest.raises(ValueError, match="compiled without `loss`"):
        fit(model, [GradientSignals(**DRAWN)])


@by_another
def test_a_custom_step_has_its_cosine_and_a_warning_of_the_rest():
    optimizer = optimizers.SGD(0.05)
    model = own(optimizer)
    only = GradientSignals(2, signals=["gradient_cosine"], optimizer=optimizer)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="GradientSignals")
        own_steps.fit(model, only, epochs=1)
    assert list(column(only, COSINE)) == [2, 4]
    assert column(only, NOISE) == {}


class OwnStep(keras.Sequential):
    """A model with a custom step, which may minimize another loss."""

    def train_step(self, *args, **kwargs):
        return super().train_step(*args, **kwargs)


@pytest.mark.every
def test_a_custom_step_is_warned_of_once():
    model = OwnStep([keras.Input((4,)), keras.layers.Dense(2)])
    compiled_model(model, optimizers.SGD(0.05))
    signals = GradientSignals(3, **DRAWN)
    with pytest.warns(UserWarning, match="which may minimize another") as told:
        fit(model, [signals], epochs=1)
    assert len([w for w in told if "GradientSignals" in str(w.message)]) == 1
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="GradientSignals")
        fit(model, [signals], epochs=1)
    assert list(column(signals, SHARPNESS)) == [1, 3, 6, 9, 12]
