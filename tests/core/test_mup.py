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


def changes(width, kind, with_mup, rate):
    """Return the mean change of each layer's activations by two updates."""
    found = []
    for seed in (0, 1) if kind == "sgd" else (0,):
        keras.utils.set_random_seed(seed)
        base, model = mlp(32), mlp(width)
        groups = []
        if with_mup:
            mup_initialize(model, base)
            groups = mup_groups(model, base, kind)
        make = optimizers.Adam if kind == "adam" else optimizers.SGD
        optimizer = make(rate, groups=groups)
        model.compile(optimizer, loss="mse")
        rng = np.random.default_rng(seed)
        x, y = (rng.normal(size=(16, n)).astype("float32") for n in (8, 3))
        x = ops.convert_to_tensor(x)
        inside = keras.Model(model.inputs, [layer.output for layer in model.layers])
        before = [ops.convert_to_numpy(a) for a in inside(x)]
        for _ in range(2):
            model.train_on_batch(x, y)
        after = [ops.convert_to_numpy(a) for a in inside(x)]
        found.append([np.abs(a - b).mean() for a, b in zip(after, before, strict=True)])
    return np.mean(found, axis=0)


@pytest.mark.sampled
@pytest.mark.parametrize(("kind", "rate"), [("adam", 0.001), ("sgd", 0.02)])
def test_coordinate_check(kind, rate):
    """With muP, updates change activations by as much at any width."""
    narrow, wide = (changes(width, kind, True, rate) for width in (128, 1024))
    assert np.all(narrow > 1e-3)
    np.testing.assert_allclose(wide / narrow, 1.0, atol=0.4)
    narrow, wide = (changes(width, kind, False, rate) for width in (128, 1024))
    assert np.any(np.abs(np.log2(wide / narrow)) > 1.0)


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
