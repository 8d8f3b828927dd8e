"""Weights as the matrices that their layers multiply by."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_optlab import Group, optimizers
from keras_optlab.core.axes import Matrices, from_path
from keras_optlab.engine.weights.layer_axes import find_matrices, heads_of
from keras_optlab.verify.problems import apply, values, variables
from tests.support.problems import compiled_model

SEQUENCE, IMAGE = (6, 8), (5, 5, 4)
SHAPES = {  # by layer: its input, and the matrices of its kernels
    layers.Dense(3): (SEQUENCE, [(8, 3)]),
    layers.EinsumDense("abc,cde->abde", (None, 2, 5)): (SEQUENCE, [(8, 10)]),
    layers.EinsumDense("...x,xy->...y", 7): (SEQUENCE, [(8, 7)]),
    layers.EinsumDense("abc,bcd->abd", (6, 7)): (SEQUENCE, [(6, 8, 7)]),
    layers.Conv1D(4, 3): (SEQUENCE, [(24, 4)]),
    layers.Conv2D(6, 3): (IMAGE, [(36, 6)]),
    layers.Conv2D(6, 3, groups=2): (IMAGE, [(2, 18, 3)]),
    layers.Conv2DTranspose(6, 3): (IMAGE, [(36, 6)]),
    layers.DepthwiseConv2D(3, depth_multiplier=2): (IMAGE, [(4, 9, 2)]),
    layers.SeparableConv2D(5, 3): (IMAGE, [(4, 9, 1), (4, 5)]),
    layers.LSTM(3): (SEQUENCE, [(4, 8, 3), (4, 3, 3)]),
    layers.GRU(3): (SEQUENCE, [(3, 8, 3), (3, 3, 3)]),
    layers.SimpleRNN(3): (SEQUENCE, [(1, 8, 3), (1, 3, 3)]),
    layers.ConvLSTM1D(3, 2): ((4, *SEQUENCE), [(4, 16, 3), (4, 6, 3)]),
}


class Own(layers.Layer):
    """A layer with weights that Keras does not know."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(2, shape[-1], 5), name="kernel")
        self.bias = self.add_weight(shape=(2, 5), name="bias")

    def call(self, x):
        return ops.sum(ops.einsum("...i,kio->...ko", x, self.kernel) + self.bias, -2)


def transformer():
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(11, 8, name="tokens")(tokens)
    x = x + layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = x + layers.GroupQueryAttention(4, 4, 2, name="grouped")(x, x)
    x = layers.LayerNormalization()(layers.Dense(8, activation="gelu")(x))
    return keras.Model(tokens, layers.Softmax()(layers.Dense(11, name="out")(x)))


class Logits(layers.Layer):
    """The products with each row of an embedding."""

    def __init__(self, embedding, **kwargs):
        super().__init__(**kwargs)
        self.embedding = embedding

    def call(self, x):
        return ops.softmax(x @ ops.transpose(self.embedding.embeddings))


def tied_transformer():
    tokens, embedding = keras.Input((6,), dtype="int32"), layers.Embedding(11, 8)
    x = embedding(tokens)
    x = x + layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    y = layers.EinsumDense("abc,cde->abde", (None, 2, 5), "relu", name="up")(x)
    x = x + layers.EinsumDense("abde,dec->abc", (None, 8), name="down")(y)
    x = layers.LayerNormalization()(x)
    return keras.Model(tokens, Logits(embedding)(x))


def batch():
    x = np.random.default_rng(0).integers(0, 11, (24, 6))
    return x, np.roll(x, 1, axis=1)


def found_in(model):
    found = find_matrices([model])
    return {v.path: found[id(v)] for v in model.trainable_variables}


@pytest.mark.parametrize("layer", SHAPES, ids=lambda layer: type(layer).__name__)
def test_layers_tell_their_matrices(layer):
    shape, expected = SHAPES[layer]
    x = keras.Input(shape)
    model = keras.Model(x, layers.Dense(2, name="last")(layer(x)))
    found = {k: m for k, m in found_in(model).items() if m and m.role != "head"}
    assert [m.shape for m in found.values()] == expected
    assert not any("bias" in path for path in found)
    for v in model.trainable_variables:
        if v.path in found:  # to the matrices and back
            m, x = found[v.path], values([v])[0]
            there = m.of(ops.convert_to_tensor(x))
            assert tuple(there.shape) == m.shape
            np.testing.assert_array_equal(ops.convert_to_numpy(m.back(there)), x)


