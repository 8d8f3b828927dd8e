"""Rules with a second pass: it uses the same batch, and changes no other state."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from keras_optlab.core import Group, Slot
from keras_optlab.verify.problems import values
from tests.engine.test_skipping import armed
from tests.support import own_steps
from tests.support.problems import compiled_model, mirrored_strategy, mlp, regression

pytestmark = pytest.mark.sampled

SGD = optimizers.SGD

LOOKERS = {
    "sam": lambda **kw: optimizers.SAM(SGD(0.05, momentum=0.9, **kw), sam_rho=0.1),
    "asam": lambda **kw: optimizers.ASAM(optimizers.Adam(0.01, **kw)),
    "looksam": lambda **kw: optimizers.LookSAM(SGD(0.05, **kw), sam_period=3),
    "sophia": lambda **kw: optimizers.Sophia(0.01, period=3, **kw),
    "adahessian": lambda **kw: optimizers.AdaHessian(0.05, **kw),
    "schedulefreeplus": lambda **kw: optimizers.ScheduleFreePlus(**kw),
}
looker = pytest.mark.parametrize("name", LOOKERS)


def linear(optimizer, **kwargs):
    """Return a linear model of two inputs, with fixed initial weights."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.set_weights([np.array([[0.5], [-0.3]]), np.array([0.1])])
    return compiled_model(model, optimizer, **kwargs)


def batches():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(24, 2))
    return x, x @ [[1.0], [2.0]] + 0.3 + 0.1 * rng.normal(size=(24, 1))


def descend(gradient_of, steps):
    """Train the linear model in NumPy, with `gradient_of` as the update."""
    x, y = batches()
    w = np.array([0.5, -0.3, 0.1])
    for t in range(steps):
        rows = slice(8 * (t % 3), 8 * (t % 3) + 8)
        inputs = np.hstack([x[rows], np.ones((8, 1))])

        def gradient(w, inputs=inputs, targets=y[rows, 0]):
            return 2 * inputs.T @ (inputs @ w - targets) / 8

        w = gradient_of(w, gradient, t + 1)
    return w


def sam(w, gradient, t, rho=0.1):
    g = gradient(w)
    return w - 0.05 * gradient(w + rho * g / np.linalg.norm(g))


def asam(w, gradient, t, rho=0.5):
    g = gradient(w)
    worst = w + rho * w**2 * g / np.linalg.norm(np.abs(w) * g)
    return w - 0.05 * gradient(worst)


def looksam():
    memory = []

    def step(w, gradient, t, rho=0.1, alpha=0.7):
        g = gradient(w)
        if t % 3 == 1:
            sharp = gradient(w + rho * g / np.linalg.norm(g))
            memory[:] = [sharp - (g @ sharp) / (g @ g) * g]
            return w - 0.05 * sharp
        across = memory[0]
        scale = alpha * np.linalg.norm(g) / np.linalg.norm(across)
        return w - 0.05 * (g + scale * across)

    return step


@pytest.mark.parametrize(
    ("optimizer", "by_hand"),
    [
        (lambda: optimizers.SAM(SGD(0.05), sam_rho=0.1), sam),
        (lambda: optimizers.ASAM(SGD(0.05)), asam),
        (lambda: optimizers.LookSAM(SGD(0.05), sam_period=3), looksam()),
    ],
    ids=["sam", "asam", "looksam"],
)
def test_second_gradients_are_those_of_the_paper(optimizer, by_hand):
    model = linear(optimizer())
    x, y = batches()
    model.fit(x, y, batch_size=8, epochs=4, verbose=0, shuffle=False)
    ours = np.concatenate([w.ravel() for w in model.get_weights()])
    np.testing.assert_allclose(ours, descend(by_hand, 12), rtol=1e-5)


class Losing(optimizers.SGD, registered=False):
    """An optimizer whose update is the loss of the batch."""

    slots = (*optimizers.SGD.slots, Slot("loss", shape="scalar"))

    def second_pass(self, batch, ws, gs, s, h, t):
        return gs, [x.next(loss=batch.loss()) for x in s]

    def update(self, w, g, s, h, t):
        return 0 * g + s.loss, s


@pytest.mark.parametrize("scaled", [False, True])
def test_the_loss_of_the_batch_is_the_one_that_is_differentiated(scaled):
    """It is without the scale of mixed precision."""
    x, y = batches()
    optimizer = Losing()
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8.0)
    model = linear(optimizer)
    before, expected = model.get_weights(), []
    for rows in slice(0, 8), slice(8, 24):
        expected.append(model.evaluate(x[rows], y[rows], verbose=0))
        model.train_on_batch(x[rows], y[rows])
    for w, start in zip(model.get_weights(), before, strict=True):
        np.testing.assert_allclose(w - start, sum(expected), rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="written for the others")
def test_a_step_that_does_not_show_its_loss_is_refused():
    optimizer = Losing()
    model = own_steps.own(optimizer, optimizer=optimizer)
    with pytest.raises(RuntimeError, match="Losing needs the loss of each batch"):
        own_steps.fit(model)


