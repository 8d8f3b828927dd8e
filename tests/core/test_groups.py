"""Groups of layers, models and variables; layer-wise learning-rate decay by blocks."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_optlab import Group, layerwise_decay, optimizers
from keras_optlab.verify.problems import values, variables

EVERY = pytest.mark.every
X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")


def tower(name):
    """Return a nested model; the weights of every tower have the same paths."""
    x = keras.Input((3,))
    y = layers.Dense(4, name="first")(x)
    return keras.Model(x, layers.Dense(4, name="second")(y), name=name)


def two_towers():
    x = keras.Input((3,))
    left, right = tower("left"), tower("right")
    y = layers.Concatenate()([left(x), right(x)])
    return keras.Model(x, layers.Dense(1, name="head")(y)), left, right


def moved(model, optimizer=None):
    """Return for each weight whether a step moves it."""
    if optimizer is not None:
        model.compile(optimizer, "mse")
    before = values(model.trainable_variables)
    model.fit(X, Y, verbose=0)
    after = values(model.trainable_variables)
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


MATCHES = {
    "model": (lambda m, left, right: right, range(4, 8)),
    "layer": (lambda m, left, right: left.get_layer("second"), (2, 3)),
    "variable": (lambda m, left, right: m.get_layer("head").bias, (9,)),
    "several": (
        lambda m, left, right: [left.get_layer("first"), "head/bias", right.weights[3]],
        (0, 1, 7, 9),
    ),
    "tuple": (lambda m, left, right: (left, right), range(8)),
    "glob": (lambda m, left, right: "first", (0, 1, 4, 5)),
    "from the start": (lambda m, left, right: "/first/kernel", (0,)),
    "function": (lambda m, left, right: lambda v: v is m.weights[5], (5,)),
}


@pytest.mark.parametrize(("match", "found"), MATCHES.values(), ids=MATCHES)
def test_what_a_group_may_match(match, found):
    model, left, right = two_towers()
    optimizer = optimizers.Adam(groups=[Group(match(model, left, right))])
    optimizer.build(model.trainable_variables)
    placed = [p.group for p in optimizer.plan.parameters]
    assert [i for i, group in enumerate(placed) if group == 0] == list(found)


def test_a_group_acts_on_a_model_inside():
    """Also if weights of another nested model have the same paths."""
    model, _, right = two_towers()
    optimizer = optimizers.Adam(0.1, groups=[Group(right, frozen=True)])
    assert moved(model, optimizer) == [True] * 4 + [False] * 4 + [True] * 2


@pytest.mark.parametrize("trained", [True, pytest.param(False, marks=EVERY)])
def test_a_group_of_a_layer_is_saved_by_place(trained, tmp_path):
    model, _, right = two_towers()
    optimizer = optimizers.SGD(0.1, groups=[Group(right, learning_rate=0.0)])
    model.compile(optimizer, "mse")
    if trained:
        model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert moved(loaded) == [True] * 4 + [False] * 4 + [True] * 2
    assert moved(model) == moved(loaded)
    config = loaded.optimizer.get_config()["groups"]
    assert config == optimizer.get_config()["groups"]


@keras.saving.register_keras_serializable("groups")
class Subclassed(keras.Model):
    """A model whose layers have numbered names, which differ from model to model."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second, self.head = (layers.Dense(n) for n in (2, 2, 1))

    def call(self, x):
        return self.head(self.second(self.first(x)))


@pytest.mark.sampled
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.slow
def test_a_group_of_a_subclassed_model_is_saved_by_place(before, tmp_path):
    """Also if another layer now has the name of the saved layer."""
    keras.backend.clear_session()
    for _ in range(before):
        layers.Dense(1)
    model = Subclassed()
    groups = [Group(model.second, learning_rate=0.0)]
    assert moved_after_build(model, optimizers.SGD(0.1, groups=groups))[2:4] == [0, 0]
    model.save(tmp_path / "model.keras")
    if before:
        keras.backend.clear_session()
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert moved(loaded) == [True] * 2 + [False] * 2 + [True] * 2


def unbuilt():
    first = keras.Sequential([layers.Dense(2), layers.Dense(2)], name="first")
    return keras.Sequential([first, layers.Dense(1)]), first


@pytest.mark.slow
def test_a_layer_may_be_built_later(tmp_path):
    model, first = unbuilt()
    optimizer = optimizers.Adam(0.1, groups=[Group(first, frozen=True)])
    assert optimizer.get_config()["groups"][0]["config"]["match"] == ["first"]
    assert not any(moved_after_build(model, optimizer)[:4])
    model.save(tmp_path / "model.keras")  # weights have other paths there
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert moved(loaded) == [False] * 4 + [True] * 2


