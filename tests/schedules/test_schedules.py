"""Schedules: values on every backend, in compiled steps, and serialization."""

import copy
import json
import math

import keras
import numpy as np
import pytest
from keras.optimizers import schedules as keras_schedules

from keras_optlab import optimizers, transforms
from keras_optlab.schedules import (
    BetaWarmup,
    Constant,
    Cosine,
    CosineRestarts,
    Cyclical,
    Exponential,
    InverseSqrt,
    InverseTime,
    Join,
    Linear,
    OneCycle,
    Piecewise,
    Polynomial,
    PowerCool,
    Rex,
    Scaled,
    Warmup,
    WarmupStableDecay,
)
from keras_optlab.verify import oracle
from keras_optlab.verify.problems import distance, gradients, trajectory, weights
from tests.conftest import BACKEND
from tests.support.schedule_examples import CLASSES, EXAMPLES, named


@pytest.fixture(params=EXAMPLES, ids=named)
def schedule(request):
    return request.param


def counter(step):
    """Return an int32 variable, as an optimizer counts its updates with."""
    return keras.Variable(step, dtype="int32", trainable=False)


def compiled(schedule):
    """Return a function from an int step to the float that a compiled step computes."""
    if BACKEND == "jax":
        import jax

        call = jax.jit(schedule)
        return lambda step: float(call(step))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        call = tf.function(schedule.__call__, jit_compile=True)
        return lambda step: float(call(tf.constant(step)))
    return lambda step: float(schedule(keras.ops.convert_to_tensor(step)))


def test_every_class_has_an_example():
    assert {type(schedule) for schedule in EXAMPLES} == set(CLASSES)


