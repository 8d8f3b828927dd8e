"""Regularizers and constraints added to built models."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, optimizers
from keras_optlab.constraints import ClipValue, MaxNorm, NonNegative, Simplex, constrain
from keras_optlab.regularizers import L1, L1L2, L2, Orthogonal, regularize
from tests.support.problems import compiled_model
from tests.support.versions import KERAS

layers = keras.layers


def zoo():
    """Return a model with nested layers of every kind that saves its regularizers."""
    shared = layers.Dense(6, name="shared")
    inner = keras.Sequential(
        [keras.Input((6,)), layers.Dense(6, name="deep")], name="inner"
    )
    words = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 6, name="words")(words)
    x = layers.TimeDistributed(inner, name="distributed")(x)
    x = shared(shared(x))
    x = layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Bidirectional(layers.LSTM(3), name="both")(x)
    x = layers.Reshape((3, 2, 1))(x)
    x = layers.Conv2D(2, 2, padding="same", name="conv")(x)
    x = layers.DepthwiseConv2D(2, padding="same", name="depthwise")(x)
    x = layers.SeparableConv2D(2, 2, padding="same", name="separable")(x)
    x = layers.EinsumDense("abcd,de->abce", (3, 2, 2), bias_axes="e", name="einsum")(x)
    x = layers.Flatten()(x)
    return keras.Model(words, layers.Dense(1, name="head")(x), name="zoo")


def small(optimizer=None, loss="mse"):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, name="hidden"),
            layers.Dense(1, name="head"),
        ],
        name="net",
    )
    if optimizer is not None:
        compiled_model(model, optimizer, loss)
    return model


X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
fit = functools.partial(keras.Model.fit, x=X, y=Y, batch_size=8, verbose=0)
BOTH = pytest.mark.parametrize(
    ("function", "role", "one", "other"),
    [
        (regularize, "regularizer", L2(0.5), L1(0.25)),
        (constrain, "constraint", MaxNorm(0.5), NonNegative()),
    ],
    ids=["regularize", "constrain"],
)


def paths(attached):
    return [a.path for a in attached]


@BOTH
def test_weights_are_found_wherever_they_are(function, role, one, other):
    model = zoo()
    names = ["kernel", "recurrent_kernel", "embeddings", "depthwise_kernel", "gamma"]
    attached = function(model, **dict.fromkeys(names, one), bias=other)
    wanted = [v.path for v in model.weights if v.name in [*names, "bias"]]
    assert paths(attached) == wanted
    assert len(wanted) == 30
    for v in model.weights:
        expected = one if v.name in names else other if v.name == "bias" else None
        assert getattr(v, role) is expected
    assert all(a.value is (other if "bias" in a.path else one) for a in attached)
    assert all(a.saved and a.trainable and a.replaced is None for a in attached)


@BOTH
def test_saving_keeps_them(function, role, one, other, tmp_path):
    model = zoo()
    names = ["kernel", "recurrent_kernel", "embeddings", "depthwise_kernel", "gamma"]
    function(
        model, **dict.fromkeys(names, one), bias=other, skip=["inner", "backward_*"]
    )
    function(model, kernel=other, match=["deep", "forward_*"])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for v, w in zip(model.weights, loaded.weights, strict=True):
        assert repr(getattr(w, role)) == repr(getattr(v, role)), v.path
    assert len(loaded.losses) == len(model.losses)
    totals = [sum(map(ops.convert_to_numpy, m.losses)) for m in (loaded, model)]
    assert totals[0] == pytest.approx(totals[1])
    if function is regularize:
        assert len(model.losses) > 20


def test_the_losses_are_those_of_a_model_constructed_so():
    keras.utils.set_random_seed(1)
    constructed = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, kernel_regularizer=L1L2(0.1, 0.2))]
    )
    keras.utils.set_random_seed(1)
    built = keras.Sequential([keras.Input((3,)), layers.Dense(4)])
    assert built.losses == []
    regularize(built, kernel=L1L2(0.1, 0.2))
    losses = [[*map(ops.convert_to_numpy, m.losses)] for m in (built, constructed)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("package", [keras.optimizers, optimizers])
def test_the_next_step_is_regularized(package):
    model = small(package.SGD(0.1))
    fit(model)  # traces a step without the penalty
    model.evaluate(X, Y, verbose=0)
    plain = keras.models.clone_model(model)
    plain.compile(package.SGD(0.1), "mse")
    plain.set_weights(model.get_weights())
    before = model.get_weights()
    regularize(model, kernel=L2(0.5))
    penalty = 0.5 * sum((w**2).sum() for w in before if w.ndim == 2)
    losses = [m.evaluate(X, Y, verbose=0) for m in (model, plain)]
    assert losses[0] - losses[1] == pytest.approx(penalty, rel=1e-4)
    fit(plain)
    fit(model)
    rows = zip(before, plain.get_weights(), model.get_weights(), strict=True)
    for w, without, regularized in rows:  # w - lr * (g + 2 * l2 * w)
        shrunk = 0.1 * 2 * 0.5 * w if w.ndim == 2 else 0
        np.testing.assert_allclose(regularized, without - shrunk, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("package", [keras.optimizers, optimizers])
def test_the_next_step_is_constrained(package):
    model = small(package.SGD(0.1))
    fit(model)  # traces a step without the constraint
    w = model.get_weights()
    constrain(model, kernel=ClipValue(-0.125, 0.125), skip="head")
    clipped = [np.clip(w[0], -0.125, 0.125), *w[1:]]
    for now, expected in zip(model.get_weights(), clipped, strict=True):
        np.testing.assert_array_equal(now, expected)
    fit(model, epochs=3)
    assert np.abs(model.get_weights()[0]).max() == 0.125
    assert np.abs(model.get_weights()[2]).max() > 0.125


def test_a_callback_may_attach_at_the_beginning_of_an_epoch():
    class Later(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                regularize(self.model, kernel=L2(1.0))
            if epoch == 2:
                constrain(self.model, kernel=ClipValue(-0.01, 0.01))

    model = small(optimizers.SGD(1e-3))
    loss = fit(model, epochs=4, callbacks=[Later()]).history["loss"]
    assert loss[0] + 0.5 < loss[1]
    assert loss[2] + 0.5 < loss[1]
    assert np.abs(model.get_weights()[0]).max() == pytest.approx(0.01)


@BOTH
def test_what_it_says(function, role, one, other):
    model = small()
    model.layers[1].trainable = False
    function(model, kernel=one, skip="head")
    attached = function(model, kernel=other)
    assert repr(attached) == (
        f"net/hidden/kernel  {other!r}  (replaces {one!r})\n"
        f"net/head/kernel  {other!r}  (frozen now)"
    )
    assert function(model, kernel=other)[0].replaced is None
    model.layers[0].kernel.regularizer = keras.regularizers.L1()
    model.layers[0].kernel.constraint = keras.constraints.NonNeg()
    assert "(replaces L1)" in repr(regularize(model, kernel=L1()))
    assert "(replaces NonNeg)" in repr(constrain(model, kernel=NonNegative()))


def test_a_frozen_weight_waits():
    model = small()
    model.layers[0].trainable = False
    before = model.get_weights()[0]
    regularize(model, kernel=L2(1.0))
    constrain(model, kernel=ClipValue(-0.01, 0.01))
    np.testing.assert_array_equal(model.get_weights()[0], before)
    assert len(model.losses) == 1
    model.layers[0].trainable = True
    assert len(model.losses) == 2


def test_what_layers_do_not_keep_is_said_to_be_unsaved():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    own = Own()
    own(X)
    regularize(own, kernel=L2())
    assert own.dense.kernel.regularizer is not None

    x = keras.Input((4, 3))
    y = layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    model = keras.Model(x, layers.RMSNormalization(name="norm")(y), name="net")
    a = regularize(model, scale=L2(), kernel=L2(), skip="query")
    assert [x.path for x in a if x.saved] == []
    assert "norm/scale  L2(l2=0.01)  (not saved with the model)" in repr(a)
    whole = regularize(model, kernel=L2(0.5))
    assert all(x.saved for x in whole)


def test_a_layer_is_a_model_too():
    dense = layers.Dense(2, name="dense")
    dense.build((None, 3))
    attached = regularize(dense, kernel=L2(0.5))
    assert paths(attached) == ["dense/kernel"]
    assert attached[0].saved
    assert dense.kernel_regularizer is attached[0].value


def test_globs_find_what_they_find_in_groups():
    model = zoo()
    for glob in ["inner", "*/lstm_cell/*", "both/*", "head", "zoo*/head"]:
        group = Group(glob)
        wanted = [v.path for v in model.weights if v.name == "kernel"]
        found = [p for p in wanted if group.matches_path(p)]
        if found:
            assert paths(regularize(model, kernel=L2(), match=glob)) == found
            rest = [p for p in wanted if p not in found]
            assert paths(regularize(model, kernel=L2(), skip=glob)) == rest


@BOTH
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "Name a weight"),
        ({"kernels": ...}, "Received: kernels="),
        ({"kernel": ..., "skip": "haed"}, "Received: skip='haed'"),
        ({"kernel": ..., "skip": ["head", "none"]}, "Received: skip='none'"),
        ({"kernel": ..., "skip": "net"}, "exclude all that do"),
        ({"kernel": ..., "match": "haed"}, "match='haed'"),
        ({"bias": ..., "gamma": ...}, "Received: gamma="),
    ],
    ids=str,
)
def test_what_finds_nothing_lists_the_weights(
    function, role, one, other, arguments, says
):
    model = small()
    arguments = {k: one if v is ... else v for k, v in arguments.items()}
    with pytest.raises(ValueError, match="The weights are:\n  net/hidden/k") as error:
        function(model, **arguments)
    assert says in str(error.value)
    assert all(getattr(v, role) is None for v in model.weights)


@BOTH
def test_a_model_without_weights_is_refused(function, role, one, other):
    for model in (
        keras.Sequential([layers.Dense(1)]),
        keras.Sequential([keras.Input((3,)), layers.Flatten()]),
    ):
        with pytest.raises(ValueError, match="no weights yet. Received: .*Build it"):
            function(model, kernel=one)
    with pytest.raises(TypeError, match="a Keras model. Received: 'model'"):
        function("model", kernel=one)


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (regularize, "l2"),
        (regularize, None),
        (regularize, 0.01),
        (regularize, L2),
        (regularize, MaxNorm()),
        (regularize, ops.square),
        (constrain, "max_norm"),
        (constrain, None),
        (constrain, MaxNorm),
        (constrain, L2()),
    ],
)
def test_only_the_right_thing_is_attached(function, value):
    model = small()
    role = "regularizer" if function is regularize else "constraint"
    with pytest.raises(TypeError, match=f"expected a {role}.*Received: bias="):
        function(
            model, kernel=L2() if function is regularize else MaxNorm(), bias=value
        )
    assert all(v.regularizer is None and v.constraint is None for v in model.weights)


@pytest.mark.parametrize(
    ("function", "value", "says"),
    [
        (regularize, Orthogonal(), "net/hidden/bias: Orthogonal needs"),
        (constrain, Simplex(1), "net/hidden/bias: A constraint along axis 1"),
    ],
)
def test_an_object_that_refuses_its_weight_says_which(function, value, says):
    model = small()
    with pytest.raises(ValueError, match=says):
        function(model, bias=value)
    assert all(v.regularizer is None and v.constraint is None for v in model.weights)


@pytest.mark.skipif(KERAS < (3, 15), reason="Keras takes objects of its class only")
def test_functions_will_do():
    def half_sum(w):
        return 0.5 * ops.sum(w)

    model = small()
    attached = regularize(model, kernel=half_sum)
    assert ops.convert_to_numpy(sum(model.losses)) == pytest.approx(
        0.5 * sum(w.sum() for w in model.get_weights()[::2]), rel=1e-5
    )
    assert repr(attached).startswith("net/hidden/kernel  half_sum")
