"""What NorMuon, AdaMuon, SCION and SOAP-Muon promise besides their formulas."""

import keras
import numpy as np
import pytest

from keras_optlab import Group, optimizers
from keras_optlab.verify.problems import apply, values
from tests.support.problems import one_step


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


def embedding_and_layers():
    shapes = {"embedding": (7, 4), "hidden": (4, 9), "bias": (9,), "head": (9, 3)}
    return [keras.Variable(np.zeros(s, "float32"), name=k) for k, s in shapes.items()]


def test_scion_takes_a_step_of_the_same_length_in_each_norm():
    ws = embedding_and_layers()
    head = Group("head", norm="sign", scale=5.0)
    optimizer = optimizers.SCION(
        0.1, scale=2.0, ns_steps=8, coefficients="polar_express", groups=[head]
    )
    apply(optimizer, [draw(*w.shape) for w in ws], ws)
    embedding, hidden, bias, last = values(ws)
    np.testing.assert_allclose(rms(embedding, axis=1), 0.2, rtol=1e-5)
    singular = np.linalg.svd(hidden, compute_uv=False)
    np.testing.assert_allclose(singular, 0.2 * np.sqrt(9 / 4), rtol=1e-4)
    assert rms(bias) == pytest.approx(0.2, rel=1e-5)
    np.testing.assert_allclose(np.abs(last), 0.5 / 9, rtol=1e-5)


def test_constrained_scion_keeps_weights_in_the_ball():
    w = keras.Variable(10 * draw(4, 9).astype("float32"), name="w")
    optimizer = optimizers.SCION(
        0.5, weight_decay=1.0, coefficients="polar_express", ns_steps=8
    )
    for _ in range(30):
        apply(optimizer, [draw(4, 9)], [w])
    largest = np.linalg.svd(values([w])[0], compute_uv=False).max()
    assert largest < 1.01 * np.sqrt(9 / 4)


def test_a_group_with_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="norm='frobenius'"):
        optimizers.SCION(groups=[Group("head", norm="frobenius")])