# --------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (BetaWarmup(0.5, 2, final=0.5**0.2), {0: 0.5, 1: 0.5 ** (1 / 3), 2: 0.5**0.2}),
        (Constant(0.3), {0: 0.3, 7: 0.3}),
        (Cosine(0.1, 4), {0: 0.1, 1: 0.05 * (1 + math.sqrt(0.5)), 2: 0.05, 4: 0.0}),
        (Cosine(0.1, 4, final=0.02), {0: 0.1, 2: 0.06, 4: 0.02, 1000: 0.02}),
        (Cosine(0.0, 2, final=0.4), {0: 0.0, 1: 0.2, 2: 0.4}),
        (CosineRestarts(0.4, 2), {0: 0.4, 1: 0.2, 2: 0.4, 4: 0.2, 6: 0.4, 10: 0.2}),
        (
            CosineRestarts(0.4, 2, t_mul=1, m_mul=0.5, final=0.2),
            {0: 0.4, 1: 0.3, 2: 0.3, 3: 0.25, 4: 0.25, 5: 0.225, 6: 0.225},
        ),
        (
            CosineRestarts(0.4, 4, t_mul=3, m_mul=0.5),
            {2: 0.2, 4: 0.2, 10: 0.1, 16: 0.1, 34: 0.05, 52: 0.05},
        ),
        (CosineRestarts(1.0, 2, t_mul=1.5), {0: 1.0, 2: 1.0, 5: 1.0, 14: 0.25}),
        (Cyclical(0.1, 0.5, 4), {0: 0.1, 1: 0.3, 2: 0.5, 3: 0.3, 4: 0.1, 4002: 0.5}),
        (Cyclical(0.9, 0.8, 2), {0: 0.9, 1: 0.8, 2: 0.9}),
        (Cyclical(0.0, 1.0, 3), {0: 0.0, 1: 2 / 3, 2: 2 / 3, 3: 0.0}),
        (
            Cyclical(0.1, 0.5, 4, "triangular2"),
            {1: 0.3, 2: 0.5, 4: 0.1, 5: 0.2, 6: 0.3, 10: 0.2, 12: 0.1},
        ),
        (
            Cyclical(0.0, 1.0, 4, "exp_range", gamma=0.5),
            {0: 0.0, 1: 0.25, 2: 0.25, 3: 0.0625, 4: 0.0, 6: 1 / 64},
        ),
        (Exponential(0.8, 2, 0.25), {0: 0.8, 1: 0.4, 2: 0.2, 4: 0.05}),
        (Exponential(0.8, 3), {0: 0.8, 3: 0.08, 6: 0.008}),
        (Exponential(0.8, 2, 0.25, staircase=True), {1: 0.8, 2: 0.2, 3: 0.2, 4: 0.05}),
        (Exponential(0.1, 1, 2.0), {0: 0.1, 1: 0.2, 5: 3.2}),
        (InverseSqrt(0.6, 3), {0: 0.6, 9: 0.3, 24: 0.2}),
        (InverseTime(0.6, 2), {0: 0.6, 1: 0.4, 2: 0.3, 4: 0.2}),
        (InverseTime(0.6, 2, 2.0, staircase=True), {1: 0.6, 2: 0.2, 3: 0.2, 4: 0.12}),
        (
            Join([Linear(1.0, 4), 0.3, Cosine(0.2, 2)], [3, 5]),
            {0: 1.0, 2: 0.5, 3: 0.3, 4: 0.3, 5: 0.2, 6: 0.1, 7: 0.0, 9: 0.0},
        ),
        (Linear(0.1, 4), {0: 0.1, 1: 0.075, 3: 0.025, 4: 0.0, 9: 0.0}),
        (Linear(0.1, 4, final=0.3), {0: 0.1, 1: 0.15, 4: 0.3, 9: 0.3}),
        (
            OneCycle(1.0, 10, warmup=0.4, initial_factor=0.1, final_factor=0.01),
            {0: 0.1, 2: 0.55, 4: 1.0, 7: 0.5005, 10: 0.001, 99: 0.001},
        ),
        (OneCycle(1.0, 10), {0: 0.04, 3: 1.0, 10: 4e-6}),
        (Piecewise([2, 5], [3.0, 0.2, 0.1]), {1: 3.0, 2: 0.2, 4: 0.2, 5: 0.1, 99: 0.1}),
        (Polynomial(0.8, 4), {0: 0.8, 1: 0.45, 2: 0.2, 3: 0.05, 4: 0.0, 9: 0.0}),
        (Polynomial(0.5, 4, power=0.5, final=0.1), {0: 0.5, 3: 0.3, 4: 0.1, 9: 0.1}),
        (
            PowerCool(0.4, 10, cooldown=0.8, power=2),
            {0: 0.4, 2: 0.4, 4: 0.225, 6: 0.1, 8: 0.025, 10: 0.0, 99: 0.0},
        ),
        (PowerCool(0.5, 8, 0.5, 0.5, final=0.1), {4: 0.5, 7: 0.3, 8: 0.1, 9: 0.1}),
        (Rex(0.3, 4), {0: 0.3, 2: 0.2, 3: 0.12, 4: 0.0, 9: 0.0}),
        (Rex(0.7, 4, final=0.1), {0: 0.7, 2: 0.5, 4: 0.1, 9: 0.1}),
        (Scaled(Linear(0.1, 4), 3), {0: 0.3, 1: 0.225, 4: 0.0}),
        (Scaled(0.1, 3), {0: 0.3, 9: 0.3}),
        (Warmup(0.1, 4), {0: 0.0, 1: 0.025, 3: 0.075, 4: 0.1, 99: 0.1}),
        (
            Warmup(Cosine(0.1, 4), 2, initial=0.02),
            {0: 0.02, 1: 0.06, 2: 0.1, 4: 0.05, 6: 0.0, 7: 0.0},
        ),
        (
            Warmup(keras_schedules.PiecewiseConstantDecay([2], [0.5, 0.25]), 2),
            {0: 0.0, 1: 0.25, 2: 0.5, 4: 0.5, 5: 0.25},
        ),
        (
            WarmupStableDecay(0.4, 20, warmup=0.2, decay=0.2),
            {0: 0.0, 1: 0.1, 4: 0.4, 10: 0.4, 16: 0.4, 17: 0.2, 20: 0.0, 99: 0.0},
        ),
        (
            WarmupStableDecay(0.4, 20, 0.2, 0.2, shape="linear", final=0.2),
            {3: 0.3, 16: 0.4, 17: 0.35, 18: 0.3, 20: 0.2, 99: 0.2},
        ),
        (
            WarmupStableDecay(0.4, 10, 0.2, 0.8, shape="cosine"),
            {1: 0.2, 2: 0.4, 4: 0.2 * (1 + math.sqrt(0.5)), 6: 0.2, 10: 0.0},
        ),
    ],
    ids=named,
)
def test_values_worked_by_hand(schedule, expected):
    for step, value in expected.items():
        assert schedule(step) == pytest.approx(value, abs=1e-15, rel=1e-12)