class Quartic(keras.layers.Layer):
    """A layer whose loss is of fourth order in its weights."""

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return ops.expand_dims(ops.mean(x, 0) @ self.w, 0) ** 2


def test_products_with_the_hessian_are_exact():
    """The Hessian of (a w)^4 is 12 (a w)^2 a a^T."""

    class Looking(optimizers.SGD, registered=False):
        def second_pass(self, batch, ws, gs, s, h, t):
            zs = [ops.cast(ops.arange(1, 4), "float32")]
            products = batch.hessian_times(zs)
            return [0 * g + p for g, p in zip(gs, products, strict=True)], s

        def update(self, w, g, s, h, t):
            return g, s

    a = np.array([[0.5, -1.0, 0.7]])
    model = keras.Sequential([keras.Input((3,)), Quartic()])
    compiled_model(model, Looking(), loss=lambda y, y_pred: ops.sum(y_pred**2))
    model.fit(a, np.zeros((1, 1)), verbose=0)
    seen = model.get_weights()[0] - 1
    expected = 12 * a.sum() ** 2 * a[0] * (a[0] @ [1, 2, 3])
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


class Probe(optimizers.SGD, registered=False):
    """An optimizer whose update is the Hessian times a fixed direction."""

    def second_pass(self, batch, ws, gs, s, h, t):
        zs = [ops.cast(ops.cos(ops.reshape(w * 0 + 1, w.shape)), w.dtype) for w in ws]
        return batch.hessian_times(zs), s

    def update(self, w, g, s, h, t):
        return g, s


def smooth():
    """Return a small smooth model with batch normalization."""
    keras.utils.set_random_seed(7)
    layers = keras.layers
    hidden = [layers.Dense(5, activation="tanh"), layers.BatchNormalization()]
    return keras.Sequential([keras.Input((8,)), *hidden, layers.Dense(1)])


def attending():
    """Return a model of four tokens that attend to each other."""
    x = keras.Input((8,))
    z = keras.layers.Reshape((4, 2))(x)
    z = keras.layers.MultiHeadAttention(2, 3)(z, z)
    return keras.Model(x, keras.layers.Dense(1)(keras.layers.Flatten()(z)))


@pytest.mark.slow
@pytest.mark.parametrize("smooth", [smooth, attending])
def test_products_go_through_all_layers(smooth):
    """They equal differences of gradients, taken with the statistics of the batch."""
    x, y = regression(32)

    def gradients_at(weights):
        model = smooth()
        model.set_weights(weights)
        start = values(model.trainable_variables)
        compiled_model(model, SGD(1.0)).train_on_batch(x, y)
        end = values(model.trainable_variables)
        return [a - b for a, b in zip(start, end, strict=True)]

    model = compiled_model(smooth(), Probe(0.1))
    start, trained = model.get_weights(), values(model.trainable_variables)
    model.train_on_batch(x, y)
    products = [
        b - a for a, b in zip(trained, values(model.trainable_variables), strict=True)
    ]
    moving = {id(w) for w in model.trainable_variables}
    h = 1e-3

    def moved(sign):
        return [
            w + sign * h * np.cos(1.0) if id(v) in moving else w
            for v, w in zip(model.weights, start, strict=True)
        ]

    ahead, behind = gradients_at(moved(1)), gradients_at(moved(-1))
    for p, a, b in zip(products, ahead, behind, strict=True):
        np.testing.assert_allclose(p, (a - b) / (2 * h), rtol=0.02, atol=0.02)


def dropped(seed):
    """Return a model with one weight per unit, whose gradient is the dropout mask."""
    keras.utils.set_random_seed(5)
    dropout = keras.layers.Dropout(0.5, seed=seed)
    layers = [dropout, keras.layers.Dense(1, use_bias=False)]
    return keras.Sequential([keras.Input((64,)), *layers])


@pytest.mark.parametrize("seed", [1, None])
def test_both_passes_have_the_same_dropout_mask(seed):
    """The gradient of a linear loss depends on the mask, not on the weights."""
    ends = []
    for optimizer in (SGD(0.1), optimizers.SAM(SGD(0.1), sam_rho=10.0)):
        model = compiled_model(
            dropped(seed), optimizer, loss=lambda y, y_pred: ops.mean(y_pred)
        )
        model.fit(np.ones((4, 64)), np.ones((4, 1)), batch_size=1, verbose=0)
        ends.append(values(model.weights) + values(model.non_trainable_variables))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="of torch alone")
