"""muP: factors of layers from two widths, and activations that do not grow."""

import json

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_optlab import Group, lab, mup_groups, mup_initialize, optimizers
from keras_optlab.core.mup import width_ratios


def mlp(width, depth=2, inputs=8, outputs=3):
    hidden = [layers.Dense(width, activation="tanh") for _ in range(depth)]
    return keras.Sequential([keras.Input((inputs,)), *hidden, layers.Dense(outputs)])


def transformer(heads, key_dim=4):
    width = heads * key_dim
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(11, width)(tokens)
    x = x + layers.MultiHeadAttention(heads, key_dim)(x, x)
    x = layers.LayerNormalization()(x)
    x = layers.EinsumDense("abc,cd->abd", (6, 2 * width), bias_axes="d")(x)
    return keras.Model(tokens, layers.Dense(11)(x))


def convolutional(width):
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(width, 3)(image)
    x = layers.DepthwiseConv2D(3)(x)
    x = layers.Conv2DTranspose(2 * width, 3)(x)
    x = layers.SeparableConv2D(width, 3)(x)
    return keras.Model(image, layers.Dense(2)(layers.GlobalMaxPooling2D()(x)))


def factors(model, base_model, **kwargs):
    """Return the factor on the rate of each weight with two or more axes."""
    found = {id(v): 1.0 for v in model.trainable_variables}
    for group in mup_groups(model, base_model, **kwargs):
        found |= {id(v): group.learning_rate for v in group.match}
    return [found[id(v)] for v in model.trainable_variables if len(v.shape) > 1]


def test_adam_divides_the_rate_by_the_fan_in_of_hidden_layers_and_the_output():
    assert factors(mlp(32), mlp(8)) == [1.0, 0.25, 0.25]
    assert factors(mlp(8), mlp(32)) == [1.0, 4.0, 4.0]
    assert mup_groups(mlp(8), mlp(8)) == []


def test_sgd_multiplies_it_by_the_fan_out_of_the_input_and_vectors():
    model = mlp(32)
    assert factors(model, mlp(8), kind="sgd") == [4.0, 1.0, 0.25]
    (group,) = (g for g in mup_groups(model, mlp(8), "sgd") if g.learning_rate == 4.0)
    wide = [v for v in model.trainable_variables if v.shape in ((8, 32), (32,))]
    assert {id(v) for v in group.match} == {id(v) for v in wide}


def test_layers_of_a_transformer_tell_their_inputs():
    model, base = transformer(8), transformer(2)
    by_name = {r.path: (r.fan_in, r.fan_out) for r in width_ratios(model, base)}
    assert by_name["multi_head_attention/query/kernel"] == (4.0, 4.0)
    assert by_name["multi_head_attention/query/bias"] == (1.0, 4.0)
    assert by_name["multi_head_attention/attention_output/kernel"] == (4.0, 4.0)
    found = factors(model, base)
    assert sorted(found) == [0.25] * 6 + [1.0] * 4  # q, k, v biases, the embedding


def test_convolutions_tell_their_inputs():
    ratios = width_ratios(convolutional(8), convolutional(4))
    kernels = [(r.fan_in, r.fan_out) for r in ratios if len(r.weight.shape) > 1]
    expected = [(1, 2), (1, 2), (2, 2), (1, 2), (2, 2), (2, 1)]
    assert kernels == expected


def test_rate_times_decay_can_stay_that_of_the_base_model():
    (group,) = mup_groups(mlp(32), mlp(8), weight_decay=0.1)
    assert group.learning_rate * group.hyperparameters["weight_decay"] == 0.1
    (group,) = mup_groups(mlp(32), mlp(8))
    assert group.hyperparameters == {}


def test_initial_deviations_follow_the_table():
    model, base = mlp(256, inputs=64), mlp(64, inputs=64)
    mup_initialize(model, base)
    sizes = [
        np.sqrt(np.mean(np.square(a))) / np.sqrt(np.mean(np.square(b)))
        for a, b in zip(model.get_weights(), base.get_weights(), strict=True)
        if a.ndim > 1
    ]
    np.testing.assert_allclose(sizes, [1.0, 0.5, 0.25], rtol=1e-5)
    assert all(not w.any() for w in model.get_weights() if w.ndim == 1)


# The coordinate check: how much updates change the output of each layer, by width.
#
# Rates are such that the change is below 1 without muP at the largest width, to first
# order in the rate. Theory's slopes without muP are 0, 1, 1 for Adam and -1/2, 1/2, 1
# for SGD. Muon's hidden layer has 0 with Jordan's scaling, and 1/2 with the default.

WIDTHS, BASE, UPDATES, SEEDS = (64, 256, 1024), 64, 3, range(3)


