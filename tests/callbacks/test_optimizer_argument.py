"""Which optimizer a callback logs and changes: the one that trains."""

import types
import warnings

import keras
import numpy as np
import pytest

from keras_optlab import callbacks, optimizers, schedules
from tests.support.logs import read, read_text
from tests.support.own_steps import X, Y, by_another, fit, own, several

PUBLIC = set(callbacks.__all__) - set(callbacks.base.__all__)

pytestmark = pytest.mark.sampled

GROWING = schedules.Linear(0.0, steps=10, final=0.1)


def made(name, tmp_path, **kwargs):
    """Return the callback of this name; each of them reads an optimizer."""
    path = str(tmp_path / "{epoch}.weights.h5")
    return {
        "AverageModelCheckpoint": lambda: callbacks.AverageModelCheckpoint(
            False, path, save_weights_only=True, **kwargs
        ),
        "EarlyStopping": lambda: callbacks.EarlyStopping(
            "d_loss", patience=9, restore_best=False, verbose=0, **kwargs
        ),
        "GradientClipping": lambda: callbacks.GradientClipping(
            norm=1e-3, every=1, **kwargs
        ),
        "GradientSignals": lambda: callbacks.GradientSignals(
            2, signals=["gradient_cosine"], **kwargs
        ),
        "HyperparameterScheduler": lambda: callbacks.HyperparameterScheduler(
            "weight_decay", GROWING, **kwargs
        ),
        "Monitor": lambda: callbacks.Monitor(every=2, **kwargs),
        "ReduceOnPlateau": lambda: callbacks.ReduceOnPlateau(
            "d_loss", factor=0.5, patience=1, min_delta=1e9, **kwargs
        ),
        "TensorBoard": lambda: callbacks.TensorBoard(tmp_path, every=2, **kwargs),
        "Track": lambda: callbacks.Track(
            types.SimpleNamespace(log=lambda values, step: None), **kwargs
        ),
        "Validate": lambda: callbacks.Validate(2, (X, Y), **kwargs),
        "WeightClipping": lambda: callbacks.WeightClipping(
            low=-0.1, high=0.1, start=5, **kwargs
        ),
    }[name]()


OTHERS = {
    "BatchRamp",  # needs MultiSteps
    "GradualUnfreezing",  # needs several blocks
    "GreedyRate",  # drives what ReduceOnPlateau drives
    "QKClip",  # needs attention, and is of the model
    "RateFinder",
    "Resume",
    "SpikeGuard",  # its own tests: it would react to the steps of the others
    "TimeStopping",
}
READERS = sorted(PUBLIC - OTHERS)


@by_another
@pytest.mark.slow
def test_all_read_the_optimizer_that_they_are_given(tmp_path):
    ours = optimizers.AdamW(0.1, use_ema=True)
    model = own(ours)
    all_of_them = [made(name, tmp_path, optimizer=ours) for name in READERS]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="|".join(READERS))
        history = fit(model, *all_of_them, epochs=3)
    assert history["lr"] == pytest.approx([0.1, 0.1, 0.05])
    assert len(history["grad_norm"]) == 3
    assert history["clipped_fraction"] == [1.0, 1.0, 1.0]
    assert ours.learning_rate_scale == 0.25
    train = read(tmp_path / "train")
    points = [1, 2, 4, 6, 8, 10, 12]
    assert train["hyperparameter/weight_decay"] == pytest.approx(
        {step: GROWING(step) for step in points}
    )
    assert list(train["optimizer/gradient_norm"]) == points
    assert "AdamW" in read_text(tmp_path / "train", "configuration/optimizer")[0]
    by_name = dict(zip(READERS, all_of_them, strict=True))
    assert by_name["EarlyStopping"].best_step in {4, 8, 12}
    assert by_name["Validate"].history["step"] == [2, 4, 6, 8, 10, 12]
    assert np.abs(model.net.get_weights()[0]).max() <= 0.1 + 1e-6
    assert len(list(tmp_path.glob("*.weights.h5"))) == 3


