"""Every penalty against NumPy, its gradient, and changing factors."""

import json
import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers, regularizers, schedules
from keras_optlab.engine.hyperparameters.variables import HyperparameterVariables
from keras_optlab.regularizers import L1, L1L2, L2, GroupLasso, Orthogonal, SpectralNorm
from keras_optlab.verify.oracle import regularizers as oracle

BACKEND = keras.backend.backend()
MANY = 50  # power iterations, after which a singular value is exact up to rounding

EXAMPLES = [
    (L1(0.3), oracle.l1),
    (L2(0.3), oracle.l2),
    (L1L2(l1=0.3), oracle.l1_l2),
    (L1L2(l1=0.3, l2=0.7), oracle.l1_l2),
    (GroupLasso(0.3), oracle.group_lasso),
    (GroupLasso(0.3, groups="out"), oracle.group_lasso),
    (Orthogonal(0.3), oracle.orthogonal),
    (Orthogonal(0.3, mode="rows"), oracle.orthogonal),
    (SpectralNorm(0.3, iterations=MANY), oracle.spectral_norm),
]
IDS = [repr(regularizer) for regularizer, _ in EXAMPLES]
SHAPES = [(), (0, 3), (3, 0), (5,), (4, 3), (3, 4), (2, 3, 2, 2)]


def random(shape, dtype="float32"):
    return np.asarray(np.random.default_rng(0).standard_normal(shape), dtype)