def test_attention_has_a_matrix_or_one_for_each_head():
    found = found_in(transformer())
    value = found["attention/value/kernel"]
    output = found["attention/attention_output/kernel"]
    assert value.shape == output.shape == (8, 8)
    assert value.per_head().shape == (2, 8, 4)
    assert output.per_head().shape == (2, 4, 8)
    assert found["grouped/key/kernel"].shape == (8, 8)
    assert found["attention/query/bias"] is None
    assert found["tokens/embeddings"].role == "embedding"
    assert found["out/kernel"].role == "head"


def test_paths_tell_almost_the_same():
    for path, known in found_in(transformer()).items():
        guessed = from_path(path, known.whole) if known else None
        if known and known.role != "head":
            assert guessed == known


def test_weights_of_other_layers_go_by_their_names_and_shapes():
    layer = Own(name="own")
    model = keras.Sequential([keras.Input((3,)), layer, layers.Dense(1)])
    found = find_matrices([model])
    assert found[id(layer.kernel)].shape == (6, 5)
    assert found[id(layer.bias)] is None


def test_heads_are_the_layers_whose_outputs_are_the_models():
    x = keras.Input((4,))
    body = layers.Dense(3)(x)
    first, second = layers.Dense(2, name="a"), layers.Dense(2, name="b")
    outputs = [layers.Reshape((1, 2))(first(body)), layers.Softmax()(second(body))]
    inner = keras.Model(x, outputs)
    assert list(heads_of(inner)) == [first, second]
    assert list(heads_of(keras.Sequential([keras.Input((4,)), inner]))) == [
        first,
        second,
    ]
    tied = keras.Model(x, ops.matmul(body, ops.ones((3, 2))))
    assert not list(heads_of(tied))


def test_a_kernel_of_three_axes_trains_as_the_matrix_that_it_is():
    rng = np.random.default_rng(0)
    w, grads = rng.normal(size=(6, 2, 3)), rng.normal(size=(4, 6, 2, 3))
    how = {"matrices": "layers", "weight_decay": 0.1}
    three = [keras.Variable(w, name="kernel", dtype="float32")]
    optimizer = optimizers.Muon(0.1, groups=[Group("kernel", axes=(0, (1, 2)))], **how)
    two = variables([w.reshape(6, 6)], "float32")
    other = optimizers.Muon(0.1, **how)
    for g in grads:
        apply(optimizer, [g], three)
        apply(other, [g.reshape(6, 6)], two)
    np.testing.assert_allclose(
        values(three)[0].reshape(6, 6), values(two)[0], rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
def test_muon_equals_that_of_optax_with_the_same_axes():
    optax = pytest.importorskip("optax")
    pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    w = rng.normal(size=(2, 6, 5, 3)).astype("float32")
    grads = rng.normal(size=(5, *w.shape)).astype("float32")
    numbers = optax.contrib.MuonDimensionNumbers(reduction_axis=1, output_axis=(2, 3))
    theirs = optax.contrib.muon(
        0.1,
        nesterov=False,
        consistent_rms=0.2,
        muon_weight_dimension_numbers=numbers,
        eps=1e-7,
    )
    state, x = theirs.init(w), w
    ws = [keras.Variable(w, name="kernel")]
    optimizer = optimizers.Muon(
        0.1,
        nesterov=False,
        weight_decay=None,
        groups=[Group("kernel", axes=(1, (2, 3)))],
    )
    for g in grads:
        step, state = theirs.update(g, state, x)
        x = optax.apply_updates(x, step)
        apply(optimizer, [g], ws)
    np.testing.assert_allclose(values(ws)[0], np.asarray(x), atol=2e-5)


RULES = [
    ("muon", {"matrices": "layers"}),
    ("muon", {"matrices": "layers", "per_head": True, "period": 2}),
    ("soap", {}),
    ("kron", {}),
    ("shampoo", {}),
    ("galore", {"rank": 2}),
    ("apollo", {"rank": 2}),
    ("adammini", {}),
    ("normuon", {"per_head": True, "period": 2}),
    ("adamuon", {}),
    ("soapmuon", {"period": 2}),
    ("klsoap", {"period": 2}),
    ("scion", {}),
]
SOME = [
    pytest.param(*r, marks=[pytest.mark.every] * (i > 2)) for i, r in enumerate(RULES)
]


@pytest.mark.parametrize(("name", "settings"), SOME)
def test_a_transformer_trains_and_goes_on_from_a_file(name, settings, tmp_path):
    loss = keras.losses.SparseCategoricalCrossentropy()
    optimizer = optimizers.create(name, learning_rate=0.003, **settings)
    model = compiled_model(transformer(), optimizer, loss)
    x, y = batch()
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    assert model.evaluate(x, y, verbose=0) < before
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    rows = [m.optimizer.describe().splitlines() for m in (model, again)]
    assert rows[0] == rows[1]
    for one in model, again:
        one.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


TIED = {  # as what rules see the weights, besides vectors
    "embedding/embeddings": "matrix 11 x 8",
    "attention/query/kernel": "matrix 8 x 8",
    "attention/key/kernel": "matrix 8 x 8",
    "attention/value/kernel": "matrix 8 x 8",
    "attention/attention_output/kernel": "matrix 8 x 8",
    "up/kernel": "matrix 8 x 10",
    "down/kernel": "matrix 10 x 8",
} | {f"attention/{name}/bias": "no matrix" for name in ("query", "key", "value")}
HEADS = {
    "attention/query/kernel": "2 matrices 8 x 4",
    "attention/key/kernel": "2 matrices 8 x 4",
    "attention/value/kernel": "2 matrices 8 x 4",
    "attention/attention_output/kernel": "2 matrices 4 x 8",
}
NO_EMBEDDING = {"embedding/embeddings": "no matrix"}


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("muon", {"matrices": "layers"}, TIED | NO_EMBEDDING),
        ("normuon", {"per_head": True}, TIED | NO_EMBEDDING | HEADS),
        ("soap", {}, TIED),
        ("kron", {}, TIED),
        ("scion", {}, TIED),
    ],
)
def test_tied_embeddings_are_described_as_they_train(name, settings, expected):
    optimizer = optimizers.create(name, learning_rate=0.003, **settings)
    model = compiled_model(
        tied_transformer(), optimizer, keras.losses.SparseCategoricalCrossentropy()
    )
    x, y = batch()
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    assert model.evaluate(x, y, verbose=0) < before
    lines = {x.split()[0]: x for x in optimizer.describe().splitlines()[2:]}
    assert len(lines) == len(model.trainable_variables)
    for path, line in lines.items():
        assert f"  {expected.get(path, 'vector')}  " in f"{line}  ", path


