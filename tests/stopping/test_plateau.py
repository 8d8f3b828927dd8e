"""The fit of the power law, and when `Plateau` does not decide."""

import numpy as np
import pytest

from keras_optlab.stopping import Plateau
from keras_optlab.stopping.power_law import fit_power_law

pytestmark = pytest.mark.sampled

T = np.arange(1.0, 201.0)


def noise(seed, size=0.01):
    return np.random.default_rng(seed).normal(0, size, len(T))


@pytest.mark.parametrize(("a", "b", "c"), [(0.5, 2, 0.3), (-1, 3, 1.5), (0, 1e-3, 0.8)])
def test_an_exact_curve_is_found(a, b, c):
    law = fit_power_law(7 * T, a + b * (7 * T) ** -c)
    assert (law.a, law.b, law.c) == pytest.approx((a, b, c), rel=1e-4, abs=1e-6)
    assert law.fall == pytest.approx(b * (7**-c - 1400**-c))
    # the curve itself, 3 times as far
    further = b * (1400**-c - (3 * 1400) ** -c)
    assert law.share(3) == pytest.approx(further / law.fall, rel=1e-4)
    assert law.drift == 0


def test_the_best_exponent_in_numpy():
    y = 1 + 2 * T**-0.7 + noise(3, 0.002)
    errors = []
    grid = np.linspace(0.5, 0.9, 4001)
    for c in grid:
        design = np.stack([np.ones_like(T), T**-c], axis=1)
        solution, *_ = np.linalg.lstsq(design, y, rcond=None)
        errors.append(np.sum((y - design @ solution) ** 2))
    # Huber's weights move it a little; the noise moves it by 0.007
    assert fit_power_law(T, y).c == pytest.approx(grid[np.argmin(errors)], abs=3e-3)


@pytest.mark.parametrize("seed", range(5))
def test_outliers_hardly_move_the_curve(seed):
    y = 1 + 2 * T**-0.7 + noise(seed)
    y[np.random.default_rng(seed).choice(np.arange(5, 200), 20)] += 1.5
    assert fit_power_law(T, y).c == pytest.approx(0.7, abs=0.1)


def test_the_lowest_exponent_is_below_the_true_one():
    laws = [fit_power_law(T, 1 + 2 * T**-0.7 + noise(s, 0.02)) for s in range(20)]
    assert sum(law.lowest_c <= 0.7 for law in laws) >= 17
    assert all(law.lowest_c > 0.4 for law in laws)


def decided(curve, **arguments):
    """Return whether `Plateau` stops anywhere on a curve, and its last refusal."""
    criterion = Plateau(**arguments)
    criterion.start(metric="loss")
    reasons = [criterion.update(y, position=t) for t, y in zip(T, curve, strict=False)]
    return any(reasons), criterion.refusal


REFUSED = {
    "few values": (1 + 4 / T[:9], "9 values of at least 10"),
    "constant": (np.ones(200), "loss has not changed"),
    "rising": (1 - 1 / T, "loss has not improved by more than its noise"),
    "noise": (1 + noise(0), "loss has not improved by more than its noise"),
    "a second fall": (
        (1 / T + 2 - 0.5 / (1 + np.exp((100 - T) / 10)))[:110],
        "the newest values of loss leave the fitted curve",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_says_why_it_does_not_decide(case):
    curve, why = REFUSED[case]
    stopped, refusal = decided(curve, tolerance=0.002)
    assert not stopped
    assert refusal.endswith(why)


def test_noise_alone_never_stops():
    assert not any(decided(1 + noise(seed))[0] for seed in range(2))


@pytest.mark.parametrize("seed", range(3))
def test_a_plateau_in_noise_is_found_and_slow_progress_is_not_one(seed):
    assert decided(1 + 4 * np.exp(-T / 5) + noise(seed, 0.02))[0]
    assert not decided(1 + 4 * T**-0.3 + noise(seed, 0.02))[0]
    assert not decided(4 - 0.01 * T + noise(seed, 0.02))[0]


def test_values_without_a_new_position_do_not_count():
    criterion = Plateau(least=5)
    for position in (0, 1, 1, 2, 1, 3):
        criterion.update(1 / (1 + position), position=position)
    criterion.update(float("nan"), position=4)
    assert criterion.refusal == "there are 3 values of at least 5"
