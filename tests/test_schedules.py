"""Schedules: their values, on any backend and compiled, arguments, serialization."""

import copy
import inspect
import json
import math
import runpy
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.optimizers import schedules as keras_schedules

from keras_optlab import optimizers, schedules, transforms
from keras_optlab.schedules import (
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
    Rex,
    Scaled,
    Schedule,
    Timed,
    Warmup,
    WarmupStableDecay,
)
from keras_optlab.schedules.arguments import rate, steps
from tests.conftest import BACKEND

EXAMPLES = [
    Constant(0.3),
    Cosine(0.1, 4),
    Cosine(3e-3, 4699, final=7e-5),
    Cosine(0.04, 100, final=0.4),
    CosineRestarts(0.1, 5),
    CosineRestarts(0.1, 7, t_mul=1, m_mul=0.8, final=0.02),
    CosineRestarts(0.1, 6, t_mul=1.5, m_mul=1.2, final=0.01),
    Cyclical(0.1, 0.4, 8),
    Cyclical(0.95, 0.85, 7, mode="triangular2"),
    Cyclical(0.1, 0.4, 10, mode="exp_range", gamma=0.99),
    Exponential(0.1, 20, decay_rate=0.5),
    Exponential(1e-3, 7, decay_rate=1.5, staircase=True),
    InverseSqrt(0.2, 9),
    InverseTime(0.2, 9),
    InverseTime(0.2, 9, decay_rate=0.5, staircase=True),
    Join([0.1, Cosine(0.1, 20), 0.002], [10, 30]),
    Join([Warmup(0.1, 5), keras_schedules.ExponentialDecay(0.1, 9, 0.5)], [8]),
    Linear(0.1, 30, final=0.03),
    OneCycle(3e-3, 4700),
    OneCycle(0.7, 10, warmup=0.33, initial_factor=0.1, final_factor=0.01),
    Piecewise([13, 14, 40], [0.1, 0.3, 0.01, 0.0]),
    Polynomial(0.1, 30, power=0.9, final=0.01),
    Rex(0.1, 40, final=0.01),
    Scaled(keras_schedules.CosineDecay(0.1, 30), 0.3),
    10 * Rex(0.1, 40),
    Warmup(0.1, 7),
    Warmup(Cosine(0.1, 30, final=0.003), 11, initial=0.007),
    Warmup(Warmup(OneCycle(0.1, 9), 3), 3),
    Warmup(keras_schedules.PiecewiseConstantDecay([3, 5], [0.3, 0.2, 0.1]), 4),
    WarmupStableDecay(0.1, 40),
    WarmupStableDecay(0.1, 30, warmup=0.3, decay=0.7, shape="cosine", final=0.01),
    WarmupStableDecay(0.1, 33, warmup=0.1, decay=0.4, shape="linear"),
]
BASES = (Schedule, Timed)
CLASSES = [
    cls
    for cls in (getattr(schedules, name) for name in schedules.__all__)
    if cls not in BASES
]
TIMED = [cls for cls in CLASSES if issubclass(cls, Timed)]


def named(x):
    """Return a short test id; pytest numbers those that repeat."""
    return x.__name__ if inspect.isclass(x) else type(x).__name__


@pytest.fixture(params=EXAMPLES, ids=named)
def schedule(request):
    return request.param


def counter(step):
    """Return what an optimizer counts its updates with."""
    return keras.Variable(step, dtype="int32", trainable=False)


def compiled(schedule):
    """Return a function from an int step to a float: as a compiled step computes it."""
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
        (Rex(0.7, 82, final=0.0033), 82, 0.7, 0.0033),
        (Warmup(0.1, 41, initial=0.003), 41, 0.003, 0.1),
        (Warmup(Cosine(0.1, 300, final=0.003), 111, 0.007), 411, 0.007, 0.003),
        (WarmupStableDecay(0.7, 82, final=0.0033), 82, 0.0, 0.0033),
        (WarmupStableDecay(0.7, 41, shape="linear"), 41, 0.0, 0.0),
    ],
    ids=repr,
)
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
    # XLA multiplies by 1 / 41 instead of dividing by 41, which makes 41 / 41 too small.
    assert schedule(step) == pytest.approx(value, rel=1e-15)
    assert float(schedule(counter(step))) == pytest.approx(value, rel=2e-7)
    assert compiled(schedule)(step) == pytest.approx(value, rel=2e-7)


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
    # Keras takes a cosine in float32 on JAX.
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
    # The loss is the weight itself, so that every update is minus the rate.
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
    assert config == {"initial": 0.5, "steps": 10, "final": 0.0}
    config = Piecewise(np.array([3, 5]), np.array([0.5, 0.25, 0.0])).get_config()
    assert config == {"boundaries": [3, 5], "levels": [0.5, 0.25, 0.0]}
    assert json.dumps(config)


