"""Throughput and memory, as `Monitor` and `TensorBoard` log them."""

import keras
import pytest

from keras_optlab.callbacks import Monitor, Validate
from keras_optlab.callbacks.base.throughput import ExampleCount, Throughput
from keras_optlab.optimizers import SGD
from tests.support.logs import X, Y, fit, line

STEPS, EXAMPLES = "throughput/steps_per_second", "throughput/examples_per_second"


def column(monitor, tag):
    return {row["step"]: row[tag] for row in monitor.rows if tag in row}


class Clock(keras.callbacks.Callback):
    """A clock by which a batch takes 2 seconds, and a validation 100."""

    now = 50.0

    def __call__(self):
        return self.now

    def on_train_batch_end(self, batch, logs=None):
        self.now += 2.0

    def on_test_batch_begin(self, batch, logs=None):
        self.now += 100.0


def test_rates_between_points():
    times = iter([0.0, 1.0, 5.0, 5.0, 6.0])
    throughput = Throughput(lambda: next(times))
    assert throughput.measure(1, 8, 0.0) == {}
    assert throughput.measure(3, 24, 0.5) == {STEPS: 4.0, EXAMPLES: 32.0}
    assert throughput.measure(5, None, 3.5) == {STEPS: 2.0}
    assert throughput.measure(6, 40, 3.5) == {}  # no time has passed
    assert throughput.measure(6, 40, 3.5) == {}  # no steps


@pytest.mark.slow
@pytest.mark.parametrize("size", [8, 12])  # 12: the last batch has 8 examples
def test_steps_and_examples_of_a_fit_without_its_validation(size):
    clock, monitor = Clock(), Monitor(2)
    monitor.clock = clock
    fit(line(SGD(0.01)), [clock, monitor], 4, batch_size=size, validation_data=(X, Y))
    steps = column(monitor, STEPS)
    per_epoch = -(-32 // size)
    points = [n for n in range(2, 4 * per_epoch + 1) if n % 2 == 0]
    assert list(steps) == points  # not after step 1
    assert set(steps.values()) == {0.5}
    seen = {n: n // per_epoch * 32 + n % per_epoch * size for n in [1, *points]}
    for before, n in zip([1, *points], points, strict=False):
        examples = seen[n] - seen[before]
        rate = column(monitor, EXAMPLES)[n] / steps[n]
        assert rate == pytest.approx(examples / (n - before))


@pytest.mark.slow
def test_the_time_of_a_validate_does_not_count():
    monitor, validate = Monitor(2), Validate(2, (X, Y))
    fit(line(SGD(0.01)), [monitor, validate], 2)
    assert validate.seconds_beside > 0
    before = validate.seconds_beside
    fit(line(SGD(0.01)), [monitor], 1)
    assert validate.seconds_beside == before


def test_data_of_unknown_length_and_several_steps_in_one_execution():
    def batches():
        for i in range(0, 32, 8):
            yield X[i : i + 8], Y[i : i + 8]

    clock, monitor = Clock(), Monitor(2)
    monitor.clock = clock
    line_ = line(SGD(0.01))
    line_.fit(batches(), steps_per_epoch=4, verbose=0, callbacks=[clock, monitor])
    rates = column(monitor, EXAMPLES)
    assert list(rates) == [2, 4]
    assert rates[2] == pytest.approx(8 * column(monitor, STEPS)[2])
    if keras.backend.backend() != "torch":
        monitor = Monitor(2)
        fit(line(SGD(0.01), steps_per_execution=2), [monitor])
        ratio = column(monitor, EXAMPLES)[4] / column(monitor, STEPS)[4]
        assert ratio == pytest.approx(8)


class OwnStep(keras.Sequential):
    def train_step(self, *args, **kwargs):
        return super().train_step(*args, **kwargs)


@pytest.mark.slow
def test_a_custom_step_has_no_examples():
    model = OwnStep([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(SGD(0.01), "mse")
    monitor = Monitor(2)
    fit(model, [monitor])
    assert list(column(monitor, STEPS)) == [2, 4, 6, 8]
    assert EXAMPLES not in monitor.columns
    assert ExampleCount().total(model) is None


def test_memory_in_bytes():
    monitor = Monitor(2)
    fit(line(keras.optimizers.SGD(0.01)), [monitor])
    memory = column(monitor, "throughput/memory")
    assert list(memory) == [1, 2, 4, 6, 8]
    assert 2**20 < min(memory.values()) <= max(memory.values()) < 2**40
