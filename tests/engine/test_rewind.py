"""Second passes: a train step changes state once, and must call `apply` once."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from keras_optlab.verify.problems import values

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()
SGD = optimizers.SGD
X = np.random.default_rng(0).normal(size=(8, 5, 3)).astype("float32")
Y = X[:, 0, :1]

LOOKERS = {
    "sam": lambda rate: optimizers.SAM(SGD(rate), sam_rho=0.5),
    "asam": lambda rate: optimizers.ASAM(SGD(rate)),
    "looksam": lambda rate: optimizers.LookSAM(SGD(rate), sam_period=2),
    "sophia": lambda rate: optimizers.Sophia(rate, period=2),
    "adahessian": lambda rate: optimizers.AdaHessian(rate),
}
looker = pytest.mark.parametrize("name", LOOKERS)
on_steps = pytest.mark.skipif(BACKEND == "jax", reason="JAX hands all state in and out")
eagerly = pytest.mark.parametrize(
    "eager",
    [
        False,
        pytest.param(True, marks=() if BACKEND == "tensorflow" else pytest.mark.every),
    ],
)


def state_after(build, optimizer, **how):
    """Return the state beside the weights, after training at a learning rate of 0."""
    keras.utils.set_random_seed(1)
    model, written = build()
    model.compile(optimizer, "mse", **how)
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0, shuffle=False)
    return [np.asarray(x, "float64") for x in written()]


def assert_state_moves_once(build, name, **how):
    plain, twice = (
        state_after(build, o, **how) for o in (SGD(0.0), LOOKERS[name](0.0))
    )
    assert plain
    for a, b in zip(plain, twice, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def recurrent(layer):
    def build():
        inputs = keras.Input(batch_shape=(4, 5, 3))
        outputs = keras.layers.Dense(1)(layer(inputs))
        layers = (
            getattr(layer, "forward_layer", layer),
            getattr(layer, "backward_layer", layer),
        )
        return keras.Model(inputs, outputs), lambda: values(
            [
                v
                for one in layers
                for v in (one.states if isinstance(one.states, list) else [one.states])
            ]
        )

    return build


STATEFUL = {  # unrolled, since TensorFlow's loops have no second derivative
    "simple": lambda: keras.layers.SimpleRNN(2, stateful=True, unroll=True),
    "loop": lambda: keras.layers.SimpleRNN(2, stateful=True),
    "both": lambda: keras.layers.Bidirectional(
        keras.layers.SimpleRNN(2, stateful=True, unroll=True)
    ),
}
if BACKEND != "torch":  # on torch, Keras cannot train a stateful GRU
    STATEFUL["gru"] = lambda: keras.layers.GRU(2, stateful=True)


@looker
def test_a_stateful_layer_advances_once(name):
    assert_state_moves_once(lambda: recurrent(STATEFUL["simple"]())(), name)


@eagerly
@pytest.mark.parametrize("layer", STATEFUL)
def test_every_stateful_layer_advances_once(layer, eager):
    assert_state_moves_once(
        lambda: recurrent(STATEFUL[layer]())(), "sam", run_eagerly=eager
    )


class Remembering(keras.layers.Layer):
    """A layer with state that Keras does not track, used in its output."""

    def __init__(self):
        super().__init__()
        self.listed = keras.metrics.Mean(name="seen")
        self.seeds = (keras.random.SeedGenerator(3),)
        self.hidden = {"count": [keras.Variable(0.0, trainable=False)]}
        if BACKEND == "tensorflow":
            import tensorflow as tf

            self.own = tf.Variable(0.0, trainable=False)
        if BACKEND == "torch":
            self.register_buffer("own", ops.zeros(()))

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 1), initializer="ones")

    def call(self, x):
        count = self.hidden["count"][0]
        self.listed.update_state(ops.mean(x) + count.value)
        count.assign(count.value + 1.0)
        if BACKEND == "tensorflow":
            self.own.assign_add(ops.cast(count.value, "float32") + 0.5)
        if BACKEND == "torch":
            self.own += count.value + 0.5
        noise = keras.random.normal((3,), seed=self.seeds[0])
        return ops.mean(x + noise * count.value, axis=1) @ self.w

    def written(self):
        own = [self.own] if hasattr(self, "own") else []
        return values(
            [*self.hidden["count"], self.seeds[0].state, *self.listed.variables]
        ) + [ops.convert_to_numpy(v) for v in own]


@on_steps
@eagerly
@looker
def test_what_a_layer_keeps_moves_once(name, eager):
    def build():
        layer = Remembering()
        return keras.Sequential([keras.Input((5, 3)), layer]), layer.written

    assert_state_moves_once(build, name, run_eagerly=eager)


OUTSIDE = []  # state of a train step, outside of the model


class Counting(keras.Model):
    """A model whose train step counts batches in several kinds of variables."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.batches = 0
        OUTSIDE[:] = [keras.Variable(1.0, trainable=False), native(2.0)]
        self.inside = native(3.0)
        self.pair = {"a": (native(4.0),)}

    def call(self, x):
        return self.dense(x[:, 0])

    def train_step(self, data):
        self.batches += 1
        OUTSIDE[0].assign(OUTSIDE[0] + 1.0)
        add(OUTSIDE[1], 1.0)
        add(self.inside, ops.convert_to_tensor(OUTSIDE[0]))
        add(self.pair["a"][0], ops.convert_to_tensor(self.inside))
        return super().train_step(data)

    def written(self):
        of_python = [self.batches] if self.run_eagerly or BACKEND == "torch" else []
        kept = [OUTSIDE[0].value, OUTSIDE[1], self.inside, self.pair["a"][0]]
        return of_python + [ops.convert_to_numpy(x) for x in kept]