@pytest.mark.parametrize(
    "schedule",  # those of Keras, inside ours, do not say what they are
    [schedule for schedule in EXAMPLES if " object at " not in repr(schedule)],
    ids=named,
)
def test_its_representation_makes_it_again(schedule):
    again = eval(repr(schedule), {cls.__name__: cls for cls in CLASSES})
    assert again.get_config() == schedule.get_config()


# ------------------------------------------------------------------ arguments


def required(cls):
    """Return one argument for each that a schedule cannot do without, but the steps."""
    parameters = inspect.signature(cls).parameters.values()
    return {p.name: 0.1 for p in parameters if p.default is p.empty}


@pytest.mark.parametrize("cls", TIMED, ids=named)
def test_length_in_epochs(cls):
    other = required(cls)
    by_steps = cls(**other, steps=1407)
    by_epochs = cls(**other, epochs=3, steps_per_epoch=469)
    assert repr(by_epochs) == repr(by_steps)
    assert by_epochs.get_config() == by_steps.get_config()
    assert cls(**other, epochs=0.5, steps_per_epoch=np.int64(9)).steps == 4
    signature = inspect.signature(cls)
    assert list(signature.parameters)[-2:] == ["epochs", "steps_per_epoch"]
    for name in ("epochs", "steps_per_epoch"):
        assert signature.parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
    assert by_steps.fields.keys().isdisjoint({"epochs", "steps_per_epoch"})


@pytest.mark.parametrize("cls", TIMED, ids=named)
@pytest.mark.parametrize(
    ("length", "received"),
    [
        ({}, "steps=None, epochs=None, steps_per_epoch=None"),
        ({"epochs": 3}, "steps=None, epochs=3.0, steps_per_epoch=None"),
        ({"steps_per_epoch": 9}, "steps=None, epochs=None, steps_per_epoch=9"),
        ({"steps": 9, "epochs": 3}, "steps=9, epochs=3.0, steps_per_epoch=None"),
        (
            {"steps": 9, "epochs": 3, "steps_per_epoch": 3},
            "steps=9, epochs=3.0, steps_per_epoch=3",
        ),
    ],
    ids=["nothing", "epochs alone", "steps_per_epoch alone", "steps, epochs", "all"],
)
def test_the_length_must_be_given_in_exactly_one_way(cls, length, received):
    with pytest.raises(TypeError, match="must be given either as `steps` or") as error:
        cls(**required(cls), **length)
    assert str(error.value).endswith(f"Received: {received}")


def test_steps_go_on_working_by_position():
    assert Cosine(0.1, 4).steps == 4
    assert Warmup(0.1, 7, 0.01).steps == 7
    with pytest.raises(TypeError, match="Received: steps=4, epochs=2.0"):
        Cosine(0.1, 4, epochs=2, steps_per_epoch=2)