@by_another
@pytest.mark.parametrize("name", READERS)
def test_an_optimizer_that_takes_no_step_is_not_shown_in_silence(name, tmp_path):
    model = own(optimizers.SGD(0.1), optimizer=optimizers.Adam(0.7, use_ema=True))
    callback = made(name, tmp_path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        history = fit(model, callback, epochs=2)
        fit(model, callback, epochs=1)
    told = [str(w.message) for w in told if str(w.message).startswith(name)]
    assert len(told) == (name != "EarlyStopping")
    if told:
        assert "Adam, has taken no step" in told[0]
        assert f"{name}(..., optimizer=...)" in told[0]
        assert "The model has model.d_optimizer." in told[0]
    assert "lr" not in history
    if name == "TensorBoard":
        train = read(tmp_path / "train")
        assert {tag.partition("/")[0] for tag in train} == {"epoch", "throughput"}
        shown = read_text(tmp_path / "train", "configuration/optimizer")[0]
        assert "Adam" not in shown


def test_one_that_moves_late_is_shown_from_then_on():
    monitor = callbacks.Monitor(every=1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizers.SGD(0.1, gradient_accumulation_steps=8), loss="mse")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Monitor")
        history = fit(model, monitor, epochs=1)  # half an accumulation window
    assert history["lr"] == pytest.approx([0.1])


def test_a_step_that_is_skipped_is_a_step():
    inner = optimizers.SGD(0.1)
    scaled = keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0**127)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(scaled, loss="mse")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Monitor")
        history = fit(model, callbacks.Monitor(), epochs=1, batch_size=32)
    assert history["lr"] == pytest.approx([0.1])


@by_another
@pytest.mark.parametrize("make", [optimizers.SGD, keras.optimizers.SGD])
@pytest.mark.slow
def test_a_step_of_several_updates_is_one_step(make):
    given = make(1e-3)
    monitor = callbacks.Monitor(every=2, statistics_every=1, optimizer=given)
    stopping = callbacks.EarlyStopping("d_loss", verbose=0, optimizer=given)
    model = own(given, times=5)
    for _ in range(2):
        fit(model, monitor, stopping, shuffle=False)
    steps = [row["step"] for row in monitor.rows]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == (1, 16)
    assert stopping.best_step == 16


def test_one_that_is_given_and_takes_no_step_is_told_of():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizers.SGD(0.1), loss="mse")
    monitor = callbacks.Monitor(optimizer=optimizers.Adam())
    with pytest.warns(UserWarning, match="it was given, Adam, has taken no step") as w:
        fit(model, monitor)
    assert len([x for x in w if "Monitor" in str(x.message)]) == 1


@by_another
def test_a_model_without_an_optimizer(tmp_path):
    model = own(optimizers.SGD(0.1), optimizer=None)
    fine = [
        made(name, tmp_path) for name in ("EarlyStopping", "Monitor", "TensorBoard")
    ]
    clipping = callbacks.WeightClipping(low=-0.1, high=0.1)
    history = fit(model, *fine, clipping)
    assert history.keys() == {"d_loss"}
    assert [row["step"] for row in fine[1].rows] == [1, 2, 4, 6, 8]
    assert np.abs(model.net.get_weights()[0]).max() <= 0.1 + 1e-6
    validate = made("Validate", tmp_path)
    fit(model, validate, epochs=1)
    assert validate.history["step"] == [2, 4]
    able = {"EarlyStopping", "Monitor", "TensorBoard", "Track", "Validate"}
    for name in set(READERS) - able:
        with pytest.raises((TypeError, ValueError), match="Received: "):
            fit(model, made(name, tmp_path))


# Several optimizers by layer.


