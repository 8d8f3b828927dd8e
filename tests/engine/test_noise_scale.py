"""The noise scale from measurements on micro-batches."""

import numpy as np
import pytest

from keras_optlab.engine.statistics.noise_scale import NoiseScale

RNG = np.random.default_rng(0)


def measured(gradients, micro_batch):
    """Return the arguments of `update` for the gradients of single examples."""
    means = gradients.reshape(-1, micro_batch, gradients.shape[1]).mean(1)
    return {
        "square": np.sum(means.mean(0) ** 2),
        "variance": np.sum(means.var(0, ddof=1)),
        "batches": len(means),
        "micro_batch": micro_batch,
    }


def test_two_micro_batches_give_the_formulas_of_the_paper():
    g = RNG.normal(1.0, 1.0, size=(8, 5))
    small, big = 4, 8
    of_small = np.mean(np.sum(g.reshape(2, 4, 5).mean(1) ** 2, axis=1))
    of_big = np.sum(g.mean(0) ** 2)
    square = (big * of_big - small * of_small) / (big - small)
    trace = (of_small - of_big) / (1 / small - 1 / big)
    assert NoiseScale().update(**measured(g, small)) == pytest.approx(trace / square)


def test_the_mean_over_many_samples_is_the_true_scale():
    true, spread = np.array([0.3, -0.4]), np.array([2.0, 1.0])
    for m in 1, 4:
        traces, squares = [], []
        for _ in range(4000):
            it = measured(true + spread * RNG.normal(size=(16, 2)), m)
            traces.append(m * it["variance"])
            squares.append(it["square"] - it["variance"] / it["batches"])
        assert np.mean(traces) == pytest.approx(5.0, rel=0.03)
        assert np.mean(squares) == pytest.approx(0.25, rel=0.2)


def test_the_ratio_is_that_of_the_averages():
    scale, trace, square = NoiseScale(), 0.0, 0.0
    for own in 1.0, 3.0, -2.0:
        found = scale.update(square=own + 2.0, variance=8.0, batches=4, micro_batch=2)
        trace, square = 0.8 * trace + 0.2 * 16, 0.8 * square + 0.2 * own
        assert found == pytest.approx(trace / square)


def test_a_gradient_that_cannot_be_told_from_zero_gives_none():
    args = {"variance": 8.0, "batches": 4, "micro_batch": 2}
    scale = NoiseScale()
    assert scale.update(square=1.0, **args) is None
    assert scale.update(square=3.0, **args) == pytest.approx((0.8 + 1) * 16 / (1 - 0.8))