BAD = {
    "steps=0": lambda: Cosine(0.1, 0),
    "steps=-3": lambda: Cosine(0.1, -3),
    "steps=2.5": lambda: Cosine(0.1, 2.5),
    "steps='10'": lambda: Cosine(0.1, "10"),
    "steps=True": lambda: Cosine(0.1, True),
    "steps=nan": lambda: Linear(0.1, math.nan),
    "steps=inf": lambda: Rex(0.1, math.inf),
    "epochs=0": lambda: Cosine(0.1, epochs=0, steps_per_epoch=9),
    "epochs=-1": lambda: Cosine(0.1, epochs=-1, steps_per_epoch=9),
    "epochs='3'": lambda: Cosine(0.1, epochs="3", steps_per_epoch=9),
    "epochs=nan": lambda: Cosine(0.1, epochs=math.nan, steps_per_epoch=9),
    "steps_per_epoch=0": lambda: Cosine(0.1, epochs=1, steps_per_epoch=0),
    "steps_per_epoch=4.5": lambda: Cosine(0.1, epochs=1, steps_per_epoch=4.5),
    "steps=0 ": lambda: Cosine(0.1, epochs=0.01, steps_per_epoch=3),
    "initial=-0.1": lambda: Cosine(-0.1, 10),
    "initial=nan": lambda: Cosine(math.nan, 10),
    "initial=inf": lambda: Cosine(math.inf, 10),
    "initial=None": lambda: Cosine(None, 10),
    "final=-1": lambda: Cosine(0.1, 10, final=-1),
    "final=Cosine": lambda: Cosine(0.1, 10, final=Cosine(0.1, 10)),
    "value=-1": lambda: Constant(-1),
    "value=Cosine": lambda: Constant(Cosine(0.1, 10)),
    "peak=-1.0": lambda: OneCycle(-1.0, 10),
    "warmup=0.0": lambda: OneCycle(0.1, 10, warmup=0.0),
    "warmup=1.0": lambda: OneCycle(0.1, 10, warmup=1.0),
    "initial_factor=2": lambda: OneCycle(0.1, 10, initial_factor=2),
    "final_factor=-1": lambda: OneCycle(0.1, 10, final_factor=-1),
    "schedule=-0.1": lambda: Warmup(-0.1, 10),
    "schedule='cosine'": lambda: Warmup("cosine", 10),
    "initial=nan ": lambda: Warmup(0.1, 10, initial=math.nan),
    "final=nan": lambda: Linear(0.1, 10, final=math.nan),
    "power=0": lambda: Polynomial(0.1, 10, power=0),
    "power='two'": lambda: Polynomial(0.1, 10, power="two"),
    "decay_rate=0": lambda: Exponential(0.1, 10, decay_rate=0),
    "decay_rate=-0.5": lambda: InverseTime(0.1, 10, decay_rate=-0.5),
    "staircase=1": lambda: Exponential(0.1, 10, staircase=1),
    "t_mul=0.5": lambda: CosineRestarts(0.1, 10, t_mul=0.5),
    "m_mul=0": lambda: CosineRestarts(0.1, 10, m_mul=0),
    "mode='triangle'": lambda: Cyclical(0.1, 0.3, 10, mode="triangle"),
    "gamma=1.5": lambda: Cyclical(0.1, 0.3, 10, mode="exp_range", gamma=1.5),
    "gamma=None with mode='exp_range'": lambda: Cyclical(0.1, 0.3, 10, "exp_range"),
    "gamma=0.9 with mode='triangular'": lambda: Cyclical(0.1, 0.3, 10, gamma=0.9),
    "warmup=0.5, decay=0.6": lambda: WarmupStableDecay(0.1, 10, 0.5, 0.6),
    "decay=0": lambda: WarmupStableDecay(0.1, 10, decay=0),
    "shape='sqrt'": lambda: WarmupStableDecay(0.1, 10, shape="sqrt"),
    "boundaries=[5, 3]": lambda: Piecewise([5, 3], [0.3, 0.2, 0.1]),
    "boundaries=[5, 5]": lambda: Join([0.3, 0.2, 0.1], [5, 5]),
    "boundaries=2.5": lambda: Piecewise([2.5], [0.2, 0.1]),
    "boundaries=0": lambda: Join([0.2, 0.1], [0]),
    "boundaries=-2": lambda: Piecewise([-2], [0.2, 0.1]),
    "boundaries=nan": lambda: Piecewise([math.nan], [0.2, 0.1]),
    "boundaries=10": lambda: Piecewise(10, [0.2, 0.1]),
    "boundaries='10'": lambda: Join([0.2, 0.1], ["10"]),
    "levels=-0.1": lambda: Piecewise([10], [0.2, -0.1]),
    "levels=nan": lambda: Piecewise([10], [0.2, math.nan]),
    "levels=Cosine": lambda: Piecewise([10], [0.2, Cosine(0.1, 10)]),
    "levels=[0.2] and boundaries=[10], which are 1": lambda: Piecewise([10], [0.2]),
    "levels=[1.0, 2.0, 3.0]": lambda: Piecewise([10], [1, 2, 3]),
    "schedules=[] and boundaries=[]": lambda: Join([], []),
    "schedules=[0.1] and boundaries=[5]": lambda: Join([0.1], [5]),
    "schedules=Cosine": lambda: Join(Cosine(0.1, 10), []),
    "schedules='cosine'": lambda: Join(["cosine", 0.1], [5]),
    "schedules=nan": lambda: Join([0.1, math.nan], [5]),
    "factor=-1": lambda: Cosine(0.1, 10) * -1,
    "factor=nan": lambda: math.nan * Cosine(0.1, 10),
    "factor='2'": lambda: Cosine(0.1, 10) * "2",
    "factor=Cosine": lambda: Cosine(0.1, 10) * Cosine(0.1, 10),
    "schedule=None": lambda: Scaled(None, 2),
    "step=-1": lambda: Cosine(0.1, 10)(-1),
    "step=nan": lambda: Cosine(0.1, 10)(math.nan),
    "step=array([ 0, -1])": lambda: Cosine(0.1, 10)(np.array([0, -1])),
    "n=-1": lambda: Cosine(0.1, 10).values(-1),
    "n=2.5": lambda: Cosine(0.1, 10).values(2.5),
    "n=None": lambda: Cosine(0.1, 10).values(None),
    "n=0": lambda: Cosine(0.1, 10).plot(0),
}


