"""Criteria in `fit`: which stops it, what is told, and what is refused before."""

import math
import warnings

import keras
import numpy as np
import pytest

from keras_optlab import callbacks, full_batch, optimizers
from keras_optlab.callbacks import EarlyStopping
from keras_optlab.stopping import (
    Evidence,
    GeneralizationLoss,
    MeasuredCriterion,
    Patience,
    Plateau,
    ProgressQuotient,
    Rising,
)
from tests.support.fitting import Script, X, Y, compiled, fit, new_model
from tests.support.logs import read, read_text

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()
NOISY = Y + np.random.default_rng(1).normal(size=Y.shape)


class Scripted(MeasuredCriterion):
    """A criterion that measures scripted values, and stops above 0."""

    def __init__(self, values, **kwargs):
        super().__init__(**kwargs)
        self.values, self.steps = values, []

    def measure(self, model):
        assert np.isfinite(model.get_weights()[0]).all()
        return self.values[self.count]

    def decide(self, value, train_value, position):
        self.figure = value
        self.steps.append(position)
        return f"it is {value:g}" if value > 0 else None


class Both(keras.callbacks.Callback):
    """A callback that reports a validation and a training loss."""

    def __init__(self, validation, training):
        super().__init__()
        self.values = list(zip(validation, training, strict=True))

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"], logs["loss"] = self.values[epoch]


CURVE = [4.0, 2.0, 2.5, 2.25, 2.0, 2.5, 2.5, 2.5]
TRAINING = [2.0, 1.0, 0.75, 0.625, 0.5, 0.5, 0.5, 0.5]
STOPS = {
    "GL": (
        [GeneralizationLoss(20)],
        "GeneralizationLoss",
        3,
        "25 % above its best, 2 (GL",
    ),
    "PQ": ([ProgressQuotient(0.1, 2)], "ProgressQuotient", 4, "while loss fell little"),
    "UP": ([Rising(1, strip=2)], "Rising", 4, "rose in 1 strip of 2 values, to 2.25"),
    "patience": ([Patience(4)], "Patience", 6, "not improved for 4 values"),
    "any of several": ([Patience(4), Patience(2)], "Patience_2", 4, "for 2 values"),
    "plateau": ([Plateau()], None, None, ""),
}


@pytest.mark.parametrize("case", STOPS)
def test_any_criterion_stops_and_says_so(case, capsys):
    criteria, by, epoch, why = STOPS[case]
    stopping = EarlyStopping(criteria=criteria)
    history = fit(compiled(), [Both(CURVE, TRAINING), stopping], epochs=8)
    assert len(history.epoch) == (epoch or 8)
    assert stopping.stopped_by == history.stopped_by == by
    assert stopping.reason == history.reason
    assert why in stopping.reason
    assert "\n" not in stopping.reason
    assert set(history.history) == {"loss", "val_loss"}
    said = capsys.readouterr().out
    assert said.startswith("EarlyStopping: " + stopping.reason)
    assert said.endswith("of the best epoch, 2 (val_loss 2).\n")
    if by:
        assert stopping.reason.startswith(f"Stopped after epoch {epoch}: val_loss ")


