"""Schedules whose length is left to the training."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import schedules
from keras_optlab.core.spans import Moment, Span, needs_span
from keras_optlab.schedules import (
    BetaWarmup,
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
    Warmup,
    WarmupStableDecay,
)

LENGTHLESS = [
    BetaWarmup(0.9),
    Cosine(0.1),
    CosineRestarts(0.1),
    Cyclical(0.1, 0.4),
    Exponential(0.1),
    InverseSqrt(0.1),
    InverseTime(0.1),
    Linear(0.1),
    OneCycle(0.1),
    Polynomial(0.1),
    PowerCool(0.1),
    Rex(0.1),
    Warmup(0.1),
    WarmupStableDecay(0.1),
]
OTHERS = [
    Cosine(0.1, 0.5),
    Cosine(0.1, epochs=2),
    CosineRestarts(0.1, 0.125),
    CosineRestarts(0.1, 0.125, t_mul=1),
    CosineRestarts(0.1, 0.1, t_mul=1.5, m_mul=0.8),
    Cyclical(0.1, 0.4, 0.25, mode="triangular2"),
    Exponential(0.1, 0.25, staircase=True),
    Join([Linear(0.1), Cosine(0.05)], [0.3]),
    Join([Linear(0.1), Cosine(0.05)], [30]),
    Piecewise([0.5, 0.75], [0.1, 0.01, 0.001]),
    Warmup(Cosine(0.1), 0.1),
    Warmup(Cosine(0.1), 10),
    Warmup(WarmupStableDecay(0.1), epochs=1),
    2 * Warmup(OneCycle(0.1), 0.25),
]
named = pytest.mark.parametrize("schedule", LENGTHLESS + OTHERS, ids=repr)


@pytest.mark.parametrize("schedule", LENGTHLESS, ids=repr)
def test_without_a_length_the_last_update_is_the_end(schedule):
    config = schedule.get_config()
    fixed = type(schedule).from_config(config | {"steps": 99})
    np.testing.assert_array_equal(schedule.values(100), fixed.values(100))


def test_shares_are_of_the_whole_training():
    assert Linear(1.0, 0.25).values(100)[[0, 24, 25, 99]].tolist() == [1, 0.04, 0, 0]
    pieces = Piecewise([0.5, 0.75], [3, 2, 1]).values(100)
    assert pieces[[49, 50, 74, 75]].tolist() == [3, 2, 2, 1]


def test_what_follows_a_part_fills_the_rest():
    values = Warmup(Cosine(1.0), 0.05).values(100)
    np.testing.assert_allclose(values[:6], np.arange(6) / 5)
    np.testing.assert_allclose(values[5:], Cosine(1.0, 94).values(95), atol=1e-15)
    values = Join([Linear(1.0), Linear(0.5)], [20]).values(100)
    np.testing.assert_allclose(values[:20], Linear(1.0, 20).values(20))
    np.testing.assert_allclose(values[20:], Linear(0.5, 79).values(80))


def test_epochs_alone_are_those_of_the_training():
    span = Span(begin=40, updates=200, epochs=10)
    rise = Warmup(Cosine(1.0), epochs=2)
    values = [Moment(40 + t, span).value(rise) for t in range(200)]
    np.testing.assert_allclose(values, Warmup(Cosine(1.0, 159), 40).values(200))


@pytest.mark.sampled
@named
def test_a_compiled_step_computes_the_same(schedule):
    n = 200
    on_host = [Moment(t, Span(0, n, 4)).value(schedule) for t in range(n)]
    span = Span(ops.convert_to_tensor(7), *map(ops.convert_to_tensor, (200.0, 4.0)))
    at = [Moment(ops.convert_to_tensor(7 + t), span) for t in range(0, n, 7)]
    found = [float(ops.convert_to_numpy(moment.value(schedule))) for moment in at]
    np.testing.assert_allclose(found, on_host[::7], atol=1e-7)


@named
def test_it_is_saved_and_shown(schedule):
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(schedule)
    )
    assert again.get_config() == schedule.get_config()
    assert needs_span(again)
    assert eval(repr(schedule), vars(schedules)).get_config() == schedule.get_config()
    assert schedule.end is None


def test_a_call_says_how_to_get_values():
    with pytest.raises(ValueError, match=r"call `values\(n\)`") as error:
        Cosine(0.1)(3)
    assert "Received: a call of Cosine(initial=0.1, final=0.0)" in str(error.value)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Cosine(0.1, 1.0), ValueError, "Leave it out for all of the `fit`"),
        (lambda: Cosine(0.1, 1.5), TypeError, "Received: steps=1.5"),
        (lambda: Cosine(0.1, 0.0), ValueError, "Received: steps=0.0"),
        (lambda: Cosine(0.1, -0.5), TypeError, "Received: steps=-0.5"),
        (lambda: Join([0.1, 0.2, 0.3], [10, 0.5]), TypeError, "all shares"),
        (lambda: Piecewise([0.5, 0.2], [3, 2, 1]), ValueError, "increasing order"),
        (lambda: Warmup(Cosine(0.1)), TypeError, "must have a length"),
        (lambda: Cosine(0.1, epochs=2).values(9), ValueError, "steps_per_epoch"),
    ],
)
def test_wrong_lengths_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_schedule_from_elsewhere_cannot_have_one_inside():
    class Halved(keras.optimizers.schedules.LearningRateSchedule):
        def __init__(self, inner):
            self.inner = inner

        def __call__(self, step):
            return self.inner(step) / 2

    with pytest.raises(TypeError, match="inside a schedule of keras_optlab"):
        Warmup(Halved(Cosine(0.1)), 0.1).values(10)


def test_its_plot_shows_shares_or_updates():
    axes = Warmup(Cosine(0.1), 0.1).plot()
    (line,) = axes.get_lines()
    assert axes.get_xlabel() == "share of the training"
    assert line.get_xdata()[[0, -1]].tolist() == [0, 1]
    assert line.get_xdata()[np.argmax(line.get_ydata())] == pytest.approx(0.1)
    (line,) = Cosine(0.1).plot(50).get_lines()
    assert line.get_xdata()[[0, -1]].tolist() == [0, 49]