@pytest.mark.parametrize(
    ("schedule", "last", "start", "end"),
    [
        (Constant(0.1), 0, 0.1, 0.1),
        (Cosine(0.1, 4699, final=0.0033), 4699, 0.1, 0.0033),
        (Cosine(3e-3, 7), 7, 3e-3, 0.0),
        (Cosine(0.04, 1_000_003, final=0.4), 1_000_003, 0.04, 0.4),
        (Join([Rex(0.1, 9), Linear(0.7, 41, 0.003)], [82]), 123, 0.1, 0.003),
        (Linear(0.1, 41, final=0.0033), 41, 0.1, 0.0033),
        (Linear(3e-3, 1_000_003), 1_000_003, 3e-3, 0.0),
        (OneCycle(0.7, 10, warmup=0.33), 10, 0.7 / 25, 0.7 / 25 * 1e-4),
        (OneCycle(3e-3, 4699, final_factor=0), 4699, 3e-3 / 25, 0.0),
        (Piecewise([41, 82], [0.7, 0.03, 0.0033]), 82, 0.7, 0.0033),
        (Polynomial(0.7, 41, power=0.9, final=0.0033), 41, 0.7, 0.0033),
        (PowerCool(0.7, 82, final=0.0033), 82, 0.7, 0.0033),
        (Rex(0.7, 82, final=0.0033), 82, 0.7, 0.0033),
        (Warmup(0.1, 41, initial=0.003), 41, 0.003, 0.1),
        (Warmup(Cosine(0.1, 300, final=0.003), 111, 0.007), 411, 0.007, 0.003),
        (WarmupStableDecay(0.7, 82, final=0.0033), 82, 0.0, 0.0033),
        (WarmupStableDecay(0.7, 41, shape="linear"), 41, 0.0, 0.0),
    ],
    ids=repr,
)
@pytest.mark.sampled
def test_both_ends_are_exact_and_the_end_is_held(schedule, last, start, end):
    call = compiled(schedule)
    expected = {0: start} | dict.fromkeys([last, last + 1, 10 * last], end)
    for step, value in expected.items():
        if last or step:
            assert np.float32(schedule(step)) == np.float32(value)
            assert float(schedule(counter(step))) == np.float32(value)
            assert call(step) == np.float32(value)


@pytest.mark.parametrize(
    ("schedule", "step", "value"),
    [
        (Cyclical(0.01, 0.7, 82), 41, 0.7),
        (Cyclical(0.01, 0.7, 82), 82, 0.01),
        (Cyclical(0.01, 0.7, 41), 41 * 97, 0.01),
        (CosineRestarts(0.7, 41, t_mul=1), 41 * 97, 0.7),
        (CosineRestarts(0.7, 82), 82 * 1023, 0.7),
        (CosineRestarts(0.7, 41, t_mul=3), 41 * 364, 0.7),
        (Exponential(0.7, 41, 2.0, staircase=True), 41, 1.4),
        (Exponential(0.7, 41, 2.0, staircase=True), 40, 0.7),
        (InverseTime(0.7, 41, 1.0, staircase=True), 41 * 6, 0.1),
        (InverseTime(0.7, 41, 1.0, staircase=True), 41 * 6 - 1, 0.7 / 6),
        (OneCycle(3e-3, 4700), 1410, 3e-3),
        (WarmupStableDecay(0.7, 820), 41, 0.7),
        (WarmupStableDecay(0.7, 820), 656, 0.7),
    ],
    ids=repr,
)
def test_turning_points_come_at_their_step(schedule, step, value):
    # XLA multiplies by 1 / 41 instead of dividing by 41, so 41 / 41 is below 1.
    assert schedule(step) == pytest.approx(value, rel=1e-15)
    assert float(schedule(counter(step))) == pytest.approx(value, rel=2e-7)
    assert compiled(schedule)(step) == pytest.approx(value, rel=2e-7)


