"""What NorMuon, AdaMuon, SCION and SOAP-Muon promise besides their formulas."""

import keras
import numpy as np
import pytest

from keras_optlab import Group, optimizers
from keras_optlab.verify.problems import apply, values
from tests.support.problems import one_step

CONVERGES = {"ns_steps": 8, "coefficients": "polar_express"}


def draw(*shape):
    return np.random.default_rng(5).normal(size=shape)


def moved(optimizer, shape):
    """Return the first step of a weight at zero."""
    return one_step(optimizer, np.zeros(shape), draw(*shape))


def rms(x, axis=None):
    return np.sqrt(np.mean(np.square(x), axis=axis))


@pytest.mark.parametrize("name", ["normuon", "adamuon"])
@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_the_root_mean_square_of_an_update_is_the_rms_rate(name, shape):
    optimizer = optimizers.create(name, learning_rate=0.1, rms_rate=0.3)
    assert rms(moved(optimizer, shape)) == pytest.approx(0.03, rel=1e-5)


def test_normuon_moves_all_neurons_equally_far_at_first():
    far = rms(moved(optimizers.NorMuon(0.1), (9, 4)), axis=0)
    np.testing.assert_allclose(far, far[0], rtol=1e-5)
    uneven = rms(moved(optimizers.Muon(0.1), (9, 4)), axis=0)
    assert uneven.max() > 1.01 * uneven.min()


def test_adamuon_moves_all_weights_equally_far_at_first():
    far = np.abs(moved(optimizers.AdaMuon(0.1), (9, 4)))
    np.testing.assert_allclose(far, far[0, 0], rtol=1e-4)


def test_soapmuon_only_initializes_its_basis_at_first():
    ws = [keras.Variable(np.zeros((4, 9), "float32"))]
    optimizer = optimizers.SOAPMuon(0.1)
    apply(optimizer, [draw(4, 9)], ws)
    assert not values(ws)[0].any()
    apply(optimizer, [draw(4, 9)], ws)
    assert rms(values(ws)[0]) == pytest.approx(0.02, rel=1e-5)


BATCHES = "muon", "normuon", "adamuon", "soapmuon", "scion"


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("shape", [(3, 4, 9), (3, 9, 4)])
def test_matrices_of_a_batch_train_as_each_alone(name, shape):
    grads = [draw(*shape), draw(*shape)[::-1], 2 * draw(*shape)]
    together = [keras.Variable(np.zeros(shape, "float32"), name="kernel")]
    alone = [keras.Variable(np.zeros(shape[1:], "float32")) for _ in range(3)]
    groups = [Group("kernel", axes=(1, 2))]
    optimizer = optimizers.create(name, learning_rate=0.1, groups=groups)
    other = optimizers.create(name, learning_rate=0.1)
    for g in grads:
        apply(optimizer, [g], together)
        apply(other, list(g), alone)
    np.testing.assert_allclose(values(together)[0], values(alone), atol=1e-5)


def test_normuon_has_a_second_moment_for_each_neuron_of_each_head():
    layer, sizes = keras.layers.MultiHeadAttention(2, 3), []
    layer.build((None, 4, 8), (None, 4, 8))
    for per_head in False, True:
        optimizer = optimizers.NorMuon(per_head=per_head)
        optimizer.build(layer.trainable_variables)
        sizes += [tuple(optimizer.plan.parameters[0].slots["v_neurons"].shape)]
    assert sizes == [(6,), (2, 3)]


def test_scion_takes_a_step_of_the_same_length_in_each_norm():
    shapes = {"embedding": (7, 4), "hidden": (4, 9), "bias": (9,), "head": (9, 3)}
    ws = [keras.Variable(np.zeros(s, "float32"), name=k) for k, s in shapes.items()]
    head = Group("head", norm="sign", scale=5.0)
    optimizer = optimizers.SCION(0.1, scale=2.0, groups=[head], **CONVERGES)
    apply(optimizer, [draw(*w.shape) for w in ws], ws)
    embedding, hidden, bias, last = values(ws)
    np.testing.assert_allclose(rms(embedding, axis=1), 0.2, rtol=1e-5)
    singular = np.linalg.svd(hidden, compute_uv=False)
    np.testing.assert_allclose(singular, 0.2 * np.sqrt(9 / 4), rtol=1e-4)
    assert rms(bias) == pytest.approx(0.2, rel=1e-5)
    np.testing.assert_allclose(np.abs(last), 0.5 / 9, rtol=1e-5)


def test_scion_divides_by_the_positions_of_convolutions_alone():
    inputs = keras.Input((4, 4, 2))
    x = keras.layers.Conv2D(6, 3, name="convolution")(inputs)
    x = keras.layers.Reshape((4, 6))(x)
    x = x + keras.layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    model = keras.Model(inputs, keras.layers.Dense(5, name="last")(x))
    optimizer = optimizers.SCION(1.0, **CONVERGES)
    optimizer.attach(model)
    ws, before = model.trainable_variables, values(model.trainable_variables)
    apply(optimizer, [draw(*w.shape) for w in ws], ws)
    steps = {w.path: a - b for w, a, b in zip(ws, values(ws), before, strict=True)}
    for path, shape, length in (
        ("convolution/kernel", (18, 6), np.sqrt(6 / 2) / 9),
        ("attention/query/kernel", (6, 6), 1.0),
        ("attention/attention_output/kernel", (6, 6), 1.0),
    ):
        singular = np.linalg.svd(steps[path].reshape(shape), compute_uv=False)
        np.testing.assert_allclose(singular, length, rtol=1e-3)
    np.testing.assert_allclose(np.abs(steps["last/kernel"]), 1 / 6, rtol=1e-5)


def test_constrained_scion_keeps_weights_in_the_ball():
    w = keras.Variable(10 * draw(4, 9).astype("float32"), name="w")
    optimizer = optimizers.SCION(0.5, weight_decay=1.0, **CONVERGES)
    for _ in range(30):
        apply(optimizer, [draw(4, 9)], [w])
    largest = np.linalg.svd(values([w])[0], compute_uv=False).max()
    assert largest < 1.01 * np.sqrt(9 / 4)


def test_a_group_with_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="norm='frobenius'"):
        optimizers.SCION(groups=[Group("head", norm="frobenius")])