def moved_after_build(model, optimizer):
    model.compile(optimizer, "mse")
    model.fit(X, Y, verbose=0)
    return moved(model)


def test_what_was_frozen_after_training_does_not_prevent_loading(tmp_path):
    model = keras.Sequential(
        [keras.Input((3,)), *(layers.Dense(1, name=name) for name in "abc")]
    )
    groups = [Group("a", learning_rate=0.5), Group(model.layers[1], learning_rate=0.0)]
    model.compile(optimizers.SGD(0.1, groups=groups), "mse")
    model.fit(X, Y, verbose=0)
    again = optimizers.SGD.from_config(model.optimizer.get_config())
    model.get_layer("a").trainable = False
    with pytest.warns(UserWarning, match="matches no trainable weight.*match='a'"):
        again.build(model.trainable_variables)
    assert [p.group for p in again.plan.parameters] == [1, 1, -1, -1]


def test_frozen_layers_inside_are_no_fault():
    model, left, _ = two_towers()
    left.get_layer("first").trainable = False
    optimizer = optimizers.SGD(0.1, groups=[Group(left, learning_rate=0.0)])
    assert moved(model, optimizer) == [False] * 2 + [True] * 6


def test_optimizers_do_not_share_groups():
    group = Group("w0", beta_1=np.float32(0.5))
    adam = optimizers.Adam(groups=[group])
    assert adam.groups[0] is not group
    assert type(group.hyperparameters["beta_1"]) is np.float32
    adam.build(variables([np.ones(2)]))