def test_a_build_of_torch_for_an_accelerator_may_run_without_one(monkeypatch):
    import torch

    about = torch.accelerator
    monkeypatch.setattr(about, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(about, "is_available", lambda: False)
    model = compiled_model(dropped(None), optimizers.SAM(SGD(0.1)))
    model.fit(np.ones((4, 64)), np.ones((4, 1)), verbose=0)
    assert int(model.optimizer.updates) == 1


@looker
@pytest.mark.slow
def test_metrics_and_normalization_move_once(name):
    logs, statistics = [], []
    x, y = regression(32)
    for optimizer in (SGD(0.0), LOOKERS[name]()):
        model = compiled_model(mlp(), optimizer, metrics=["mae"])
        history = model.fit(x, y, batch_size=32, verbose=0)
        logs.append([v[0] for v in history.history.values()])
        statistics.append(values(model.non_trainable_variables))
    np.testing.assert_allclose(*logs, rtol=1e-6)
    for a, b in zip(*statistics, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@looker
def test_weights_without_gradient_or_frozen_stay(name):
    model = mlp()
    model.layers[0].trainable = False
    optimizer = LOOKERS[name](groups=[Group("*/bias", frozen=True)])
    before = values(model.weights)
    compiled_model(model, optimizer)
    model.fit(*regression(64), verbose=0, batch_size=32)
    moved = {
        w.path.split("/", 1)[1]
        for w, a, b in zip(model.weights, before, values(model.weights), strict=True)
        if not np.array_equal(a, b)
    }
    assert "head/kernel" in str(moved)
    assert not any("bias" in path or "hidden" in path for path in moved)


@looker
@pytest.mark.parametrize(
    "options",
    [
        {"global_clipnorm": 0.5, "weight_decay": 0.1, "use_ema": True},
        pytest.param({"loss_scale_factor": 128.0}, marks=pytest.mark.every),
        pytest.param(
            {"groups": [Group("head", learning_rate=0.5)], "l1": 1e-3},
            marks=pytest.mark.every,
        ),
    ],
    ids=lambda o: next(iter(o)),
)
@pytest.mark.slow
def test_trains_with_all_that_optimizers_can(name, options):
    model = compiled_model(mlp(), LOOKERS[name](**options))
    losses = model.fit(*regression(), epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_scaling_the_loss_changes_no_curvature():
    ends = []
    for factor in (None, 1024.0):
        model = compiled_model(mlp(), LOOKERS["sophia"](loss_scale_factor=factor))
        model.fit(*regression(), epochs=2, verbose=0, shuffle=False)
        ends.append(values(model.weights))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@looker
@pytest.mark.slow
def test_trains_in_mixed_precision(name):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = compiled_model(mlp(), LOOKERS[name]())
        losses = model.fit(*regression(), epochs=8, verbose=0).history["loss"]
    finally:
        keras.config.set_dtype_policy("float32")
    assert losses[-1] < losses[0]


@looker
@pytest.mark.parametrize("bad", [np.nan, 1e18])
def test_a_batch_that_is_skipped_changes_no_state(name, bad):
    model = compiled_model(mlp(), LOOKERS[name]())
    x, y = regression(32)
    skipped_step_changes_nothing(model, x, y, np.full_like(y, bad))


@pytest.mark.parametrize("make", [optimizers.Sophia, optimizers.AdaHessian])
def test_nor_does_a_step_without_a_legal_rate(make):
    optimizer = armed(make, float("nan"), legal=0.01, steps=1)
    x, y = regression(32)
    skipped_step_changes_nothing(compiled_model(mlp(), optimizer), x, y, y)


def skipped_step_changes_nothing(model, x, y, bad_y):
    model.train_on_batch(x, y)
    slots = [v for p in model.optimizer.plan.parameters for v in p.slots.values()]
    before = values(model.trainable_variables) + values(slots)
    model.train_on_batch(x, bad_y)
    assert int(model.optimizer.skipped_steps) == 1
    now = values(model.trainable_variables) + values(slots)
    for a, b in zip(before, now, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.every
@looker
def test_recompiling_with_another_optimizer_leaves_the_step_alone(name):
    model = compiled_model(mlp(), LOOKERS[name]())
    model.fit(*regression(32), verbose=0)
    model.compile(SGD(0.01, skip_non_finite=False), "mse")
    assert model.train_step.__func__ is type(model).train_step
    model.fit(*regression(32), verbose=0)
    assert int(model.optimizer.updates) == 1


@looker
def test_apply_outside_of_a_train_step_is_refused(name):
    optimizer = LOOKERS[name]()
    w = keras.Variable([1.0])
    with pytest.raises(RuntimeError, match="looks at each batch more than once"):
        optimizer.apply([ops.ones((1,))], [w])


class Own(keras.Model):
    """A model with a custom train step that never calls the optimizer."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def train_step(self, *args):
        return ({}, args[0]) if keras.backend.backend() == "jax" else {}


@pytest.mark.every
def test_the_first_may_be_made_within_the_call_of_compile():
    """Python looks up `model.compile` before it creates the optimizer."""
    code = (
        "import keras, numpy as np; from keras_optlab import optimizers;"
        "model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]);"
        "model.compile(optimizers.SAM(optimizers.SGD(0.1)), 'mse');"
        "model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0);"
        "print(int(model.optimizer.updates))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.strip() == "1", ran.stderr


def test_a_train_step_that_never_applies_is_refused():
    model = Own()
    model(np.ones((1, 2)))
    model.compile(LOOKERS["sam"](), "mse")
    with pytest.raises(RuntimeError, match="Received: the `train_step` of Own"):
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a strategy of its")
def test_a_strategy_is_refused():
    with mirrored_strategy().scope():
        model = mlp()
        model.compile(LOOKERS["sam"](), "mse")
    with pytest.raises(ValueError, match=r"tf\.distribute"):
        model.fit(*regression(), verbose=0)