def standard(width):
    """Return a model whose initial weights have a variance of 1 / fan-in."""
    sizes = {"kernel_initializer": "lecun_normal"}
    hidden = [
        layer
        for _ in range(2)
        for layer in (layers.Dense(width, **sizes), layers.Activation("tanh"))
    ]
    return keras.Sequential([keras.Input((8,)), *hidden, layers.Dense(3, **sizes)])


def change(width, seed, make, with_mup):
    """Return the root mean square change of each layer's output by some updates."""
    keras.utils.set_random_seed(seed)
    base, model = standard(BASE), standard(width)
    if with_mup:
        mup_initialize(model, base)
    model.compile(make(model, base, with_mup), loss="mse", run_eagerly=True)
    rng = np.random.default_rng(seed)
    x, y = (rng.normal(size=(32, n)).astype("float32") for n in (8, 3))
    dense = [layer.output for layer in model.layers[::2]]
    inside = keras.Model(model.inputs, dense)
    before = [ops.convert_to_numpy(a) for a in inside(ops.convert_to_tensor(x))]
    for _ in range(UPDATES):
        model.train_on_batch(x, y)
    after = [ops.convert_to_numpy(a) for a in inside(ops.convert_to_tensor(x))]
    return [np.sqrt(np.mean((a - b) ** 2)) for a, b in zip(after, before, strict=True)]


def adam(model, base, with_mup):
    return optimizers.Adam(2e-4, groups=mup_groups(model, base) if with_mup else ())


def sgd(model, base, with_mup):
    groups = mup_groups(model, base, "sgd") if with_mup else ()
    return optimizers.SGD(1e-3, groups=groups)


def muon(model, base, with_mup):
    head = model.layers[-1].kernel
    groups = [Group([head], adamw=True, learning_rate=BASE / head.shape[0])]
    scaling = "jordan" if with_mup else "moonlight"
    rates = {"learning_rate": 0.01, "adam_lr_ratio": 0.02}
    return optimizers.Muon(**rates, scaling=scaling, groups=groups)


@pytest.mark.every
@pytest.mark.parametrize("make", [adam, sgd, muon])
def test_with_mup_updates_change_outputs_by_as_much_at_any_width(make):
    """SGD's slopes are about -0.1: the initial output, and error, of 64 is larger."""

    def slopes(with_mup):
        sizes = [[change(n, i, make, with_mup) for i in SEEDS] for n in WIDTHS]
        return np.polyfit(np.log(WIDTHS), np.log(sizes).mean(axis=1), 1)[0]

    np.testing.assert_allclose(slopes(with_mup=True), 0.0, atol=0.2)
    assert max(slopes(with_mup=False)) > 0.3


def test_the_groups_fit_a_new_model_of_the_same_structure():
    groups = mup_groups(mlp(16), mlp(4))
    other = mlp(16)
    optimizer = optimizers.Adam(0.1, groups=groups)
    optimizer.build(other.trainable_variables)
    assert [p.group for p in optimizer.plan.parameters] == [-1, -1, 0, -1, 0, -1]
    again = Group.from_config(groups[0].get_config())
    assert again.find(mlp(16).trainable_variables) == [0, 0, 1, 0, 1, 0]


def test_a_study_takes_them():
    candidate = lab.Candidate("adam", {"groups": mup_groups(mlp(16), mlp(4))})
    assert "learning_rate" in candidate.domains()
    setting = candidate.setting({"learning_rate": 0.1})
    again = lab.Setting(**json.loads(json.dumps(setting.as_dict())))
    optimizer = again.build(updates=9)
    optimizer.build(mlp(16).trainable_variables)
    assert [p.group for p in optimizer.plan.parameters] == [-1, -1, 0, -1, 0, -1]
    assert "groups=[Group([" in again.code(updates=9)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: mup_groups(mlp(4), mlp(4), "lion"), ValueError, "'adam' or 'sgd'"),
        (lambda: mup_groups(mlp(4), mlp(4), 3), TypeError, "kind=3"),
        (lambda: mup_groups("a", mlp(4)), TypeError, "Received: model='a'"),
        (lambda: mup_groups(mlp(4), None), TypeError, "base_model=None"),
        (
            lambda: mup_groups(mlp(4), layers.Dense(3)),
            ValueError,
            "built models.*base_model=<Dense",
        ),
        (
            lambda: mup_groups(mlp(4), mlp(4, depth=3)),
            ValueError,
            "Received: 6 and 8 trainable weights.*one function of the width",
        ),
        (
            lambda: mup_initialize(convolutional(4), transformer(2)),
            ValueError,
            "same trainable weights",
        ),
        (
            lambda: mup_groups(mlp(4), mlp(4), weight_decay=-1),
            ValueError,
            "weight_decay=-1",
        ),
        (
            lambda: mup_groups(mlp(4), mlp(4), weight_decay="x"),
            TypeError,
            "weight_decay='x'",
        ),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