REFUSED = {
    "frozen": (lambda: Group("a", frozen="no"), "frozen='no'"),
    "frozen 1": (lambda: Group("a", frozen=1), "frozen=1"),
    "text": (lambda: Group("a", learning_rate="0.5"), "learning_rate='0.5'"),
    "negative": (lambda: Group("a", learning_rate=-1), "learning_rate=-1"),
    "nan": (lambda: Group("a", learning_rate=float("nan")), "learning_rate=nan"),
    "too large": (lambda: Group("a", learning_rate=1e39), "learning_rate=1e"),
    "bool": (lambda: Group("a", learning_rate=True), "learning_rate=True"),
    "vector": (lambda: Group("a", learning_rate=np.ones(1)), "learning_rate=array"),
    "unknown": (lambda: Group("a", colour=1), "colour=1"),
    "text for a number": (lambda: Group("a", beta_1="0.5"), "beta_1='0.5'"),
    "number": (lambda: Group(3), "match=3"),
    "numbers": (lambda: Group([3]), r"match=\[3\]"),
    "nothing": (lambda: Group([]), r"match=\[\]"),
    "none": (lambda: Group(None), "match=None"),
    "class": (lambda: Group(layers.Dense), "match=.*This is the class"),
    "optimizer": (lambda: optimizers.SGD(groups=["a"]), r"Received: groups=\['a'\]"),
    "layer": (
        lambda: optimizers.SGD(groups=[layers.Dense(1)]),
        r"Received: groups=\[<Dense",
    ),
    "out of range": (
        lambda: optimizers.Adam(groups=[Group("a", beta_1=2.0)]),
        "beta_1=2.0",
    ),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_what_a_group_refuses(call, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        call()
    assert "Received: " in str(caught.value)


def test_a_layer_of_another_model_is_said_to_match_nothing():
    model, *_ = two_towers()
    optimizer = optimizers.SGD(groups=[Group(layers.Dense(1, name="stranger"))])
    with pytest.raises(ValueError, match="(?s)match=<Dense name=stranger.*head/kernel"):
        optimizer.build(model.trainable_variables)


def built(*groups):
    model, *_ = two_towers()
    optimizers.SGD(groups=list(groups)).build(model.trainable_variables)


def test_a_misspelled_name_is_corrected():
    with pytest.raises(ValueError, match="match='haed'. Did you mean 'head'"):
        built(Group("haed"))
    with pytest.warns(UserWarning, match="An entry .*'haed'. Did you mean 'head'"):
        built(Group(["*bias", "haed"]))


def test_a_group_whose_weights_are_taken_has_no_effect():
    with pytest.warns(UserWarning, match=r"has no effect.*Group\('head'"):
        built(Group("*"), Group("head", learning_rate=0.1))


# Layer-wise decay.


def grouped(model, factor=0.5, **kwargs):
    """Return the distance of each weight's group from the last, by weight path."""
    groups = layerwise_decay(model, factor, **kwargs)
    optimizer = optimizers.SGD(groups=groups)
    optimizer.build(model.trainable_variables)
    placed = [p.group for p in optimizer.plan.parameters]
    assert min(placed) == 0
    assert sorted({*placed}) == list(range(len(groups)))
    assert [g.learning_rate for g in groups] == [
        factor**k for k in range(len(groups))[::-1]
    ]
    return {
        v.path: len(groups) - 1 - i
        for v, i in zip(model.trainable_variables, placed, strict=True)
    }


def depths(model, **kwargs):
    """Return the distance of each layer's group from the last, by layer name."""
    found = grouped(model, **kwargs)
    return {path.split("/")[-2]: depth for path, depth in found.items()}


def inverted_residual(x, name, width):
    y = layers.Conv2D(2 * width, 1, use_bias=False, name=f"{name}_expand")(x)
    y = layers.BatchNormalization(name=f"{name}_expand_BN")(y)
    y = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_depthwise")(y)
    y = layers.BatchNormalization(name=f"{name}_depthwise_BN")(y)
    y = layers.Conv2D(width, 1, name=f"{name}_project")(y)
    y = layers.BatchNormalization(name=f"{name}_project_BN")(y)
    return layers.Add()([x, y])


def mobile():
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, name="Conv1")(x)
    y = layers.BatchNormalization(name="bn_Conv1")(y)
    y = layers.DepthwiseConv2D(3, name="expanded_conv_depthwise")(y)
    y = layers.Conv2D(4, 1, name="expanded_conv_project")(y)
    for i in (1, 2, 3):
        y = inverted_residual(y, f"block_{i}", 4)
    y = layers.Conv2D(8, 1, name="Conv_1")(y)
    y = layers.BatchNormalization(name="Conv_1_bn")(y)
    y = layers.GlobalAveragePooling2D()(y)
    return keras.Model(x, layers.Dense(2, name="predictions")(y))


MOBILE = {"Conv1": 5, "bn_Conv1": 5, "expanded_conv_project": 5, "block_1_expand": 4}
MOBILE |= {"block_1_project_BN": 4, "block_2_depthwise": 3, "block_3_expand": 2}
MOBILE |= {"Conv_1": 1, "Conv_1_bn": 1, "predictions": 0}


def test_layers_of_one_numbered_block_are_one():
    found = depths(mobile())
    assert found | MOBILE == found


def test_a_backbone_inside_is_taken_apart():
    backbone = mobile()
    model = keras.Sequential([keras.Input((8, 8, 3)), backbone, layers.Dense(1)])
    found = depths(model)
    assert found | {k: v + 1 for k, v in MOBILE.items()} == found


@pytest.mark.slow
def test_mobilenet_has_as_many_groups_as_blocks():
    model = keras.applications.MobileNetV2(weights=None)
    assert len(layerwise_decay(model, 0.8)) == 19


class Attention(layers.Layer):
    """A block of a transformer."""

    def __init__(self):
        super().__init__()
        self.norm = layers.LayerNormalization()
        self.attention = layers.MultiHeadAttention(2, 2)
        self.dense = layers.Dense(4)

    def build(self, shape):
        self.scale = self.add_weight(shape=(1, 4), name="scale")
        self.norm.build(shape)
        self.attention.build(shape, shape)
        self.dense.build(shape)

    def call(self, x):
        y = self.norm(x)
        return x + self.dense(self.attention(y, y)) * self.scale


class Stack(layers.Layer):
    """A layer of several blocks, with a weight of its own."""

    def __init__(self, depth):
        super().__init__()
        self.blocks = [Attention() for _ in range(depth)]

    def build(self, shape):
        self.register = self.add_weight(shape=shape[1:], name="register")
        for block in self.blocks:
            block.build(shape)

    def call(self, x):
        x = x + self.register
        for block in self.blocks:
            x = block(x)
        return x


class Transformer(keras.Model):
    """A classifier with a class token, positions, blocks, normalization and head."""

    def __init__(self, stacked):
        super().__init__()
        self.patches = layers.Dense(4)
        blocks = [Stack(3)] if stacked else [Attention() for _ in range(3)]
        self.encoder = blocks
        self.norm = layers.LayerNormalization()
        self.head = layers.Dense(1)

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, 4), name="token")
        self.patches.build(shape)
        for layer in (*self.encoder, self.norm, self.head):
            layer.build((None, 5, 4))

    def call(self, x):
        x = self.patches(x) + self.token
        for layer in self.encoder:
            x = layer(x)
        return self.head(self.norm(x))