@pytest.mark.parametrize("stock", [True, False])
def test_the_optimizers_of_several_are_shown_and_reduced_together(stock, tmp_path):
    make = keras.optimizers.SGD if stock else optimizers.SGD
    a, b = make(0.01, name="a"), optimizers.Adam(schedules.Constant(0.02), name="b")
    model = several(a, b)
    plateau = callbacks.ReduceOnPlateau(
        "loss", factor=0.5, patience=1, min_delta=1e9, min_scale=0.3
    )
    stopping = callbacks.EarlyStopping("loss", verbose=0)
    clipping = callbacks.WeightClipping(low=-9.0, start=2)
    tensorboard = callbacks.TensorBoard(tmp_path, every=2)
    history = fit(
        model, callbacks.Monitor(2), tensorboard, stopping, plateau, clipping, epochs=4
    )
    assert history["lr_a"] == pytest.approx([0.01, 0.01, 0.005, 0.003])
    assert history["lr_b"] == pytest.approx([0.02, 0.02, 0.01, 0.006])
    assert stopping.best_step == 16
    train = read(tmp_path / "train")
    assert train["optimizer/learning_rate/a"][16] == pytest.approx(0.003)
    assert b.learning_rate_scale == pytest.approx(0.3)


def test_one_of_several_can_be_driven_shown_and_clipped():
    a, b = keras.optimizers.SGD(0.01), optimizers.SGD(0.02)
    model = several(a, b)
    history = fit(
        model,
        callbacks.Monitor(1, optimizer=b),
        callbacks.GradientClipping(norm=1e-6, every=1, optimizer=b),
        callbacks.HyperparameterScheduler(
            "learning_rate", lambda step: 0.1 * step, optimizer=a
        ),
    )
    assert history["lr"] == pytest.approx([0.02, 0.02])
    assert history["clipped_fraction"] == [1.0, 1.0]
    assert len(history["grad_norm"]) == 2
    rate = float(keras.ops.convert_to_numpy(a.learning_rate))
    assert rate == pytest.approx(0.7)


def test_two_optimizers_are_driven_side_by_side(tmp_path):
    a, b = optimizers.SGD(0.01, name="a"), optimizers.SGD(0.02, name="b")
    model = several(a, b)
    half = {"factor": 0.5, "patience": 1, "min_delta": 1e9}
    driving = [
        callbacks.ReduceOnPlateau("loss", optimizer=a, **half),
        callbacks.ReduceOnPlateau("loss", optimizer=b, min_scale=0.9, **half),
        callbacks.GradientClipping(norm=1.0, optimizer=a),
        callbacks.GradientClipping(norm=2.0, optimizer=b),
    ]
    monitor = callbacks.Monitor(every=4, optimizer=a)
    board = callbacks.TensorBoard(tmp_path, every=4, optimizer=a)
    fit(model, *driving, monitor, board)
    assert (a.learning_rate_scale, b.learning_rate_scale) == (0.5, 0.9)
    assert {row["hyperparameter/clipnorm"] for row in monitor.rows} == {1.0}
    assert {row["hyperparameter/b.clipnorm"] for row in monitor.rows} == {2.0}
    assert not any(tag.endswith("clipnorm") for tag in read(tmp_path / "train"))
    with pytest.raises(ValueError, match="Two callbacks drive 'learning_rate_scale'"):
        fit(model, driving[1], callbacks.ReduceOnPlateau("loss"))


@pytest.mark.parametrize(
    "callback",
    [
        callbacks.GradientClipping(norm=1.0),
        callbacks.HyperparameterScheduler("learning_rate", GROWING),
        callbacks.HyperparameterScheduler("weight_decay", GROWING),
    ],
    ids=["clipping", "rate", "decay"],
)
def test_which_of_several_is_asked_for(callback):
    model = several(optimizers.SGD(), optimizers.Adam())
    with pytest.raises((TypeError, AttributeError), match="`optimizers` by `optimizer"):
        fit(model, callback)


# Saving and checking.


# a tracker is no part of a configuration either, and cannot be left out
@pytest.mark.parametrize("name", sorted({*READERS} - {"Track"}))
def test_the_optimizer_is_no_part_of_the_configuration(name, tmp_path):
    given = optimizers.SGD(use_ema=True)
    config = made(name, tmp_path, optimizer=given).get_config()
    assert config == made(name, tmp_path).get_config()
    again = getattr(callbacks, name).from_config(config)
    assert again.given_optimizer is None


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("wrong", ["adam", optimizers.Adam, 3, []])
def test_what_is_no_optimizer_is_refused(name, wrong, tmp_path):
    with pytest.raises(TypeError, match="`optimizer` must be .*Received: optimizer="):
        made(name, tmp_path, optimizer=wrong)
