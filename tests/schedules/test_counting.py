"""Schedules beyond 2**24 updates, where float32 cannot count; and where they end."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from keras.optimizers import schedules as keras_schedules

from keras_optlab import optimizers
from keras_optlab.core.ends import end_of
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
    Schedule,
    Warmup,
    WarmupStableDecay,
)
from keras_optlab.schedules.arguments import rate
from tests.conftest import BACKEND
from tests.support.schedule_examples import CLASSES, named

pytestmark = pytest.mark.sampled

CLOSE = {"rtol": 1e-6, "atol": 1e-15}
B = 2**24
N = 2**25 + 11
STEPS = [B + k for k in (1, 2, 3, 5, 8, 13)]
STEPS += [N - 4, N - 1, N, N + 1, 2**26 + 5, 2**30 + 7, 2**31 - 1]
LONG = [
    Constant(0.3),
    Cosine(0.1, N),
    Cosine(0.1, N, final=0.4),
    Cosine(0.1, 10**10, final=0.003),
    CosineRestarts(0.1, 5),
    CosineRestarts(0.1, 5, t_mul=1),
    CosineRestarts(0.1, 6, t_mul=1.5, m_mul=1.01, final=0.01),
    CosineRestarts(0.1, 7, t_mul=1.01),
    CosineRestarts(0.1, B + 3, m_mul=0.5),
    Cyclical(0.0, 1.0, 10),
    Cyclical(0.1, 0.4, N),
    Cyclical(0.4, 0.0, B + 1),
    Cyclical(0.1, 0.4, 2**20 + 1, mode="triangular2"),
    Cyclical(0.1, 0.4, 1001, mode="exp_range", gamma=1 - 1e-8),
    Exponential(0.1, 2**24 + 1, decay_rate=0.5),
    Exponential(0.1, 2**24 + 1, decay_rate=0.3, staircase=True),
    InverseSqrt(0.2, 9),
    InverseTime(0.2, 7, decay_rate=0.5, staircase=True),
    InverseTime(0.2, B + 2, staircase=True),
    Join([0.1, Cyclical(0.1, 0.5, 10), CosineRestarts(0.1, 3)], [B + 1, B + 3]),
    Join([0.1, Linear(0.1, 8)], [B + 1]),
    Join([0.1, 0.2], [3 * 10**9]),
    BetaWarmup(0.9, N),
    Linear(0.1, N),
    Linear(0.1, N, final=0.3),
    OneCycle(0.1, N),
    OneCycle(0.1, N, warmup=0.51),
    Piecewise([B + 1, B + 2, B + 3, N - 4], [0.1, 0.2, 0.3, 0.4, 0.5]),
    Polynomial(0.1, N),
    Polynomial(0.1, N, power=0.9, final=0.01),
    PowerCool(0.1, N),
    PowerCool(0.1, N, 0.4, power=2.0, final=0.02),
    Rex(0.1, N),
    Rex(0.01, N, final=0.1),
    2 * Cyclical(0.1, 0.3, 10),
    Warmup(0.1, N),
    Warmup(Join([0.1, Cosine(0.1, 9)], [4]), B + 1, initial=0.2),
    Warmup(keras_schedules.PiecewiseConstantDecay([3, 7], [0.3, 0.2, 0.1]), B + 1),
    WarmupStableDecay(0.1, N),
    WarmupStableDecay(0.1, N, 0.3, 0.7, shape="cosine", final=0.01),
    WarmupStableDecay(0.1, N, 0.3, 0.5, shape="linear"),
]


def tensor(steps, dtype="int32"):
    return ops.convert_to_tensor(np.array(steps, dtype))


def on_device(schedule, steps, dtype="int32"):
    if BACKEND == "torch":  # there, Keras' schedules take a scalar step only
        return np.array([float(schedule(tensor(step, dtype))) for step in steps])
    return ops.convert_to_numpy(schedule(tensor(steps, dtype)))


def at_each(schedule, steps):
    """Return the values, computed step by step in float64."""
    return np.array([schedule(step) for step in steps])


def test_every_class_is_tried():
    assert {type(schedule) for schedule in LONG} == set(CLASSES)


@pytest.mark.parametrize("schedule", LONG, ids=named)
def test_counts_beyond_what_float32_can(schedule):
    expected = at_each(schedule, STEPS)
    np.testing.assert_allclose(on_device(schedule, STEPS), expected, **CLOSE)
    counter = keras.Variable(STEPS[3], dtype="int32", trainable=False)
    assert float(schedule(counter)) == pytest.approx(expected[3], rel=1e-6)


@pytest.mark.every
def test_so_they_do_in_a_compiled_step():
    def all_of_them(step):
        return ops.stack([schedule(step) for schedule in few])

    few = LONG[::3]  # compiling takes seconds

    if BACKEND == "jax":
        import jax

        call = jax.jit(all_of_them)
    elif BACKEND == "tensorflow":
        import tensorflow as tf

        call = tf.function(all_of_them, jit_compile=True)
    else:
        call = all_of_them
    for step in STEPS:
        expected = [schedule(step) for schedule in few]
        found = ops.convert_to_numpy(call(tensor(step)))
        np.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.skipif(BACKEND == "jax", reason="its integers have 32 bits")
@pytest.mark.parametrize("schedule", LONG, ids=named)
def test_counts_beyond_what_int32_can(schedule):
    steps = [2**31, 2**31 + 7, 3 * 10**9 - 1, 3 * 10**9, 10**10 - 3, 2**40 + 13]
    found = on_device(schedule, steps, "int64")
    np.testing.assert_allclose(found, at_each(schedule, steps), **CLOSE)


@pytest.mark.parametrize(
    "schedule", [Cyclical(0.1, 0.4, 7), Warmup(Cyclical(0.4, 0.0, 9), B + 1)], ids=named
)
def test_an_optimizer_follows_them(schedule):
    w = keras.Variable([1.0])
    optimizer = optimizers.SGD(schedule, weight_decay=schedule)
    optimizer.build([w])
    optimizer.updates.assign(B + 3)
    weight = 1.0
    for step in range(B + 3, B + 9):
        optimizer.apply([tensor([0.5], "float32")])
        now = schedule(step)
        weight = weight * (1 - now * now) - 0.5 * now
    assert float(w.numpy()[0]) == pytest.approx(weight, rel=1e-5)


# ------------------------------------------------------- random schedules

rates = st.floats(0, 1, width=16)
lengths = st.one_of(st.integers(1, 100), st.integers(1, 2**26))
some = st.floats(0.05, 0.45)


@st.composite
def boundaries_for(draw, pieces):
    pieces = draw(st.lists(pieces, min_size=2, max_size=4))
    n = len(pieces) - 1
    return pieces, sorted(draw(st.sets(lengths, min_size=n, max_size=n)))


simple = st.one_of(
    st.builds(Constant, rates),
    st.builds(Cosine, rates, lengths, rates),
    st.builds(Linear, rates, lengths, rates),
    st.builds(Polynomial, rates, lengths, st.floats(0.5, 3), rates),
    st.builds(PowerCool, rates, lengths, some, st.floats(0.5, 3), rates),
    st.builds(Rex, rates, lengths, rates),
    st.builds(OneCycle, rates, lengths, some),
    st.builds(
        WarmupStableDecay,
        rates,
        lengths,
        some,
        some,
        st.sampled_from(["1-sqrt", "linear", "cosine"]),
        rates,
    ),
    st.builds(Cyclical, rates, rates, lengths, st.sampled_from(["triangular"])),
    st.builds(Cyclical, rates, rates, lengths, st.sampled_from(["triangular2"])),
    st.builds(
        CosineRestarts, rates, lengths, st.floats(1.0, 3), st.floats(0.5, 1), rates
    ).filter(lambda s: s.t_mul == 1 or s.t_mul > 1.05),
    st.builds(CosineRestarts, rates, lengths, st.just(1.0), st.floats(0.5, 1), rates),
    st.builds(Exponential, rates, lengths, st.floats(0.1, 1), st.booleans()),
    st.builds(InverseTime, rates, lengths, some, st.booleans()),
    st.builds(InverseSqrt, rates, lengths),
    st.builds(
        lambda p: Piecewise(p[1], p[0]), st.builds(lambda x: x, boundaries_for(rates))
    ),
)
nested = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds(Warmup, st.one_of(rates, inner), lengths, rates),
        st.builds(Scaled, inner, rates),
        boundaries_for(st.one_of(rates, inner)).map(lambda p: Join(*p)),
    ),
    max_leaves=4,
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, derandomize=True)
@given(nested, st.lists(st.integers(0, 2**27), min_size=5, max_size=5))
def test_random_ones_inside_one_another(schedule, steps):
    steps = [*steps, 0, 1, 7, 100, B - 1, B + 1, 2**31 - 1]
    found = on_device(schedule, steps)
    # all rates are <= 1, so `atol` is relative to the largest value
    np.testing.assert_allclose(found, at_each(schedule, steps), rtol=2e-6, atol=3e-7)


# ----------------------------------------- user-defined schedules, and ends


class Harmonic(Schedule):
    initial: float = rate("value at step 0")

    def formula(self, step, ops):
        return self.initial / (1.0 + 0.5 * step)


class Halving(keras_schedules.LearningRateSchedule):
    """A Keras schedule that computes with the step as it is passed in."""

    def __call__(self, step):
        return 0.5 / (1.0 + 0.1 * step)

    def get_config(self):
        return {}


@pytest.mark.parametrize("schedule", [Harmonic(0.3), Halving()], ids=named)
def test_a_formula_of_ones_own_may_multiply_the_step(schedule):
    steps = np.arange(0, 40, 13)
    for around in (schedule, Warmup(schedule, 9), Join([0.1, 2.0], [7])):
        around = around if isinstance(around, Schedule) else Scaled(around, 1.0)
        np.testing.assert_allclose(
            on_device(around, steps), at_each(around, steps), rtol=1e-6
        )


@pytest.mark.parametrize(
    ("schedule", "end"),
    [
        (0.1, None),
        (BetaWarmup(0.9, 40), 40),
        (Constant(0.1), None),
        (Cosine(0.1, 40), 40),
        (CosineRestarts(0.1, 40), None),
        (Cyclical(0.1, 0.2, 40), None),
        (Exponential(0.1, 40), None),
        (InverseSqrt(0.1, 40), None),
        (InverseTime(0.1, 40), None),
        (Linear(0.1, epochs=4, steps_per_epoch=10), 40),
        (OneCycle(0.1, 40), 40),
        (Piecewise([40], [0.2, 0.1]), None),
        (Polynomial(0.1, 40), 40),
        (PowerCool(0.1, 40), 40),
        (Rex(0.1, 40), 40),
        (WarmupStableDecay(0.1, 40), 40),
        (Warmup(0.1, 5), None),
        (Warmup(Cosine(0.1, 40), 5), 45),
        (2 * Warmup(Cosine(0.1, 40), 5), 45),
        (Join([Cosine(0.1, 7), 0.1], [9]), None),
        (Join([0.1, Rex(0.1, 7)], [9]), 16),
        (keras_schedules.CosineDecay(0.1, 40), 40),
        (keras_schedules.CosineDecay(0.0, 40, warmup_target=0.1, warmup_steps=5), 45),
        (keras_schedules.PolynomialDecay(0.1, 40), 40),
        (keras_schedules.PolynomialDecay(0.1, 40, cycle=True), None),
        (keras_schedules.ExponentialDecay(0.1, 40, 0.5), None),
        (Warmup(keras_schedules.CosineDecay(0.1, 40), 5), 45),
    ],
    ids=named,
)
def test_where_a_schedule_ends(schedule, end):
    assert end_of(schedule) == end
    if isinstance(schedule, Schedule):
        assert schedule.end == end
    if end is not None:
        assert float(schedule(end)) == float(schedule(end + 100))
        assert float(schedule(end - 1)) != float(schedule(end))