def native(value):
    """Return a variable of the backend, unknown to Keras."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.Variable(value)
    if BACKEND == "torch":
        return ops.convert_to_tensor(value, "float32")
    return keras.Variable(value)


def add(variable, x):
    if BACKEND == "torch":
        variable += x.detach() if hasattr(x, "detach") else x
    else:
        variable.assign_add(x)


@on_steps
@eagerly
@looker
@pytest.mark.slow
def test_what_a_train_step_keeps_moves_once(name, eager):
    def build():
        model = Counting()
        model(X[:4])
        return model, model.written

    assert_state_moves_once(build, name, run_eagerly=eager)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow alone")
@pytest.mark.parametrize("name", ["sam", "looksam"])
def test_random_numbers_without_a_seed_are_the_same(name):
    """The gradient of a linear loss depends on the noise, not on the weights."""
    import tensorflow as tf

    class Noisy(keras.layers.Layer):
        def call(self, x):
            return x * tf.random.uniform((3,)) + tf.random.normal((3,))

    ends = []
    for optimizer in (SGD(0.1), LOOKERS[name](0.1)):
        keras.utils.set_random_seed(1)
        parts = [keras.layers.Flatten(), keras.layers.Dense(3), Noisy()]
        model = keras.Sequential([keras.Input((5, 3)), *parts])
        model.compile(optimizer, lambda y, y_pred: ops.mean(y_pred))
        model.train_on_batch(X[:4], Y[:4])
        ends.append(values(model.weights))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.slow
def test_what_layers_of_keras_keep_moves_once():
    def build():
        layers = keras.layers
        parts = [
            layers.Flatten(),
            layers.SpectralNormalization(layers.Dense(4)),
            layers.BatchNormalization(),
            layers.GaussianNoise(0.1),
            layers.Dense(1),
        ]
        model = keras.Sequential([keras.Input((5, 3)), *parts])
        return model, lambda: values(model.non_trainable_variables)

    assert_state_moves_once(build, "sam")


# How often a train step calls `apply`, and for which weights.


class Applying(keras.Model):
    """A model that calls `apply` `times` times a step, for all weights or a layer's."""

    def __init__(self, times=1, only=None):
        super().__init__()
        keras.utils.set_random_seed(5)
        self.a, self.b = (
            keras.layers.Dense(4, name="a"),
            keras.layers.Dense(1, name="b"),
        )
        self.times, self.only, self.seen = times, only, []

    def call(self, x):
        return self.b(self.a(x[:, 0]))

    @property
    def chosen(self):
        return (
            self.trainable_variables
            if self.only is None
            else self.only.trainable_variables
        )

    def train_step(self, *args):
        return {"tensorflow": self.on_tf, "torch": self.on_torch, "jax": self.on_jax}[
            BACKEND
        ](*args)

    def on_tf(self, data):
        import tensorflow as tf

        x, y = data
        loss = 0.0
        for _ in range(self.times):
            with tf.GradientTape() as tape:
                loss = ops.mean((self(x) - y) ** 2)
            self.optimizer.apply(tape.gradient(loss, self.chosen), self.chosen)
        return {"loss": loss, "after": ops.mean((self(x) - y) ** 2)}

    def on_torch(self, data):
        import torch

        x, y = data
        loss = torch.zeros(())
        for _ in range(self.times):
            self.zero_grad()
            loss = ops.mean((self(x) - y) ** 2)
            self.optimizer.scale_loss(loss).backward()
            with torch.no_grad():
                self.optimizer.apply([v.value.grad for v in self.chosen], self.chosen)
        return {"loss": loss.detach(), "after": ops.mean((self(x) - y) ** 2).detach()}

    def on_jax(self, state, data):
        import jax

        weights, kept, variables, metrics = state
        x, y = data

        def loss_at(weights):
            y_pred, _ = self.stateless_call(weights, kept, x)
            return ops.mean((y_pred - y) ** 2)

        loss = 0.0
        for _ in range(self.times):
            loss, gradients = jax.value_and_grad(loss_at)(weights)
            weights, variables = self.optimizer.stateless_apply(
                variables, gradients, weights
            )
        return {"loss": loss, "after": loss_at(weights)}, (
            weights,
            kept,
            variables,
            metrics,
        )