def test_describe_names_what_each_weight_is():
    model = transformer()
    groups = [Group("dense", axes=None)]
    optimizer = optimizers.Muon(matrices="layers", groups=groups)
    model.compile(optimizer, "mse")
    with pytest.raises(ValueError, match="has not been built"):
        optimizer.describe()
    optimizer.build(model.trainable_variables)
    lines = {x.split()[0]: x for x in optimizer.describe().splitlines()}
    assert "matrix 8 x 8 " in lines["attention/query/kernel"]
    assert "vector" in lines["attention/attention_output/bias"]
    assert "no matrix" in lines["tokens/embeddings"]
    assert "no matrix" in lines["out/kernel"]
    kernel = next(k for k in lines if k.startswith("dense") and k.endswith("kernel"))
    assert "no matrix" in lines[kernel]
    assert lines[kernel].endswith("'dense'")


@pytest.mark.parametrize(
    ("axes", "error", "message"),
    [
        ("layers", TypeError, r"pair \(inputs, outputs\)"),
        ((0, 1, 2), TypeError, "Received: axes=\\(0, 1, 2\\)"),
        ((0, "last"), TypeError, "integers"),
        ((0, ()), ValueError, "at least one of each"),
        (((0, 1), 1), ValueError, "different axes"),
        ((0, 3), ValueError, "'kernel', which has 3"),
        ((0, (2, -1)), ValueError, "'kernel', which has 3"),
    ],
)
def test_axes_that_do_not_fit_are_refused(axes, error, message):
    weight = keras.Variable(np.zeros((2, 3, 4)), name="kernel")
    with pytest.raises(error, match=message):
        optimizers.SOAP(groups=[Group("kernel", axes=axes)]).build([weight])


def test_negative_axes_count_from_the_end():
    weight = keras.Variable(np.zeros((2, 3, 4)), name="kernel")
    optimizer = optimizers.SOAP(groups=[Group("kernel", axes=((0, -2), -1))])
    optimizer.build([weight])
    assert optimizer.plan.parameters[0].matrices == Matrices((2, 3, 4), (0, 1), (2,))


def test_an_attached_model_tells_its_axes_in_a_loop():
    model = transformer()
    optimizer = optimizers.Muon(matrices="layers")
    optimizer.attach(model)
    optimizer.build(model.trainable_variables)
    assert "out/kernel" in optimizer.describe()
    assert next(p for p in optimizer.plan.parameters if p.path == "out/kernel")
    head = {p.path: p.matrices for p in optimizer.plan.parameters}["out/kernel"]
    assert head is None