def gradient(function, x):
    """Return the gradient of a scalar function of one tensor, as an array."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x).numpy()
    if BACKEND == "jax":
        import jax

        return np.asarray(jax.grad(function)(ops.convert_to_tensor(x)))
    x = ops.convert_to_tensor(x).requires_grad_()
    function(x).backward()
    return ops.convert_to_numpy(x.grad)


def test_every_regularizer_has_an_example():
    names = {type(regularizer).__name__ for regularizer, _ in EXAMPLES}
    assert names == set(regularizers.__all__) - {"regularize", "Factor", "Penalty"}


def cases(shapes):
    """Return every example with every shape that it is for."""
    rows = [(*example, shape) for example in EXAMPLES for shape in shapes]
    rows = [r for r in rows if not (isinstance(r[0], Orthogonal) and len(r[2]) < 2)]
    return pytest.mark.parametrize(
        ("regularizer", "expected", "shape"), rows, ids=[f"{r[0]}-{r[2]}" for r in rows]
    )


@cases(SHAPES)
def test_values(regularizer, expected, shape, float64):
    w = random(shape, "float64")
    value = expected(w, **regularizer.get_config())
    for dtype, tolerance in [("float64", 1e-12), ("float32", 2e-6), ("float16", 4e-3)]:
        penalty = regularizer(ops.convert_to_tensor(w, dtype))
        assert keras.backend.standardize_dtype(penalty.dtype) == dtype
        assert penalty.shape == ()
        assert float(penalty) == pytest.approx(value, rel=tolerance)


@cases([(5,), (4, 3), (2, 3, 2, 2)])
def test_gradients(regularizer, expected, shape, float64):
    w, config, h = random(shape, "float64"), regularizer.get_config(), 1e-5
    differences = np.zeros(shape)
    for i in np.ndindex(*shape):
        e = np.zeros(shape)
        e[i] = h
        differences[i] = (expected(w + e, **config) - expected(w - e, **config)) / 2 / h
    np.testing.assert_allclose(gradient(regularizer, w), differences, rtol=1e-6)


@pytest.mark.parametrize(
    ("regularizer", "w", "expected"),
    [
        (L1(0.5), [[1.0, -2.0, 3.0]], 3.0),  # 0.5 * (1 + 2 + 3)
        (L2(0.5), [[1.0, -2.0, 3.0]], 7.0),  # 0.5 * (1 + 4 + 9)
        (L1L2(l1=0.5, l2=0.5), [[1.0, -2.0, 3.0]], 10.0),
        (L1L2(), [[1.0, -2.0, math.inf]], 0.0),
        (GroupLasso(0.5), [[3.0, 0, 4, 0], [0, 0, 2, 0]], 7.0),  # 0.5 * 2 * (5 + 2)
        (GroupLasso(0.5, "out"), [[3.0, 1], [4, 0], [0, 0], [0, 0]], 6.0),
        (GroupLasso(0.5), [3.0, -4.0], 3.5),
        (Orthogonal(0.5), [[0.0, 1.0], [-1.0, 0.0]], 0.0),
        (Orthogonal(0.5), [[2.0, 0.0], [0.0, 2.0]], 9.0),  # 0.5 * (3 * 3 + 3 * 3)
        (Orthogonal(0.5), [[1.0, 0.0, 0.0]], 1.0),
        (Orthogonal(0.5, "rows"), [[1.0, 0.0, 0.0]], 0.0),
        (SpectralNorm(0.5), [[0.0, 4.0], [0.0, 0.0]], 8.0),
        (SpectralNorm(0.5), [3.0, 4.0], 12.5),
        (SpectralNorm(0.5), [[0.0, 0.0]], 0.0),
    ],
    ids=str,
)
def test_values_worked_by_hand(regularizer, w, expected):
    x = ops.convert_to_tensor(np.array(w, "float32"))
    assert float(regularizer(x)) == pytest.approx(expected, rel=1e-6)
    variable = keras.Variable(x, trainable=False)
    assert float(regularizer(variable)) == pytest.approx(expected, rel=1e-6)


PAIRS = [
    (L1(), keras.regularizers.L1()),
    (L1(0.3), keras.regularizers.L1(0.3)),
    (L2(), keras.regularizers.L2()),
    (L2(0.3), keras.regularizers.L2(0.3)),
    (L1L2(), keras.regularizers.L1L2()),
    (L1L2(l1=0.3), keras.regularizers.L1L2(l1=0.3)),
    (L1L2(l1=0.3, l2=0.7), keras.regularizers.L1L2(l1=0.3, l2=0.7)),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=[repr(p[0]) for p in PAIRS])
def test_equals_keras(ours, theirs, shape):
    x = ops.convert_to_tensor(random(shape))
    assert float(ours(x)) == pytest.approx(float(theirs(x)), rel=1e-6)
    assert ours.get_config() == pytest.approx(theirs.get_config())


def test_the_gradient_is_zero_at_a_group_of_zeros():
    w = np.array([[3.0, 4.0], [0.0, 0.0]], "float32")
    expected = math.sqrt(2) * np.array([[0.6, 0.8], [0.0, 0.0]])
    np.testing.assert_allclose(gradient(GroupLasso(1.0), w), expected, rtol=1e-6)


@pytest.mark.parametrize("regularizer", [GroupLasso(), SpectralNorm(), L2()], ids=repr)
def test_the_gradient_at_zero_is_zero(regularizer):
    assert not gradient(regularizer, np.zeros((3, 2), "float32")).any()


def test_few_power_iterations_come_close_from_below():
    w = random((128, 96))
    exact = oracle.largest_singular_value(w)
    estimates = [
        math.sqrt(SpectralNorm(1.0, iterations=n)(ops.convert_to_tensor(w)))
        for n in (1, 10, 100)
    ]
    assert estimates == sorted(estimates)
    assert 0.95 * exact < estimates[1] < exact
    assert 0.999 * exact < estimates[2] < exact * (1 + 1e-5)


def test_orthogonal_wants_two_axes():
    with pytest.raises(
        ValueError, match=r"two or more axes.* Received: a weight .*\(3,\)"
    ):
        Orthogonal()(ops.ones((3,)))


def test_bfloat16():
    w = ops.cast(ops.convert_to_tensor([[3.0, 4.0], [0.0, 0.0]]), "bfloat16")
    for regularizer, _ in EXAMPLES:
        penalty = regularizer(w)
        assert keras.backend.standardize_dtype(penalty.dtype) == "bfloat16"
        value = float(ops.cast(penalty, "float32"))
        wide = float(regularizer(ops.cast(w, "float32")))
        assert value == pytest.approx(wide, rel=0.02)


def test_a_layer_adds_the_penalty_to_the_loss():
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(
                1,
                kernel_initializer="ones",
                kernel_regularizer=L2(0.25),
                bias_initializer="ones",
                bias_regularizer=L1(0.125),
            ),
        ]
    )
    model.compile("sgd", loss=lambda y, p: 0.0 * ops.mean(p))
    history = model.fit(np.ones((1, 2)), np.ones((1, 1)), verbose=0)
    assert history.history["loss"] == [0.25 * 2 + 0.125]
    # One step of plain gradient descent: 1 - 0.01 * 2 * 0.25 and 1 - 0.01 * 0.125.
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel, [[0.995], [0.995]], rtol=1e-6)
    np.testing.assert_allclose(bias, [0.99875], rtol=1e-6)


@pytest.mark.parametrize("package", [keras.optimizers, optimizers])
def test_all_of_them_in_fit(package):
    penalties = [L2(0.3), GroupLasso(0.3), Orthogonal(0.3), SpectralNorm(0.3)]
    model = keras.Sequential([keras.Input((4,))])
    for penalty in penalties:
        model.add(keras.layers.Dense(4, kernel_regularizer=penalty, use_bias=False))
    before = model.get_weights()
    model.compile(package.SGD(0.1), loss=lambda y, p: 0.0 * ops.mean(p))
    history = model.fit(np.ones((1, 4)), np.ones((1, 4)), verbose=0)
    for penalty, old, new in zip(penalties, before, model.get_weights(), strict=True):
        wanted = old - 0.1 * gradient(penalty, old)
        np.testing.assert_allclose(new, wanted, rtol=1e-5, atol=1e-6)
    total = sum(float(p(ops.array(w))) for p, w in zip(penalties, before, strict=True))
    assert history.history["loss"][0] == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("regularizer", [x for x, _ in EXAMPLES], ids=IDS)
def test_serialization(regularizer, tmp_path):
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(regularizer)))
    assert (
        saved["registered_name"]
        == f"keras_optlab.regularizers>{type(regularizer).__name__}"
    )
    assert repr(keras.saving.deserialize_keras_object(saved)) == repr(regularizer)
    assert repr(keras.regularizers.get(saved)) == repr(regularizer)

    dense = keras.layers.Dense(1, kernel_regularizer=regularizer)
    keras.Sequential([keras.Input((2,)), dense]).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert repr(loaded.layers[0].kernel_regularizer) == repr(regularizer)


# Changing a factor


def live(regularizer):
    """Return a regularizer with its factors in variables, as a callback sets it up."""
    regularizer = type(regularizer)(**regularizer.get_config())

    def add_variable(name, value):
        return keras.Variable(value, trainable=False, dtype="float32", name=name)

    regularizer.scalars = HyperparameterVariables(
        type(regularizer), regularizer._values, add_variable
    )
    return regularizer


def compiled(function):
    """Return a compiled function, and a list that grows whenever it is traced."""
    traces = []

    def traced(x):
        traces.append(1)
        return function(x)

    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(traced, autograph=False), traces
    return traced, traces


@pytest.mark.parametrize("regularizer", [x for x, _ in EXAMPLES], ids=IDS)
def test_a_factor_moves_without_a_new_trace(regularizer):
    moving = live(regularizer)
    name = next(k for k, f in type(moving).fields.items() if f.adjustable)
    penalty, traces = compiled(moving)
    w = ops.convert_to_tensor(random((4, 3)))
    factors = [getattr(regularizer, name), 0.0, 1.5]
    values = []
    for factor in factors:
        setattr(moving, name, factor)
        assert moving.get_config() == regularizer.get_config() | {name: factor}
        values.append(float(penalty(w)))
    expected = [
        float(type(regularizer)(**(regularizer.get_config() | {name: factor}))(w))
        for factor in factors
    ]
    assert values == pytest.approx(expected, rel=1e-6)
    assert expected[1] != expected[0] != expected[2]
    if BACKEND == "tensorflow":
        assert len(traces) == 1


def test_a_factor_of_zero_may_grow():
    moving = live(L1L2())
    penalty, _ = compiled(moving)
    w = ops.convert_to_tensor(np.array([1.0, -2.0], "float32"))
    assert float(penalty(w)) == 0.0
    moving.l2 = 0.5
    assert float(penalty(w)) == 2.5


def test_a_live_factor_takes_the_dtype_of_the_weight():
    for dtype in ("float16", "bfloat16", "float32"):
        penalty = live(GroupLasso())(ops.ones((2, 2), dtype))
        assert keras.backend.standardize_dtype(penalty.dtype) == dtype


def test_a_factor_that_nothing_moves_is_fixed():
    with pytest.raises(AttributeError, match="fixed unless .* Received: l2=0.1"):
        L2(0.2).l2 = 0.1


@pytest.mark.parametrize("cls", [L1, L2, L1L2, GroupLasso, Orthogonal, SpectralNorm])
def test_a_schedule_is_not_a_factor(cls):
    name = next(iter(cls.fields))
    with pytest.raises(TypeError, match=f"Received: {name}=.*Cosine") as error:
        cls(schedules.Cosine(0.1, 10))
    advice = f"callbacks.HyperparameterScheduler('{name}', schedule, of=regularizer)"
    assert advice in str(error.value)


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: L1(-0.1), "l1=-0.1"),
        (lambda: L2(math.nan), "l2=nan"),
        (lambda: L2(math.inf), "l2=inf"),
        (lambda: L1L2(0.1, -1), "l2=-1"),
        (lambda: L1L2("0.1"), "l1='0.1'"),
        (lambda: L2(None), "l2=None"),
        (lambda: L1(True), "l1=True"),
        (lambda: GroupLasso(-1), "factor=-1"),
        (lambda: GroupLasso(groups="rows"), "groups='rows'"),
        (lambda: Orthogonal(mode="in"), "mode='in'"),
        (lambda: SpectralNorm(iterations=0), "iterations=0"),
        (lambda: SpectralNorm(iterations=1.5), "iterations=1.5"),
    ],
)
def test_bad_input_says_what_it_received(make, received):
    with pytest.raises((TypeError, ValueError), match="must be .* Received: ") as error:
        make()
    assert f"Received: {received}" in str(error.value)


def test_l1_has_no_l2_argument():
    with pytest.raises(TypeError, match="Received: l2=0.1"):
        L1(l2=0.1)