@pytest.mark.parametrize("stacked", [False, True])
def test_a_transformer_goes_by_its_blocks(stacked):
    model = Transformer(stacked)
    model(np.ones((1, 5, 3), "float32"))
    groups = layerwise_decay(model, 0.5)
    sets = [{id(v) for v in g.match} for g in groups]
    stack = model.encoder[0] if stacked else model
    blocks = stack.blocks if stacked else model.encoder
    expected = [
        [model.token, *model.patches.weights],
        *(block.trainable_variables for block in blocks),
        model.head.weights,
    ]
    expected[0] += [stack.register] if stacked else []
    expected[-2] = [*expected[-2], *model.norm.trainable_variables]
    assert sets == [{id(v) for v in part} for part in expected]
    grouped(model)


def test_own_weights_of_a_model_are_with_its_first_layer():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.table = self.add_weight(shape=(3, 3), name="table")
            self.first, self.second = layers.Dense(3), layers.Dense(1)

        def call(self, x):
            return self.second(self.first(x @ self.table))

    model = Own()
    model(X)
    groups = layerwise_decay(model, 0.5)
    assert [g.learning_rate for g in groups] == [0.5, 1.0]
    assert groups[0].matches(model.table)
    assert groups[0].matches(model.first.kernel)
    assert not any(moved_without(model, groups))


def moved_without(model, groups):
    """Return for each weight whether no group matches it."""
    return [not any(g.matches(v) for g in groups) for v in model.trainable_variables]


def test_normalizations_join_what_is_before_them():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            layers.BatchNormalization(name="norm_0"),
            layers.Conv2D(3, 2, name="conv"),
            layers.GroupNormalization(1, name="norm_1"),
            layers.PReLU(shared_axes=[1, 2, 3], name="prelu"),
            layers.Flatten(),
            layers.Dense(2, name="dense"),
            layers.LayerNormalization(name="norm_2"),
            layers.Dense(1, name="head"),
        ]
    )
    joined = {"norm_0": 2, "conv": 2, "norm_1": 2, "prelu": 2}
    assert depths(model) == joined | {"dense": 1, "norm_2": 1, "head": 0}


def test_frozen_layers_are_in_no_group():
    model = mobile()
    for layer in model.layers[:12]:
        layer.trainable = False
    assert max(depths(model).values()) <= 4


def test_groups_made_while_layers_were_frozen_are_said_to_lack_them():
    model, first, *_ = two_towers()
    first.trainable = False
    groups = layerwise_decay(model, 0.5)
    first.trainable = True
    with pytest.warns(UserWarning, match="in no group of `layerwise_decay`"):
        optimizers.SGD(groups=groups).build(model.trainable_variables)


def test_blocks_may_be_said():
    model = mobile()
    blocks = [
        ["Conv1", "bn_Conv1", "expanded_conv_*", "block_1_*"],
        "block_[23]_*",
        [model.get_layer("Conv_1"), model.get_layer("Conv_1_bn")],
        model.layers[-1],
    ]
    found = depths(model, blocks=blocks)
    assert (found["block_1_expand"], found["block_3_project"]) == (3, 2)
    assert (found["Conv_1"], found["predictions"]) == (1, 0)
    with pytest.raises(ValueError, match="(?s)leaves weights out.*predictions/kernel"):
        layerwise_decay(model, 0.5, blocks=blocks[:-1])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"factor": 1.5}, "factor=1.5"),
        ({"factor": 0}, "factor=0"),
        ({"factor": "0.5"}, "factor='0.5'"),
        ({"factor": True}, "factor=True"),
        ({"model": "model"}, "model='model'"),
        ({"model": keras.Sequential([layers.Dense(1)])}, "Build it first"),
        ({"blocks": "head"}, "blocks='head'"),
        ({"blocks": [3]}, "match=3"),
    ],
    ids=lambda x: "-".join(x) if isinstance(x, dict) else "",
)
def test_what_layerwise_decay_refuses(wrong, message):
    arguments = {"model": unbuilt_but_built(), "factor": 0.5} | wrong
    with pytest.raises((TypeError, ValueError), match=message):
        layerwise_decay(**arguments)


def unbuilt_but_built():
    return keras.Sequential([keras.Input((3,)), layers.Dense(1)])
