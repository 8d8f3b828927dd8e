"""GreedyRate: rates as those of transformers' GreedyLR, on top of any schedule."""

import math

import keras
import numpy as np
import pytest

from keras_optlab import optimizers, schedules
from keras_optlab.callbacks import GreedyRate, ReduceOnPlateau, Resume
from tests.callbacks.test_reduce_on_plateau import falling, rates, steps_made
from tests.support.fitting import Script, ScriptedMetric, fit, new_model

EIGHTHS = np.arange(0, 24) / 8  # sums and differences of these are exact


class Transcription:
    """`GreedyLR` of transformers (pull request 44271) for one group, absolute mode."""

    def __init__(self, lr, mode, factor, patience, threshold, **limits):
        self.lr = self.first_lr = lr
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold = threshold
        self.cooldown, self.warmup = limits["cooldown"], limits["warmup"]
        self.min_lr, self.max_lr = limits["min_lr"], limits["max_lr"]
        self.window, self.reset_start = limits["window"], limits["reset_start"]
        self.reset()

    def reset(self):
        self.best = math.inf if self.mode == "min" else -math.inf
        self.good = self.bad = self.cooling = self.warming = 0
        self.until_reset, self.values = self.reset_start, []

    def step(self, metric):
        self.values = [*self.values, metric][-self.window :]
        current = sum(self.values) / len(self.values)
        if self.cooling > 0:
            self.cooling -= 1
            self.good = self.bad = 0
        elif self.warming > 0:
            self.warming -= 1
            self.good = self.bad = 0
        else:
            sign = 1 if self.mode == "min" else -1
            if sign * current < sign * self.best - self.threshold:
                self.best, self.bad, self.good = current, 0, self.good + 1
            else:
                self.bad, self.good = self.bad + 1, 0
            if self.good > self.patience:
                new = min(self.lr / self.factor, self.max_lr)
                self.lr = new if new - self.lr > 1e-8 else self.lr
                self.until_reset = self.reset_start
                self.warming, self.good = self.warmup, 0
            elif self.bad > self.patience:
                new = max(self.lr * self.factor, self.min_lr)
                self.lr = new if self.lr - new > 1e-8 else self.lr
                if self.lr <= self.min_lr:
                    self.until_reset -= 1
                    if self.until_reset <= 0:
                        self.lr = self.first_lr
                        self.reset()
                        return
                self.cooling, self.bad = self.cooldown, 0


def scales(callback, values, optimizer=None):
    """Return the scale after each epoch, given the metric of each epoch."""
    model = new_model(optimizer or optimizers.SGD(0.05))
    callback.set_model(model)
    callback.on_train_begin()
    seen = []
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"score": value})
        (now,) = callback.driven_values().values()
        seen.append(now)
    return seen


@pytest.mark.parametrize("seed", range(12))
def test_it_changes_the_rate_as_transformers_does(seed):
    rng = np.random.default_rng(seed)
    same = {
        "mode": str(rng.choice(["min", "max"])),
        "factor": float(rng.choice([0.5, 0.8, 0.95])),
        "patience": int(rng.integers(0, 3)),
        "cooldown": int(rng.integers(0, 4)),
        "warmup": int(rng.integers(0, 4)),
    }
    window = int(rng.choice([1, 4]))
    reset = int(rng.integers(1, 5))
    start = float(rng.choice([1.0, 0.25]))
    delta = float(rng.choice([0, 1 / 8]))
    lowest, highest = float(rng.choice([0.1, 0.25])), float(rng.choice([1.0, 2.0]))
    theirs = Transcription(
        start,
        threshold=delta,
        min_lr=lowest,
        max_lr=highest,
        window=window,
        reset_start=reset,
        **same,
    )
    sign = 1 if same["mode"] == "min" else -1
    trend = sign * np.concatenate([-np.arange(30) / 4, np.zeros(30), -np.arange(20)])
    values = [float(v) for v in trend + rng.choice(EIGHTHS, size=80)]
    ours = GreedyRate(
        "score",
        min_delta=delta,
        min_scale=lowest,
        max_scale=highest,
        window=None if window == 1 else window,
        reset_after=reset,
        **same,
    )
    expected = [theirs.step(v) or theirs.lr for v in values]
    assert len(set(expected)) > 2
    optimizer = optimizers.SGD(0.05, learning_rate_scale=start)
    np.testing.assert_allclose(scales(ours, values, optimizer), expected, rtol=1e-5)