def fitted(model, optimizer, **how):
    model(X[:4])
    model.compile(optimizer, **how)
    return model.fit(X, Y, batch_size=4, verbose=0, shuffle=False).history


@looker
@eagerly
def test_two_applies_are_refused(name, eager):
    with pytest.raises(RuntimeError, match="which calls it again"):
        fitted(Applying(times=2), LOOKERS[name](0.1), run_eagerly=eager)


@looker
def test_no_apply_is_refused(name):
    with pytest.raises(RuntimeError, match="Received: the `train_step` of Applying"):
        fitted(Applying(times=0), LOOKERS[name](0.1))


@looker
@eagerly
@pytest.mark.slow
def test_a_step_of_a_users_own_trains_as_that_of_keras(name, eager):
    own, keras_own = Applying(), Applying()
    fitted(own, LOOKERS[name](0.1), run_eagerly=eager)
    vars(keras_own)["train_step"] = super(Applying, keras_own).train_step
    fitted(keras_own, LOOKERS[name](0.1), loss="mse", run_eagerly=eager)
    for a, b in zip(values(own.weights), values(keras_own.weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_what_follows_apply_sees_the_update():
    """Code after `apply` sees the updated weights, as without a second pass."""
    model = Applying()
    logs = fitted(model, optimizers.SAM(SGD(0.05), sam_rho=0.0))
    plain = fitted(Applying(), SGD(0.05))
    assert logs["after"][-1] < logs["loss"][-1]
    np.testing.assert_allclose(logs["after"], plain["after"], rtol=1e-5)


@pytest.mark.skipif(BACKEND == "jax", reason="`stateless_apply` takes all weights")
@looker
def test_some_of_the_weights_may_be_applied_to(name):
    model = Applying()
    model.only = model.b
    model(X[:4])
    before = values(model.a.weights) + values(model.b.weights)
    fitted(model, LOOKERS[name](0.1))
    after = values(model.a.weights) + values(model.b.weights)
    same = [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert all(same[:2])
    assert not all(same[2:])


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow alone")
def test_apply_within_a_branch_is_refused():
    import tensorflow as tf

    class Branching(Applying):
        def train_step(self, data):
            def step():
                return super(Branching, self).train_step(data)["loss"]

            return {"loss": tf.cond(tf.reduce_sum(data[0]) > -1e9, step, lambda: 0.0)}

    with pytest.raises(RuntimeError, match=r"within a `tf.cond`"):
        fitted(Branching(), LOOKERS["sam"](0.1))


class Adversaries(keras.Model):
    """Two layers, each with an optimizer; the maker has the compiled one."""

    def __init__(self, other):
        super().__init__()
        keras.utils.set_random_seed(6)
        self.maker, self.critic = keras.layers.Dense(3), keras.layers.Dense(1)
        self.other = other

    def build(self, shape):
        self.maker.build((None, 3))
        self.critic.build((None, 3))

    def call(self, x):
        return self.critic(self.maker(x[:, 0]))

    def train_step(self, data):
        """Train the critic first, so that the maker's step is not the first."""
        for layer, optimizer, sign in (
            (self.critic, self.other, -1.0),
            (self.maker, self.optimizer, 1.0),
        ):
            loss, gradients = self.slope(layer, data, sign)
            optimizer.apply(gradients, layer.trainable_variables)
        return {"loss": loss}

    def slope(self, layer, data, sign):
        x, y = data
        ws = layer.trainable_variables
        if BACKEND == "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                loss = sign * ops.mean((self(x) - y) ** 2)
            return loss, tape.gradient(loss, ws)
        self.zero_grad()
        loss = sign * ops.mean((self(x) - y) ** 2)
        self.optimizer.scale_loss(loss).backward()
        return loss.detach(), [w.value.grad for w in ws]


@on_steps
@eagerly
@pytest.mark.parametrize(
    "other",
    [lambda: optimizers.Adam(0.01), lambda: keras.optimizers.Adam(0.01)],
    ids=["ours", "of keras"],
)
@pytest.mark.slow
def test_another_optimizer_in_the_same_step_trains_once(other, eager):
    """SAM with radius 0 equals SGD, so the other optimizer must end the same too."""
    ends = []
    for make in (lambda: SGD(0.1), lambda: optimizers.SAM(SGD(0.1), sam_rho=0.0)):
        model = Adversaries(other())
        fitted(model, make(), run_eagerly=eager)
        ends.append(values(model.weights) + values(model.other.variables[2:]))
        assert int(model.other.iterations) == 2
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
