"""What a range test's losses say, on curves that are known."""

import numpy as np
import pytest

from keras_optlab.finders import RateRange
from keras_optlab.finders.curve import ABOVE, BELOW, Curve, overlap
from keras_optlab.finders.points import RULES, slide, steepest, tenth_of_minimum, valley
from keras_optlab.finders.smoothing import BETA, Smoothed, smooth

VALUES = np.geomspace(1e-5, 10, 121)


def runs(fall=1.0, noise=0.02, knee=1e-2, n=3, seed=0):
    """Return losses that fall from 2 around `knee` and explode above 100 times it."""
    rng = np.random.default_rng(seed)
    shape = 2 - fall / (1 + (knee / VALUES) ** 2) + (VALUES / (100 * knee)) ** 4
    return [shape + noise * rng.normal(size=len(VALUES)) for _ in range(n)]


def found(losses, name="learning_rate"):
    return RateRange(None, name, VALUES, losses)


def test_the_smoothing_is_a_moving_average_with_bias_correction():
    losses = np.array([3.0, 1.0, 2.0])
    weights = np.array([BETA**2, BETA, 1.0])
    assert smooth(losses)[0] == pytest.approx(3.0)
    assert smooth(losses)[2] == pytest.approx(weights @ losses / weights.sum())


def test_a_run_has_diverged_at_nan_or_far_above_its_start():
    mean = Smoothed()
    assert not any(mean.has_diverged(mean.add(2.0)) for _ in range(20))
    assert mean.has_diverged(float("nan"))
    assert any(mean.has_diverged(mean.add(9.0)) for _ in range(10))


def test_the_range_is_around_the_knee_of_the_curve():
    result = found(runs())
    assert result.found
    assert 0.5e-2 < result.low / BELOW < 10e-2
    assert result.high / result.low == pytest.approx(ABOVE / BELOW)
    assert result.high / result.low <= 30
    assert result.confidence > 0.8


def test_every_suggestion_is_in_the_range_and_in_the_table():
    result = found(runs())
    assert result.suggestions.keys() == set(RULES)
    for rule, value in result.suggestions.items():
        assert result.low <= value <= result.high
        assert result.suggestion(rule) == value
        assert rule in result.table()
    assert result.suggestion() == result.suggestions["knee/3"]
    with pytest.raises(ValueError, match="Did you mean 'valley'"):
        result.suggestion("vally")


def test_rules_on_a_straight_descent():
    losses = np.concatenate([np.full(40, 2.0), np.linspace(2, 0, 41), np.full(40, 0.5)])
    error = np.full(121, 0.01)
    curve = Curve(VALUES, losses, 2.0, error, diverges=True)
    assert VALUES[40] <= steepest(curve) <= VALUES[80]
    assert valley(curve) == pytest.approx(VALUES[60], rel=0.2)
    assert tenth_of_minimum(curve) == pytest.approx(VALUES[80] / 10)
    assert slide(curve) in VALUES
    assert VALUES[curve.knee] == pytest.approx(VALUES[72], rel=0.2)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (runs(fall=0.0, noise=0.1), "never fell by more than its noise"),
        (runs(fall=0.05, noise=0.3), "never fell by more than its noise"),
        ([np.full(121, 2.0)] * 3, "never fell by more than its noise"),
        ([np.array([np.nan])] * 3, "not finite after the first update"),
        ([2 - np.arange(121) / 121] * 2, "still falling at the highest value"),
        (runs(knee=1e-4, n=1) + runs(knee=1e-1, n=1), "runs disagree"),
    ],
)
def test_a_curve_that_says_nothing_is_refused(losses, reason):
    result = found(losses)
    assert not result.found
    assert reason in result.reason
    assert reason in result.table()
    assert "found=False" in repr(result)
    with pytest.raises(ValueError, match=reason):
        result.suggestion()
    with pytest.raises(ValueError, match=reason):
        result.apply()


def test_noise_alone_is_refused_in_nearly_all_seeds():
    refused = [not found(runs(fall=0.0, noise=0.1, seed=s)).found for s in range(100)]
    assert sum(refused) >= 95


def test_a_run_without_a_fall_lowers_the_confidence():
    both = runs(n=2)
    flat = runs(fall=0.0, n=1, noise=0.3)
    assert found([*both, *flat]).confidence < found(both).confidence


def test_overlap_of_ranges():
    assert overlap([(1, 10), (1, 10)]) == pytest.approx(1.0)
    assert overlap([(1, 100), (10, 1000)]) == pytest.approx(1 / 3)
    assert overlap([(1, 10), (100, 1000)]) == 0.0


def test_another_hyperparameter_has_a_range_below_the_lowest_loss():
    result = found(runs(), "weight_decay")
    assert result.high == result.curve.values[result.curve.lowest]
    assert result.suggestion() == pytest.approx(result.high / 10)


def test_the_plot_marks_and_explains_the_points():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    result = found(runs())
    ax = result.plot()
    texts = " ".join(t.get_text() for t in ax.get_legend().get_texts())
    for rule in (*RULES, "range, confidence", "the loss falls fastest here"):
        assert rule in texts
    assert found(runs(fall=0.0)).plot(ax) is ax
    pyplot.close("all")
