"""Newton-Schulz iterations: presets, batches, and the form with Gram matrices."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from keras_optlab.core.newton_schulz import (
    COEFFICIENTS,
    check_coefficients,
    newton_schulz,
    per_iteration,
)
from keras_optlab.verify.oracle.muon import coefficients_of


def spectra():
    """Return wide matrices: random, of low rank, nearly singular, with a spike."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(8, 40))
    u, _, v = np.linalg.svd(noise, full_matrices=False)
    return {
        "random": noise,
        "rank 2": rng.normal(size=(8, 2)) @ rng.normal(size=(2, 40)),
        "nearly singular": (u * np.logspace(0, -6, 8)) @ v,
        "spike": noise + 1e3 * np.outer(rng.normal(size=8), rng.normal(size=40)),
        "zero": np.zeros((8, 40)),
        "empty": np.zeros((0, 40)),
    }


def iterate(x, name="jordan", steps=5, **how):
    x = ops.convert_to_tensor(x, keras.config.floatx())
    made = newton_schulz(x, per_iteration(name, steps), **how)
    return np.asarray(ops.convert_to_numpy(made), "float64")


@pytest.mark.parametrize("name", ["jordan", "polar_express"])
@pytest.mark.parametrize("steps", [1, 5, 10])
def test_the_gram_form_equals_the_plain_form(float64, name, steps):
    for kind, x in spectra().items():
        for matrix in x, x.T:
            plain = iterate(matrix, name, steps)
            made = iterate(matrix, name, steps, gram=True)
            np.testing.assert_allclose(made, plain, atol=1e-7, err_msg=kind)


@pytest.mark.parametrize("name", ["jordan", "polar_express"])
def test_the_gram_form_is_as_accurate_in_float32(name, request):
    both = {}
    for how in False, True:
        both[how] = {k: iterate(x, name, gram=how) for k, x in spectra().items()}
    request.getfixturevalue("float64")
    for kind, x in spectra().items():
        exact = iterate(x, name)
        errors = {how: np.abs(both[how][kind] - exact).max(initial=0) for how in both}
        assert errors[True] <= 4 * errors[False] + 1e-5, kind


def test_half_precision_takes_the_plain_form():
    x = ops.convert_to_tensor(spectra()["rank 2"], "bfloat16")
    ends = [newton_schulz(x, per_iteration("jordan", 5), gram) for gram in (0, 1)]
    a, b = (ops.convert_to_numpy(ops.cast(x, "float32")) for x in ends)
    np.testing.assert_array_equal(a, b)


def test_matrices_of_a_batch_are_orthogonalized_one_by_one(float64):
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 12))
    for gram in False, True:
        together = iterate(x, gram=gram)
        for i in np.ndindex(2, 3):
            np.testing.assert_allclose(
                together[i], iterate(x[i], gram=gram), atol=1e-12
            )


def test_polar_express_converges_and_the_others_come_near(float64):
    x = spectra()["random"]
    singular = {
        name: np.linalg.svd(iterate(x, name, steps), compute_uv=False)
        for name, steps in {"jordan": 5, "quintic": 5, "polar_express": 8}.items()
    }
    assert np.abs(singular["polar_express"] - 1).max() < 1e-6
    assert np.abs(singular["jordan"] - 1).max() < 0.35
    assert np.abs(singular["quintic"] - 1).max() < 0.35


def test_the_table_of_polar_express_is_the_papers():
    ours = per_iteration("polar_express", 10)
    np.testing.assert_allclose(ours, coefficients_of("polar_express", 10))
    assert ours[7] == ours[9] == (1.875, -1.25, 0.375)
    # the numbers that NVIDIA's Emerging-Optimizers gives, with the safety factor once
    np.testing.assert_allclose(
        np.multiply(ours[0], [1.01, 1.01**3, 1.01**5]),
        (8.2051, -22.9019, 16.4607),
        rtol=1e-5,
    )
    np.testing.assert_allclose(ours[1], (4.0664, -2.8612, 0.5184), atol=5e-5)


def test_a_sequence_repeats_its_last_triple():
    assert per_iteration([(1, 2, 3), (4, 5, 6)], 3) == [(1, 2, 3), (4, 5, 6), (4, 5, 6)]
    assert per_iteration("jordan", 2) == 2 * list(COEFFICIENTS["jordan"])


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("keller", ValueError),
        ((3.4, -4.7, 2.0), TypeError),
        ([], TypeError),
        ([(1.0, 2.0)], TypeError),
        ([(1.0, 2.0, np.nan)], TypeError),
        (3.4, TypeError),
        (None, TypeError),
    ],
)
def test_wrong_coefficients_are_refused(wrong, error):
    with pytest.raises(error, match="Received: coefficients="):
        check_coefficients(wrong)
    with pytest.raises(error, match="Received: coefficients="):
        optimizers.Muon(coefficients=wrong)


@pytest.mark.parametrize(
    "triple", [(9.0, -4.775, 2.0315), (3.4445, -4.775, 9.0), (0.1, -0.1, 0.0)]
)
def test_coefficients_that_do_not_orthogonalize_are_refused(triple):
    names = dict(zip(("muon_a", "muon_b", "muon_c"), triple, strict=True))
    kernel = keras.Variable(np.eye(4, dtype="float32"), name="kernel")
    with pytest.raises(ValueError, match=f"Received: muon_a={triple[0]}"):
        optimizers.Muon(**names).build([kernel])
    with pytest.raises(ValueError, match="Received: coefficients="):
        check_coefficients([triple])


@pytest.mark.parametrize("triple", [(1.5, -0.5, 0.0), *COEFFICIENTS["quintic"]])
def test_coefficients_that_converge_are_taken(triple):
    assert check_coefficients([triple]) == (triple,)


def test_coefficients_survive_a_config():
    for given in "polar_express", [(1.5, -0.5, 0.0)]:
        made = optimizers.Muon(coefficients=given)
        again = optimizers.Muon.from_config(made.get_config())
        assert again.coefficients == made.coefficients
