"""Every constraint against NumPy, alone and inside of a compiled step."""

import json
import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import constraints, optimizers
from keras_optlab.constraints import (
    ClipValue,
    MaxNorm,
    MinMaxNorm,
    NonNegative,
    Simplex,
    SpectralNorm,
    UnitNorm,
)
from keras_optlab.constraints.clip_value import clip_value
from keras_optlab.constraints.max_norm import max_norm
from keras_optlab.constraints.min_max_norm import min_max_norm
from keras_optlab.constraints.spectral_norm import spectral_norm
from keras_optlab.verify.oracle import constraints as oracle
from tests.support.problems import compiled_model

EXAMPLES = [
    (ClipValue(-0.5, 0.25), oracle.clip_value),
    (MaxNorm(0.8), oracle.max_norm),
    (MaxNorm(0.8, axis=None), oracle.max_norm),
    (MinMaxNorm(1.2, 1.4), oracle.min_max_norm),
    (MinMaxNorm(1.2, 1.4, rate=0.3), oracle.min_max_norm),
    (NonNegative(), oracle.non_negative),
    (Simplex(), oracle.simplex),
    (SpectralNorm(0.7, iterations=50), oracle.spectral_norm),
    (UnitNorm(), oracle.unit_norm),
]
IDS = [repr(constraint) for constraint, _ in EXAMPLES]
SHAPES = [(), (0, 3), (3, 0), (5,), (4, 3), (3, 4), (2, 3, 2, 2)]


def random(shape, dtype="float32"):
    return np.asarray(np.random.default_rng(0).standard_normal(shape), dtype)


def array(x):
    """Return a tensor as a float64 array."""
    return np.asarray(ops.convert_to_numpy(ops.cast(x, "float32")), "float64")


def test_every_constraint_has_an_example():
    names = {type(constraint).__name__ for constraint, _ in EXAMPLES}
    assert names == set(constraints.__all__) - {"constrain"}


ROWS = [(*example, shape) for example in EXAMPLES for shape in SHAPES]
ROWS = [r for r in ROWS if not (isinstance(r[0], Simplex) and r[2] == ())]