def test_the_defaults_are_those_of_transformers():
    worse = [0.0] + [1.0] * 33
    found = scales(GreedyRate("score", mode="min"), worse)
    np.testing.assert_allclose(np.unique(found), [0.95**3, 0.95**2, 0.95, 1.0])
    assert [found.index(x) for x in sorted(set(found), reverse=True)] == [0, 11, 22, 33]
    greedy = GreedyRate()
    assert (greedy.min_delta, greedy.min_scale, greedy.max_scale) == (1e-6, 1e-3, 1.0)
    assert (greedy.cooldown, greedy.warmup, greedy.window) == (0, 0, None)
    assert (greedy.reset_after, greedy.factor, greedy.patience) == (500, 0.95, 10)


def test_a_stock_optimizer_has_limits_in_units_of_its_rate():
    greedy = GreedyRate(
        "score", 0.5, 0, mode="min", min_scale=0.25, max_scale=2.0, reset_after=None
    )
    model = new_model(keras.optimizers.SGD(0.05))
    found = rates(greedy, model, [5, 4, 4, 4, 4, 4, 4, 3, 3])
    expected = np.array([2, 2, 1, 0.5, 0.25, 0.25, 0.25, 0.5, 0.25])
    np.testing.assert_allclose(found, 0.05 * expected, rtol=1e-6)


def test_the_rate_is_the_schedule_times_the_scale():
    schedule = schedules.OneCycle(0.1, steps=24)
    model = falling(optimizers.SGD(schedule))
    greedy = GreedyRate(factor=0.5, patience=0, max_scale=4.0)
    script = Script([3.0, 2.0, 2.0, 2.0, 1.0, 1.0])
    fallen = steps_made(model, script, greedy, epochs=6)
    scale = np.repeat([1.0, 2.0, 4.0, 2.0, 1.0, 2.0], 4)
    np.testing.assert_allclose(fallen, schedule.values(24) * scale, atol=2e-6)


def test_it_changes_the_rate_in_the_middle_of_an_epoch():
    metric = ScriptedMetric([4, 5, 5, 3, 2, 1, 1, 1])
    model = falling(optimizers.SGD(0.1), metrics=[metric])
    greedy = GreedyRate("error", factor=0.5, patience=1, every=1)
    fallen = steps_made(model, greedy, epochs=2)
    scale = np.array([1, 1, 1, 0.5, 0.5, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(fallen, 0.1 * scale, atol=1e-6)


def test_a_nan_never_improves_and_leaves_the_window():
    greedy = GreedyRate("score", 0.5, 0, mode="min", window=2, max_scale=8.0)
    found = scales(greedy, [math.nan, math.nan, 3.0, 3.0, 1.0])
    np.testing.assert_allclose(found, [0.5, 0.25, 0.125, 0.25, 0.5])


@pytest.mark.slow
def test_it_goes_on_after_an_interruption(tmp_path):
    values = [5.0, 4.0, 4.5, 4.5, 4.5, 4.5, 4.0, 3.0]

    def train(directory, epochs):
        keras.utils.clear_session()
        model = new_model(optimizers.SGD(0.1))
        greedy = GreedyRate(factor=0.5, patience=1, cooldown=1, window=2)
        resume = Resume(directory, verbose=0)
        fit(model, [Script(values), greedy, resume], epochs=epochs)
        return model

    whole = train(tmp_path / "whole", epochs=8)
    for epochs in (3, 5, 8):
        parts = train(tmp_path / "parts", epochs=epochs)
    assert whole.optimizer.learning_rate_scale < 1
    for model in whole, parts:
        assert model.optimizer.learning_rate_scale == (
            whole.optimizer.learning_rate_scale
        )
    for a, b in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_changes_are_printed(capsys):
    greedy = GreedyRate("score", 0.5, 0, mode="min", verbose=1, min_scale=0.5)
    greedy.reset_after = 1
    scales(greedy, [1.0, 2.0])
    assert capsys.readouterr().out.splitlines() == [
        "GreedyRate: after epoch 2: lowered learning_rate_scale 1 -> 0.5.",
        "GreedyRate: after epoch 2: reset to the start of the training.",
    ]


def test_two_cannot_drive_one_rate():
    two = [ReduceOnPlateau("loss"), GreedyRate("loss")]
    with pytest.raises(ValueError, match="Two callbacks drive 'learning_rate_scale'"):
        steps_made(falling(optimizers.SGD(0.1)), *two, epochs=1)


def test_a_stock_optimizer_with_a_schedule_is_refused():
    model = falling(keras.optimizers.SGD(schedules.Cosine(0.1, 9)))
    with pytest.raises(TypeError, match=r"schedule.*Received: .*keras_optlab.optim"):
        steps_made(model, GreedyRate("loss"), epochs=1)