@pytest.mark.sampled
def test_any_kind_of_step_gives_the_same_value(schedule):
    expected = schedule.values(50)
    assert expected.dtype == "float64"
    assert expected.shape == (50,)
    assert np.all(np.isfinite(expected))
    call = compiled(schedule)
    for step in (0, 1, 6, 13, 49):
        kinds = (
            step,
            float(step),
            np.int64(step),
            np.array(step),
            keras.ops.convert_to_tensor(step),
            keras.ops.convert_to_tensor(step, dtype="float32"),
            counter(step),
        )
        close = pytest.approx(expected[step], rel=1e-5, abs=1e-8)
        for kind in kinds:
            assert float(schedule(kind)) == close
        assert call(step) == close
    assert isinstance(schedule(3), float)
    assert keras.backend.standardize_dtype(schedule(counter(3)).dtype) == "float32"


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(0.1),
        Cosine(0.1, 41),
        CosineRestarts(0.1, 5),
        Cyclical(0.1, 0.4, 7),
        Exponential(0.1, 20),
        Join([Rex(0.1, 9), Warmup(0.1, 7)], [8]),
        Piecewise([4, 9], [0.3, 0.2, 0.1]),
        WarmupStableDecay(0.1, 41),
    ],
    ids=named,
)
def test_float64_stays_float64(schedule, float64):
    value = schedule(counter(13))
    assert keras.backend.standardize_dtype(value.dtype) == "float64"
    # On JAX, Keras computes a cosine in float32.
    single = BACKEND == "jax" and isinstance(schedule, Cosine | CosineRestarts)
    assert float(value) == pytest.approx(schedule(13), rel=1e-7 if single else 1e-14)


@pytest.mark.parametrize(
    ("schedule", "step"),
    [
        (Exponential(0.1, 1, decay_rate=0.99999), 100_000),
        (Cyclical(0.0, 0.1, 1000, "exp_range", gamma=0.99999), 100_500),
        (CosineRestarts(0.1, 469), 1_000_000),
        (InverseSqrt(0.1, 4000), 1_000_000),
    ],
    ids=named,
)
def test_float32_stays_accurate_late(schedule, step):
    assert float(schedule(counter(step))) == pytest.approx(schedule(step), rel=2e-6)


def test_half_precision_floatx_still_counts_steps():
    floatx = keras.config.floatx()
    keras.config.set_floatx("float16")
    try:
        value = Cosine(0.1, 140_000)(counter(70_000))
    finally:
        keras.config.set_floatx(floatx)
    assert float(value) == pytest.approx(0.05, rel=1e-6)