@pytest.mark.parametrize(
    ("constraint", "expected", "shape"), ROWS, ids=[f"{r[0]}-{r[2]}" for r in ROWS]
)
def test_values(constraint, expected, shape, float64):
    w = random(shape, "float64")
    value = expected(w, **constraint.get_config())
    for dtype, tolerance in [("float64", 1e-12), ("float32", 2e-6), ("float16", 2e-3)]:
        new = constraint(ops.convert_to_tensor(w, dtype))
        assert keras.backend.standardize_dtype(new.dtype) == dtype
        assert tuple(new.shape) == shape
        np.testing.assert_allclose(
            ops.convert_to_numpy(new), value, rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("axis", [0, -1, 2, [0, 1, 2], [0, 1], None], ids=str)
def test_axes(axis, float64):
    w = random((2, 3, 2, 2), "float64")
    pairs = [
        (MaxNorm(0.8, axis), oracle.max_norm),
        (MinMaxNorm(0.5, 0.8, 0.5, axis), oracle.min_max_norm),
        (UnitNorm(axis), oracle.unit_norm),
    ]
    if isinstance(axis, int):
        pairs.append((Simplex(axis), oracle.simplex))
    for constraint, expected in pairs:
        new = ops.convert_to_numpy(constraint(ops.convert_to_tensor(w)))
        wanted = expected(w, **constraint.get_config())
        np.testing.assert_allclose(new, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("constraint", "w", "expected"),
    [
        (ClipValue(-0.5, 2.0), [-1.0, 1.0, 3.0], [-0.5, 1.0, 2.0]),
        (ClipValue(0.5, 0.5), [-1.0, 1.0], [0.5, 0.5]),
        (MaxNorm(1.0), [[3.0, 0.3], [4.0, 0.4]], [[0.6, 0.3], [0.8, 0.4]]),
        (MaxNorm(1.0, axis=1), [[3.0, 4.0], [0.3, 0.4]], [[0.6, 0.8], [0.3, 0.4]]),
        (MaxNorm(1.0), [3.0, 4.0], [0.6, 0.8]),
        (MaxNorm(1.0), -3.0, -1.0),
        (MinMaxNorm(1.0, 2.0), [[3.0, 0.3], [4.0, 0.4]], [[1.2, 0.6], [1.6, 0.8]]),
        (
            MinMaxNorm(1.0, 2.0, 0.5),
            [[3.0, 0.3], [4.0, 0.4]],
            [[2.1, 0.45], [2.8, 0.6]],
        ),
        (MinMaxNorm(1.0, 2.0), [0.0, 0.0], [0.0, 0.0]),
        (UnitNorm(), [[3.0, 0.0], [4.0, 0.0]], [[0.6, 0.0], [0.8, 0.0]]),
        (NonNegative(), [-1.0, 0.0, 2.0], [0.0, 0.0, 2.0]),
        (SpectralNorm(1.0), [[4.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 0.5]]),
        (SpectralNorm(5.0), [[4.0, 0.0], [0.0, 2.0]], [[4.0, 0.0], [0.0, 2.0]]),
        (SpectralNorm(1.0), [3.0, 4.0], [0.6, 0.8]),
        (SpectralNorm(1.0), [[0.0, 0.0]], [[0.0, 0.0]]),
        (Simplex(), [0.75, 0.5, -1.0], [0.625, 0.375, 0.0]),
        (Simplex(), [5.0, -5.0, 1.0], [1.0, 0.0, 0.0]),
        (Simplex(), [-7.0], [1.0]),
        (Simplex(), [2.0, 2.0, 2.0, 2.0], [0.25, 0.25, 0.25, 0.25]),
        (Simplex(), [1e9, 1e9, 0.0], [0.5, 0.5, 0.0]),
        (Simplex(1), [[0.0, 0.0], [3.0, 1.0]], [[0.5, 0.5], [1.0, 0.0]]),
    ],
    ids=str,
)
def test_values_worked_by_hand(constraint, w, expected):
    x = ops.convert_to_tensor(np.array(w, "float32"))
    for weight in (x, keras.Variable(x)):
        np.testing.assert_allclose(array(constraint(weight)), expected, rtol=3e-6)


PAIRS = [
    (MaxNorm, keras.constraints.MaxNorm, {}),
    (MaxNorm, keras.constraints.MaxNorm, {"max_value": 0.8, "axis": 1}),
    (MinMaxNorm, keras.constraints.MinMaxNorm, {}),
    (MinMaxNorm, keras.constraints.MinMaxNorm, {"min_value": 0.9, "rate": 0.3}),
    (UnitNorm, keras.constraints.UnitNorm, {}),
    (UnitNorm, keras.constraints.UnitNorm, {"axis": [0, 1]}),
    (NonNegative, keras.constraints.NonNeg, {}),
]


@pytest.mark.parametrize(("ours", "theirs", "arguments"), PAIRS, ids=str)
def test_equals_keras(ours, theirs, arguments):
    assert ours().get_config() == pytest.approx(theirs().get_config())
    for shape in [(4, 3), (2, 3, 2, 2)]:
        w = ops.convert_to_tensor(random(shape))
        np.testing.assert_allclose(
            array(ours(**arguments)(w)), array(theirs(**arguments)(w)), rtol=1e-6
        )


@pytest.mark.parametrize(
    "constraint", [c for c, _ in EXAMPLES if "rate" not in repr(c)], ids=repr
)
def test_what_obeys_stays(constraint):
    for shape in [(5,), (4, 3), (2, 3, 2, 2)]:
        once = constraint(ops.convert_to_tensor(random(shape)))
        np.testing.assert_allclose(
            array(constraint(once)), array(once), rtol=1e-6, atol=1e-6
        )


def test_the_projections_obey():
    w = ops.convert_to_tensor(10 * random((40, 30)))
    assert np.linalg.norm(array(MaxNorm(2.0)(w)), axis=0).max() <= 2 * (1 + 1e-6)
    assert abs(array(ClipValue(-0.1, 0.2)(w)).max() - 0.2) < 1e-7
    on_simplex = array(Simplex()(w))
    np.testing.assert_allclose(on_simplex.sum(axis=0), np.ones(30), rtol=1e-6)
    assert on_simplex.min() == 0
    largest = np.linalg.svd(array(SpectralNorm(3.0)(w)), compute_uv=False)[0]
    assert 3 * (1 - 1e-6) <= largest <= 3 * 1.05  # 10 power iterations are not exact


def test_bfloat16():
    w = ops.cast(ops.convert_to_tensor(random((4, 3))), "bfloat16")
    for constraint, _ in EXAMPLES:
        new = constraint(w)
        assert keras.backend.standardize_dtype(new.dtype) == "bfloat16"
        wide = constraint(ops.cast(w, "float32"))
        np.testing.assert_allclose(array(new), array(wide), rtol=0.01, atol=1e-3)


def test_a_small_norm_in_float16_is_no_reason_for_nan():
    for w in (np.zeros((3, 2), "float16"), np.full((3, 2), 1e-4, "float16")):
        for constraint in (MinMaxNorm(0.5, 1.0), UnitNorm(), SpectralNorm(0.5)):
            assert np.isfinite(array(constraint(ops.convert_to_tensor(w)))).all()


@pytest.mark.parametrize(
    ("function", "thresholds"),
    [
        (clip_value, (-0.5, 0.25)),
        (max_norm, (0.8,)),
        (min_max_norm, (1.2, 1.4, 0.3)),
        (spectral_norm, (0.7,)),
    ],
)
def test_thresholds_may_be_tensors(function, thresholds, float64):
    for dtype in ("float16", "float32", "float64"):
        w = ops.convert_to_tensor(random((4, 3)), dtype)
        tensors = [ops.convert_to_tensor(t, "float32") for t in thresholds]
        new = function(w, *tensors)
        assert keras.backend.standardize_dtype(new.dtype) == dtype
        wanted = array(function(w, *thresholds))
        np.testing.assert_allclose(array(new), wanted, rtol=1e-6)


LAYERS = [
    ClipValue(-0.5, 0.25),
    MaxNorm(0.8),
    MinMaxNorm(1.2, 1.4, rate=0.3),
    NonNegative(),
    Simplex(),
    SpectralNorm(0.7, iterations=3),
    UnitNorm(),
]


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize(
    "optimizer",
    [lambda: keras.optimizers.Adam(0.1), lambda: optimizers.SGD(0.1, momentum=0.9)],
    ids=["of Keras", "ours"],
)
def test_all_of_them_in_fit(optimizer):
    x, y = random((8, 4)), random((8, 4))

    def after_a_step(constraints):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((4,))])
        for c in constraints:
            dense = keras.layers.Dense(4, kernel_constraint=c, use_bias=False)
            model.add(dense)
        compiled_model(model, optimizer()).fit(x, y, verbose=0)
        return model.get_weights()

    free, obeying = after_a_step([None] * len(LAYERS)), after_a_step(LAYERS)
    for constraint, w, new in zip(LAYERS, free, obeying, strict=True):
        wanted = array(constraint(ops.convert_to_tensor(w)))
        np.testing.assert_allclose(new, wanted, rtol=1e-4, atol=1e-5)
        assert not np.allclose(new, w, atol=1e-3)


