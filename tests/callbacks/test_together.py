"""Many callbacks in one `fit`: each value changes as computed by hand."""

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_optlab import optimizers, schedules
from keras_optlab.callbacks import (
    EarlyStopping,
    GradientClipping,
    HyperparameterScheduler,
    Monitor,
    ReduceOnPlateau,
    TensorBoard,
    WeightClipping,
)
from keras_optlab.verify.problems import values

STEPS, EPOCHS = 6, 4
RATE = schedules.OneCycle(0.1, steps=STEPS * EPOCHS)
DECAY = schedules.Linear(0.0, steps=STEPS * EPOCHS, final=0.4)
LIMIT = schedules.Linear(2.0, steps=STEPS * EPOCHS)


def prediction(y, p):
    """Return a loss whose gradient is 1."""
    return keras.ops.mean(p)


def scale_at(t):
    """Return the factor on the rate: halved after each epoch but the first."""
    return 0.5 ** max(t // STEPS - 1, 0)


def by_hand():
    """Return the weight before each step, and after the last."""
    w = [1.0]
    for t in range(STEPS * EPOCHS):
        rate = RATE(t) * scale_at(t)
        gradient = min(1.0, 0.4 * LIMIT(t))
        stepped = w[-1] - rate * DECAY(t) * w[-1] - rate * gradient
        w.append(min(stepped, 0.7) if t >= 3 else stepped)
    return w


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Train one weight with all callbacks; return the model, the log, the monitor."""
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="one")
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(optimizers.SGD(RATE), prediction)
    log_dir, monitor = tmp_path_factory.mktemp("log"), Monitor(every=1)
    ones = np.ones((STEPS, 1), "float32")
    callbacks = [
        ReduceOnPlateau("loss", factor=0.5, patience=1, min_delta=1e9),
        GradientClipping(global_norm=0.4, schedule=LIMIT, every=1),
        HyperparameterScheduler("weight_decay", DECAY),
        WeightClipping(high=0.7, start=3),
        EarlyStopping("val_loss", patience=9, verbose=0),
        TensorBoard(log_dir, every=1),
        monitor,
    ]
    model.fit(
        ones,
        ones,
        batch_size=1,
        epochs=EPOCHS,
        validation_data=(ones, ones),
        verbose=0,
        callbacks=callbacks,
    )
    log = EventAccumulator(str(log_dir / "train"))
    log.Reload()
    return model, log, monitor


def logged(log, tag):
    return {point.step: point.value for point in log.Scalars(tag)}


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("hyperparameter/weight_decay", DECAY),
        ("hyperparameter/global_clipnorm", lambda t: 0.4 * LIMIT(t)),
        ("optimizer/gradient_norm", lambda t: 1.0),
    ],
)
@pytest.mark.slow
def test_what_moves_by_the_step(run, tag, expected):
    points = logged(run[1], tag)
    assert list(points) == list(range(1, STEPS * EPOCHS + 1))
    for step, value in points.items():
        assert value == pytest.approx(expected(step), rel=1e-5, abs=1e-6), step


def test_what_a_plateau_changes_too(run):
    """At the end of an epoch the order of the callbacks decides who sees the change."""
    for tag, rate in (
        ("optimizer/learning_rate", RATE),
        ("hyperparameter/learning_rate_scale", lambda t: 1.0),
    ):
        points = logged(run[1], tag)
        for step, value in points.items():
            expected = rate(step) * scale_at(step)
            assert value == pytest.approx(expected, rel=1e-5), (tag, step)


def test_what_was_clipped(run):
    for step, value in logged(run[1], "optimizer/gradient_norm_clipped").items():
        assert value == pytest.approx(min(1.0, 0.4 * LIMIT(step - 1)), abs=1e-6)
    for step, value in logged(run[1], "optimizer/clipped_fraction").items():
        assert value == (0.4 * LIMIT(step - 1) < 1)


def test_the_weight_itself(run):
    model, log, monitor = run
    expected = by_hand()
    for step, value in logged(log, "weight_norm/one/kernel").items():
        assert value == pytest.approx(abs(expected[step - 1]), rel=1e-5), step
    # the best weights by val_loss are the last ones, which are the lowest
    assert values(model.weights)[0].item() == pytest.approx(expected[-1], rel=1e-5)
    assert len(monitor.rows) == STEPS * EPOCHS


def test_afterwards_the_optimizer_is_as_it_was_made(run):
    optimizer = run[0].optimizer
    assert optimizer.weight_decay is None
    assert optimizer.global_clipnorm is None
    assert optimizer.learning_rate_scale == 0.125  # stays, like a reduced rate
    assert run[0].weights[0].constraint is None