def test_relations_between_schedules():
    close = {"rtol": 1e-12, "atol": 1e-16}

    def equal(one, other, n=60):
        np.testing.assert_allclose(one.values(n), other.values(n), **close)

    equal(Polynomial(0.2, 40, power=1, final=0.1), Linear(0.2, 40, final=0.1))
    equal(Warmup(Cosine(0.1, 30), 9), Join([Linear(0, 9, 0.1), Cosine(0.1, 30)], [9]))
    equal(Piecewise([4, 9], [3, 2, 1]), Join([3, 2, 1], [4, 9]))
    equal(Cyclical(0.1, 0.3, 8, "exp_range", gamma=1), Cyclical(0.1, 0.3, 8))
    equal(
        WarmupStableDecay(0.1, 40, 0.25, 0.5, shape="cosine", final=0.01),
        Join([Linear(0, 10, 0.1), 0.1, Cosine(0.1, 20, 0.01)], [10, 20]),
    )
    equal(CosineRestarts(0.1, 60), Cosine(0.1, 60))
    equal(
        PowerCool(0.1, 40, cooldown=0.75, power=1.2, final=0.01),
        Join([0.1, Polynomial(0.1, 30, power=1.2, final=0.01)], [10]),
    )
    equal(
        Warmup(PowerCool(0.1, 40, cooldown=0.5, power=1), 10),
        Join([Linear(0, 10, 0.1), 0.1, Linear(0.1, 20)], [10, 30]),
    )


def test_power_cool_has_the_numbers_of_its_source():
    constants = [
        (0.0375, 3.3169534699576625e-06, 719),
        (0.3, 4.976805410800738e-05, 1692),
    ]
    for rate, power_c, flat in constants:
        ours = PowerCool(rate, 3105, cooldown=1 - flat / 3105)
        for step in (0, flat - 9, flat + 9, 1900, 3020):
            expected = min(rate, power_c * (3105 - step) ** 1.2)
            assert ours(step) == pytest.approx(expected, rel=1e-3)


def test_warmup_and_inverse_sqrt_are_the_schedule_of_the_transformer():
    n, width = 40, 512
    schedule = Warmup(InverseSqrt((width * n) ** -0.5, n), n)
    for step in (1, 7, 39, 40, 41, 400):
        expected = width**-0.5 * min(step**-0.5, step * n**-1.5)
        assert schedule(step) == pytest.approx(expected, rel=1e-12)


def test_a_number_times_a_schedule_scales_it():
    cosine = Cosine(0.1, 30)
    for scaled in (
        3 * cosine,
        cosine * 3.0,
        np.float32(3) * cosine,
        cosine * np.int8(3),
    ):
        assert repr(scaled) == repr(Scaled(cosine, 3))
        np.testing.assert_allclose(scaled.values(40), 3 * cosine.values(40))
    assert (0 * cosine)(0) == 0.0


# ------------------------------------------------------------------- training


@pytest.mark.parametrize(
    "schedule",
    [
        CosineRestarts(0.1, 3),
        Join([0.1, Cyclical(0.02, 0.1, 4)], [5]),
        2 * Exponential(0.1, 4, staircase=True),
        Warmup(keras_schedules.PiecewiseConstantDecay([3, 5], [0.3, 0.2, 0.1]), 4),
        WarmupStableDecay(0.1, 12, warmup=0.2),
    ],
    ids=named,
)
def test_a_compiled_fit_with_an_optimizer_of_keras_follows_the_schedule(schedule):
    # The loss is the weight itself, so every update is minus the learning rate.
    model = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros"),
        ]
    )
    optimizer = keras.optimizers.SGD(learning_rate=schedule)
    model.compile(optimizer, loss=lambda y, p: keras.ops.mean(p))
    ones = np.ones((6, 1), "float32")
    model.fit(ones, ones, batch_size=1, epochs=2, verbose=0)
    weight = float(keras.ops.convert_to_numpy(model.weights[0])[0, 0])
    assert weight == pytest.approx(-schedule.values(12).sum(), rel=1e-5, abs=1e-8)
    assert float(optimizer.learning_rate) == pytest.approx(schedule(12), rel=1e-5)