@pytest.mark.parametrize("constraint", [x for x, _ in EXAMPLES], ids=IDS)
def test_serialization(constraint, tmp_path):
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(constraint)))
    name = type(constraint).__name__
    assert saved["registered_name"] == f"keras_optlab.constraints>{name}"
    for again in (
        keras.saving.deserialize_keras_object(saved),
        keras.constraints.get(saved),
    ):
        assert type(again) is type(constraint)
        assert repr(again) == repr(constraint)

    dense = keras.layers.Dense(1, kernel_constraint=constraint)
    keras.Sequential([keras.Input((2,)), dense]).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert repr(loaded.layers[0].kernel_constraint) == repr(constraint)


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: ClipValue(1.0, -1.0), "low=1.0, high=-1.0"),
        (lambda: ClipValue(-math.inf, 0), "low=-inf"),
        (lambda: ClipValue(0, "1"), "high='1'"),
        (lambda: MaxNorm(0), "max_value=0"),
        (lambda: MaxNorm(math.nan), "max_value=nan"),
        (lambda: MaxNorm(axis=1.5), "axis=1.5"),
        (lambda: MaxNorm(axis=True), "axis=True"),
        (lambda: UnitNorm(axis=[0, "1"]), "axis=[0, '1']"),
        (lambda: UnitNorm(axis=[]), "axis=[]"),
        (lambda: MinMaxNorm(-1), "min_value=-1"),
        (lambda: MinMaxNorm(2.0, 1.0), "min_value=2.0, max_value=1.0"),
        (lambda: MinMaxNorm(rate=1.5), "rate=1.5"),
        (lambda: SpectralNorm(0), "max_value=0"),
        (lambda: SpectralNorm(iterations=0), "iterations=0"),
        (lambda: Simplex(0.5), "axis=0.5"),
        (lambda: Simplex([0, 1]), "axis=[0, 1]"),
    ],
)
def test_bad_input_says_what_it_received(make, received):
    with pytest.raises((TypeError, ValueError), match="Received: ") as error:
        make()
    assert f"Received: {received}" in str(error.value)


@pytest.mark.parametrize(
    ("constraint", "shape"),
    [(MaxNorm(axis=2), (4, 3)), (UnitNorm([0, -3]), (4, 3)), (Simplex(), ())],
    ids=str,
)
def test_a_weight_without_the_axis_is_refused(constraint, shape):
    with pytest.raises(ValueError, match="axis .* Received: axis=") as error:
        constraint(ops.ones(shape))
    assert str(shape) in str(error.value)


def test_a_threshold_is_fixed():
    with pytest.raises(AttributeError, match="fixed unless .* Received: max_value=3"):
        MaxNorm(2.0).max_value = 3.0