ARGUMENTS = {
    "patience": ({"patience": 1}, "patience", 3),
    "target": ({"target": 2}, "target", 2),
    "divergence": ({"divergence": 2.4, "start_from_epoch": 1}, "divergence", 3),
    "nothing": ({}, None, 8),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_the_arguments_are_criteria_too(case):
    arguments, by, epochs = ARGUMENTS[case]
    stopping = EarlyStopping(criteria=[Rising(9)], verbose=0, **arguments)
    history = fit(compiled(), [Script(CURVE), stopping], epochs=8)
    assert (len(history.epoch), stopping.stopped_by) == (epochs, by)
    stopping = EarlyStopping(verbose=0)  # without criteria, the patience is 5
    history = fit(compiled(), [Script([1.0] * 9), stopping], epochs=9)
    assert (len(history.epoch), history.stopped_by) == (6, "patience")


def test_a_value_that_is_not_finite_and_time():
    stopping = EarlyStopping(criteria=[Patience()], verbose=0)
    fit(compiled(), [Script([1.0, math.nan]), stopping], epochs=2)
    assert stopping.stopped_by == "check_finite"
    stopping = EarlyStopping("loss", criteria=[Patience()], max_seconds=1e-6, verbose=0)
    fit(compiled(), [stopping], epochs=3)
    assert stopping.stopped_by == "max_seconds"


def test_criteria_begin_at_the_first_epoch_that_counts_and_in_every_fit():
    stopping = EarlyStopping(
        criteria=[GeneralizationLoss(20)], start_from_epoch=2, verbose=0
    )
    model = compiled()
    for _ in range(2):
        history = fit(model, [Script([1.0, 1.0, 4.0, 4.5, 5.0]), stopping], epochs=5)
        assert len(history.epoch) == 5
    assert stopping.reason == "Stopped after epoch 5: val_loss is 25 % above its " + (
        "best, 4 (GL > 20)."
    )


def test_by_step_and_in_steps():
    stopping = EarlyStopping(
        "loss", criteria=[Patience(3, min_delta=9, unit="steps")], every=2, verbose=0
    )
    model = new_model()
    fit(model, [stopping], batch_size=4)
    # values at steps 1, 2 and 4; one execution later
    assert stopping.reason.startswith("Stopped at step 4: loss has not improved for 3")
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 4


@pytest.mark.parametrize(
    ("every", "at"), [(1, [1, 2, 3]), (2, [2, 4, 6]), (3, [3, 6, 9])]
)
def test_measurements_come_every_few_steps(every, at):
    criterion = Scripted([-2.0, -1.0, 0.5, 1.0], every=every)
    stopping = EarlyStopping(criteria=[criterion], verbose=0)
    model = new_model()
    history = fit(model, [stopping], batch_size=4, epochs=9)
    assert criterion.steps == at
    assert stopping.reason == f"Stopped at step {at[-1]}: it is 0.5."
    assert len(history.epoch) == -(-at[-1] // 4)


@pytest.mark.skipif(BACKEND == "torch", reason="torch has no steps_per_execution")
def test_measurements_with_several_steps_in_an_execution():
    criterion = Scripted([-1.0] * 9, every=3)
    model = new_model(steps_per_execution=2)
    fit(model, [EarlyStopping(criteria=[criterion])], batch_size=4, epochs=3)
    assert criterion.steps == [4, 6, 10, 12]


def evidence(**arguments):
    return Evidence(X, Y, **({"examples": 16, "micro_batch": 1} | arguments))


@pytest.mark.parametrize(
    "compiling", [{}, {"run_eagerly": True}, {"jit_compile": True}]
)
def test_evidence_needs_no_validation_and_keeps_the_last_weights(compiling, capsys):
    if BACKEND == "torch" and compiling.get("jit_compile"):
        pytest.skip("torch would compile by inductor")
    model = new_model(keras.optimizers.SGD(0.05), **compiling)
    stopping = EarlyStopping(
        criteria=[Evidence(X, NOISY, examples=16, micro_batch=1, every=1)]
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="EarlyStopping")
        history = fit(model, [stopping], epochs=40, y=NOISY, batch_size=16)
    assert 1 < len(history.epoch) < 40
    assert history.stopped_by == "Evidence"
    assert stopping.best is None
    assert stopping.recorded[0][1]["stopping/Evidence"] < 0
    assert stopping.recorded[-1][1]["stopping/Evidence"] > 0
    said = capsys.readouterr().out
    assert said == f"EarlyStopping: {stopping.reason}\n"
    assert "the gradient is noise" in said


@pytest.mark.every
@pytest.mark.parametrize("use", ["ema", "schedule-free", "sam", "stock"])
def test_the_training_goes_on_as_if_nothing_was_measured(use):
    made = {
        "ema": lambda: optimizers.EMA(optimizers.SGD(0.05)),
        "schedule-free": lambda: optimizers.ScheduleFreeAdamW(0.05),
        "sam": lambda: optimizers.SAM(optimizers.SGD(0.05)),
        "stock": lambda: keras.optimizers.Adam(0.05),
    }[use]
    ends = []
    for criteria in [], [evidence(every=3)]:
        model = new_model(made())
        more = [EarlyStopping(criteria=criteria, verbose=0)] if criteria else []
        fit(model, more, epochs=2)
        ends.append(model.get_weights())
    for plain, measured in zip(*ends, strict=True):
        np.testing.assert_array_equal(plain, measured)


def test_a_model_that_is_built_by_fit():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    stopping = EarlyStopping(criteria=[evidence(every=2)], verbose=0)
    fit(model, [stopping], epochs=2)
    assert [step for step, _ in stopping.recorded] == [2, 4]


# TensorBoard and Monitor.


@pytest.mark.parametrize("first", [True, False])
def test_figures_and_the_reason_are_logged(tmp_path, first):
    criteria = [Rising(2, strip=1), Scripted([-3.0, -2.0, -1.0, -0.5, 0.5], every=3)]
    stopping = EarlyStopping(criteria=criteria, verbose=0)
    board, monitor = callbacks.TensorBoard(tmp_path, every=50), callbacks.Monitor(50)
    given = [stopping, board, monitor] if first else [board, monitor, stopping]
    fit(new_model(), [Script([3.0, 2.0, 2.5, 3.0, 4.0]), *given], epochs=5)
    assert stopping.stopped_by == "Rising"
    expected = {
        "stopping/val_loss/Rising": {2: 0, 4: 0, 6: 1, 8: 2},
        "stopping/Scripted": {3: -3, 6: -2},
    }
    train = read(tmp_path / "train")
    for tag, points in expected.items():
        assert train[tag] == points
        rows = {row["step"]: row[tag] for row in monitor.rows if tag in row}
        assert rows == points
    steps = [row["step"] for row in monitor.rows]
    assert steps == sorted(set(steps))
    assert read_text(tmp_path / "train", "stopping/reason") == [stopping.reason]


def test_no_reason_is_logged_without_one(tmp_path):
    stopping = EarlyStopping(criteria=[Rising(2)], verbose=0)
    fit(new_model(), [Script([1.0] * 2), stopping, callbacks.TensorBoard(tmp_path)], 2)
    with pytest.raises(KeyError):
        read_text(tmp_path / "train", "stopping/reason")


def test_history_has_the_reason_of_the_callback_that_stopped():
    pair = [EarlyStopping(criteria=[Patience(n)], verbose=0) for n in (9, 1)]
    for several in pair, pair[::-1]:
        history = fit(compiled(), [Script([1.0] * 9), *several], epochs=9)
        assert history.reason == pair[1].reason != ""


# Bad input.


def refused(error, match, model=None, given=(), **kwargs):
    """Check that `fit` raises before the first step and leaves the weights."""
    model = new_model() if model is None else model
    before = model.get_weights()
    with pytest.raises(error, match=match):
        fit(model, list(given), **kwargs)
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 0
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("criteria", "error", "told"),
    [
        ([Patience], TypeError, "Construct it"),
        ("Patience", TypeError, "Received: criteria='Patience'"),
        ([keras.callbacks.EarlyStopping()], TypeError, "`criteria` must hold objects"),
        ([evidence(), evidence()], ValueError, "Received: two of Evidence"),
        ([Patience()] * 2, ValueError, "Received: "),
    ],
)
def test_wrong_criteria_are_refused(criteria, error, told):
    several = [criteria[0]] * 2 if told == "Received: " else criteria
    with pytest.raises(error, match=told):
        EarlyStopping(criteria=several)


def test_metrics_that_a_criterion_cannot_judge_are_refused():
    for criterion in GeneralizationLoss(), ProgressQuotient(1):
        with pytest.raises(ValueError, match="'val_loss'. Received: monitor='loss'"):
            EarlyStopping("loss", criteria=[criterion])
        with pytest.raises(ValueError, match="monitor='val_accuracy', mode='max'"):
            EarlyStopping("val_accuracy", criteria=[criterion])
    EarlyStopping(
        "val_accuracy", criteria=[Rising(1), Plateau(), Patience(), evidence()]
    )


@pytest.mark.parametrize("criterion", [Rising(1), GeneralizationLoss(), Plateau()])
def test_a_fit_without_validation_is_refused(criterion):
    stopping = EarlyStopping(criteria=[criterion], verbose=0)
    name = type(criterion).__name__
    told = f"{name} needs the values of a validation. Received: monitor='val_loss'"
    refused(ValueError, told, given=[stopping])
    refused(
        ValueError, told, given=[stopping], validation_data=(X, Y), validation_freq=9
    )
    fit(new_model(), [stopping], epochs=2, validation_split=0.5)


def test_one_criterion_in_two_callbacks_is_refused():
    both = [EarlyStopping(criteria=[c], verbose=0) for c in [Patience(1)] * 2]
    told = "Two callbacks drive 'Patience'"
    refused(ValueError, told, given=both, validation_data=(X, Y))


def test_data_of_evidence_that_do_not_fit_are_refused():
    wrong = Evidence(np.zeros((64, 7)), np.zeros((64, 1)), examples=64)
    told = r"must fit the model.*\(8, 7\)"
    refused(ValueError, told, given=[EarlyStopping(criteria=[wrong])])


def test_a_patience_unit_without_a_patience_is_refused():
    with pytest.raises(
        ValueError, match="Received: patience=None, patience_unit='steps'"
    ):
        EarlyStopping(criteria=[Rising(1)], patience_unit="steps")


def test_measurements_without_steps_are_refused():
    with pytest.raises(ValueError, match="Evidence measures every few steps"):
        full_batch.fit_full_batch(
            new_model(), X, Y, callbacks=[EarlyStopping("loss", criteria=[evidence()])]
        )


class OwnStep(keras.Sequential):
    def train_step(self, *args):
        return super().train_step(*args)


def test_a_custom_train_step_is_warned_about():
    model = OwnStep([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    stopping = EarlyStopping(criteria=[evidence()], verbose=0)
    with pytest.warns(
        UserWarning, match="Evidence measures the loss that .compile."
    ) as w:
        fit(model, [stopping], epochs=1)
    assert len([x for x in w if "Evidence" in str(x.message)]) == 1
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Evidence")
        fit(model, [stopping], epochs=1)


@pytest.mark.every
def test_criteria_judge_a_metric_of_one_output():
    x = keras.Input((3,))
    heads = {name: keras.layers.Dense(1, name=name)(x) for name in "ab"}
    model = keras.Model(x, heads)
    model.compile("sgd", {"a": "mse", "b": "mae"})
    targets = {"a": Y, "b": -Y}
    stopping = EarlyStopping(
        "val_b_loss", criteria=[ProgressQuotient(1e-9, 2)], verbose=0
    )
    history = fit(model, [stopping], y=targets, validation_data=(X, targets), epochs=2)
    assert stopping.recorded[-1][1] == {"stopping/val_b_loss/ProgressQuotient": 0.0}
    assert len(history.epoch) == 2


class Renamed(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs["val_other_loss"] = 1.0


def test_a_training_metric_that_is_missing_is_warned_about_once():
    criteria = [ProgressQuotient(1, 2), Rising(1)]
    stopping = EarlyStopping("val_other_loss", criteria=criteria, verbose=0)
    with pytest.warns(
        UserWarning, match="training data, which `fit` did not"
    ) as warned:
        fit(new_model(), [Renamed(), stopping], epochs=3)
    assert len([w for w in warned if "ProgressQuotient" in str(w.message)]) == 1