def test_schedules_drive_rate_decay_momentum_and_threshold_at_once():
    rates = Warmup(Linear(0.1, 9), 2)
    beta, decay = Cyclical(0.95, 0.85, 4), 2 * rates
    threshold = Piecewise([3], [0.5, 0.25])
    clip = transforms.ClipByNorm(threshold)
    optimizer = optimizers.SGD(
        rates, momentum=beta, weight_decay=decay, gradient_transforms=[clip]
    )
    w = keras.Variable([1.0])
    optimizer.build([w])
    weight, velocity = 1.0, 0.0
    for t in range(6):
        optimizer.apply([keras.ops.convert_to_tensor([2.0])])
        velocity = beta(t) * velocity - rates(t) * min(2.0, threshold(t))
        weight += velocity - rates(t) * decay(t) * weight
    result = keras.ops.convert_to_numpy(w)[0]
    assert result == pytest.approx(weight, rel=1e-5)
    assert optimizer.current("momentum") == pytest.approx(beta(6), rel=1e-6)
    assert optimizer.current("weight_decay") == pytest.approx(decay(6), rel=1e-6)


# -------------------------------------------------------------- serialization


def test_serialization_keeps_every_value(schedule):
    values = schedule.values(50)
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(schedule)))
    assert saved["registered_name"].startswith("keras_optlab.schedules>")
    restored = [
        keras.saving.deserialize_keras_object(saved),
        keras_schedules.deserialize(keras_schedules.serialize(schedule)),
        type(schedule).from_config(schedule.get_config()),
        copy.deepcopy(schedule),
    ]
    optimizer = keras.optimizers.Adam(learning_rate=schedule)
    again = keras.optimizers.Adam.from_config(optimizer.get_config())
    restored.append(again._learning_rate)
    for other in restored:
        assert type(other) is type(schedule)
        assert other.get_config() == schedule.get_config()
        np.testing.assert_array_equal(other.values(50), values)


def test_a_saved_model_keeps_its_schedule(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    schedule = Join([Warmup(Cosine(0.1, 30), 5), 2 * Rex(0.1, 9)], [7])
    model.compile(keras.optimizers.SGD(learning_rate=schedule), loss="mse")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert repr(loaded.optimizer._learning_rate) == repr(schedule)


def test_numpy_numbers_become_plain_ones():
    config = Cosine(np.float32(0.5), np.int64(10), final=0).get_config()
    assert config == {"initial": 0.5, "steps": 10, "final": 0.0, "epochs": None}
    config = Piecewise(np.array([3, 5]), np.array([0.5, 0.25, 0.0])).get_config()
    assert config == {"boundaries": [3, 5], "levels": [0.5, 0.25, 0.0]}
    assert json.dumps(config)


@pytest.mark.parametrize("schedule", EXAMPLES, ids=named)
def test_its_representation_makes_it_again(schedule):
    known = vars(keras.optimizers.schedules) | {cls.__name__: cls for cls in CLASSES}
    again = eval(repr(schedule), known)
    assert again.get_config() == schedule.get_config()


def test_a_momentum_and_betas_warm_up():
    """Each update has the momentum, or beta, of its step: the weights tell it."""
    rise = Join([Linear(0.85, 3, final=0.95), Linear(0.95, 2, final=0.85)], [5])
    beta_1, beta_2 = BetaWarmup(0.5, 4, final=0.9), BetaWarmup(0.9, 6)
    start, grads = weights({"wide": (3, 5)}), gradients({"wide": (3, 5)}, steps=8)
    for name, betas in (
        ("momentum", {"momentum": rise}),
        ("muon", {"momentum": rise}),
        ("adam", {"beta_1": beta_1, "beta_2": beta_2}),
        ("lion", {"beta_1": beta_1, "beta_2": beta_2}),
    ):
        decay = {"weight_decay": 0.0}
        optimizer = optimizers.create(name, learning_rate=0.01, **betas, **decay)
        expected = oracle.run(name, start, grads, 0.01, 0.0, **betas)
        ours = trajectory(optimizer, start, grads)
        assert distance(ours, expected, start) < 1e-4, name


def test_beta_warmup_is_that_of_ademamix():
    schedule = BetaWarmup(0.9, 20, final=0.9999)
    for t in (1, 7, 19, 20, 40):
        part = min(t / 20, 1.0)
        a, b = math.log(0.9), math.log(0.9999)
        expected = math.exp(a * b / ((1 - part) * b + part * a))
        assert schedule(t) == pytest.approx(expected, rel=1e-12)