@pytest.mark.parametrize("received", BAD)
def test_bad_input_says_what_it_received(received):
    with pytest.raises((TypeError, ValueError), match="must be .*Received: ") as error:
        BAD[received]()
    assert f"Received: {received.strip()}" in str(error.value)


def test_a_misspelled_argument_is_told_of_the_nearest():
    with pytest.raises(TypeError, match="Received: epoch=3. Did you mean 'epochs'?"):
        Cosine(0.1, epoch=3, steps_per_epoch=9)


def test_a_schedule_does_not_change():
    with pytest.raises(AttributeError, match="Received: steps=20"):
        Cosine(0.1, 10).steps = 20


def test_a_new_schedule_is_its_arguments_and_a_formula():
    class InverseRoot(Timed):
        initial: float = rate("value at step 0")
        steps: int = steps("time until half")

        def formula(self, step, ops):
            return self.initial / ops.sqrt(1.0 + 3.0 * step / self.steps)

    class Again(InverseRoot):
        """Inherits everything, the length in epochs too."""

    assert Again(0.2, epochs=2, steps_per_epoch=3).get_config() == {
        "initial": 0.2,
        "steps": 6,
    }
    schedule = Warmup(InverseRoot(0.2, 6), 2)
    np.testing.assert_allclose(schedule.values(3), [0.0, 0.1, 0.2])
    assert schedule(8) == pytest.approx(0.1)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(schedule)
    )
    assert again(8) == pytest.approx(0.1)
    assert float(again(counter(8))) == pytest.approx(0.1)


def test_a_schedule_without_a_formula_says_so():
    class Nothing(Schedule):
        """Forgot it."""

    with pytest.raises(NotImplementedError, match="Nothing must define `formula"):
        Nothing()(0)


# ------------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        (Constant(0.1), 100),
        (Cosine(0.1, 40), 40),
        (CosineRestarts(0.1, 10), 70),
        (Cyclical(0.1, 0.3, 10), 40),
        (Exponential(0.1, 10), 50),
        (InverseTime(0.1, 10), 50),
        (InverseSqrt(0.1, 10), 50),
        (Join([0.1, Linear(0.1, 30)], [12]), 42),
        (Piecewise([20, 80], [3, 2, 1]), 100),
        (3 * Cosine(0.1, 40), 40),
        (Warmup(Cosine(0.1, 40), 5), 45),
        (Warmup(keras_schedules.CosineDecay(0.1, 40), 5), 105),
    ],
    ids=named,
)
def test_what_there_is_to_see_of_it(schedule, last):
    assert schedule.horizon == last


def test_plot_draws_the_values():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    schedule = Cosine(0.1, 40)
    assert schedule.plot(ax=axes) is axes
    assert schedule.plot(60, ax=axes) is axes
    until_the_end, longer = axes.lines
    np.testing.assert_array_equal(until_the_end.get_ydata(), schedule.values(41))
    np.testing.assert_array_equal(longer.get_ydata(), schedule.values(61))
    np.testing.assert_array_equal(longer.get_xdata(), np.arange(61))
    assert longer.get_label() == repr(schedule)
    assert axes.get_xlabel() == "step"
    (2 * schedule).plot(ax=axes)
    bottom, top = axes.get_ylim()
    assert bottom == 0
    assert top > 0.2


def test_the_example_shows_every_class():
    path = Path(__file__).parents[1] / "examples" / "schedules.py"
    panels = runpy.run_path(str(path))["panels"]()
    assert panels.keys() == {cls.__name__ for cls in CLASSES}
    for title, curves in panels.items():
        assert title in {type(schedule).__name__ for schedule in curves.values()}


def test_plot_makes_a_figure_of_its_own():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    one, other = Cosine(0.1, 40).plot(), Rex(0.1, 40).plot(10)
    assert one.figure is not other.figure
    pyplot.close("all")


def test_plot_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install keras-optlab\[plot\]"):
        Cosine(0.1, 40).plot()
