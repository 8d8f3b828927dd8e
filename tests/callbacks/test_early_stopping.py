"""EarlyStopping: when it stops, and the final weights whatever ends training."""

import math
import re

import keras
import numpy as np
import pytest

from keras_optlab.callbacks.early_stopping import EarlyStopping
from tests.support.fitting import (
    At,
    Clock,
    EveryStep,
    Script,
    ScriptedMetric,
    X,
    Y,
    compiled,
    fail,
    fit,
    new_model,
)

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()


class Failing(keras.utils.PyDataset):
    """A dataset that raises after some batches."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def __len__(self):
        return 2

    def __getitem__(self, index):
        self.left -= 1
        if self.left < 0:
            raise OSError("the disk is gone")
        return X[:8], Y[:8]


def stop(model):
    model.stop_training = True


def interrupt(model):
    raise KeyboardInterrupt


ENDINGS = {
    "criterion": {},
    "last epoch": {"patience": 9},
    "stopped": {"patience": 9, "more": [At(3, stop)]},
    "failed": {"patience": 9, "more": [At(3, fail)], "raises": RuntimeError},
    "failed in mid-epoch": {
        "patience": 9,
        "more": [At(3, fail, batch=0)],
        "raises": RuntimeError,
    },
    "Ctrl-C": {
        "patience": 9,
        "more": [At(3, interrupt, batch=1)],
        "raises": KeyboardInterrupt,
    },
    "bad data": {"patience": 9, "bad": "x", "raises": Exception},
    "bad validation": {"patience": 9, "bad": "validation_data", "raises": Exception},
}


@pytest.mark.parametrize("use_ema", [False, True])
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_best_weights_are_restored_whatever_ends_training(ending, use_ema):
    case = ENDINGS[ending]
    model, script = compiled(use_ema=use_ema), Script([3.0, 1.0, 2.0, 2.0, 2.0, 2.0])
    stopping = EarlyStopping(patience=case.get("patience", 3), verbose=0)
    callbacks = [script, stopping, *case.get("more", [])]
    data = {}
    if "bad" in case:
        data = {"y": None, "batch_size": None} if case["bad"] == "x" else {}
        data[case["bad"]] = Failing(batches=11)
    if "raises" in case:
        with pytest.raises(case["raises"]):
            fit(model, callbacks, **data)
    else:
        fit(model, callbacks)
    assert len(script.weights) >= 3
    assert (stopping.best, stopping.best_epoch) == (1.0, 1)
    assert stopping.stopped_epoch == (4 if ending == "criterion" else None)
    for now, best, last in zip(
        model.get_weights(), script.weights[1], script.weights[-1], strict=True
    ):
        np.testing.assert_array_equal(now, best)
        assert not np.array_equal(best, last)


# The metric of each step, 4 steps per epoch; checked after steps 1, 2, 4, 6, 8, ...
BY_STEP = [9, 5, 9, 3, 9, 4, 9, 4, 9, 4, 9, 4, 9, 4, 9, 4, 9, 4]

STEP_ENDINGS = {
    "criterion": ({"patience": 5, "patience_unit": "steps"}, None, 11),
    "criterion in epochs": ({"patience": 1}, None, 8),
    "last epoch": ({"patience": 99, "patience_unit": "steps"}, None, 16),
    "stopped": ({"patience": 9}, At(2, stop, batch=1), 10),
    "failed": ({"patience": 9}, At(2, fail, batch=1), 10),
    "Ctrl-C": ({"patience": 9}, At(2, interrupt, batch=1), 10),
}


@pytest.mark.parametrize("ending", STEP_ENDINGS)
def test_the_best_weights_of_a_step_are_restored_whatever_ends_training(ending):
    kwargs, at, steps = STEP_ENDINGS[ending]
    model = new_model(metrics=[ScriptedMetric(BY_STEP)])
    every_step = EveryStep(keras.Model.get_weights)
    stopping = EarlyStopping("error", every=2, verbose=0, **kwargs)
    callbacks = [every_step, stopping] + ([at] if at else [])
    try:
        fit(model, callbacks, epochs=4, batch_size=4)
    except (RuntimeError, KeyboardInterrupt):
        assert ending in {"failed", "Ctrl-C"}
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == steps
    assert (stopping.best, stopping.best_epoch, stopping.best_step) == (3.0, 0, 4)
    now, best = model.get_weights()[0], every_step.kept[4][0]
    np.testing.assert_array_equal(now, best)
    assert not np.array_equal(best, every_step.kept[8][0])


def test_without_restore_best_the_last_weights_stay():
    model, script = compiled(), Script([1.0, 2.0, 3.0])
    fit(model, [script, EarlyStopping(patience=2, restore_best=False)], epochs=3)
    np.testing.assert_array_equal(model.get_weights()[0], script.weights[-1][0])


def test_nothing_is_restored_before_the_first_epoch_has_ended():
    model = compiled()
    with pytest.raises(RuntimeError, match="failed"):
        fit(model, [EarlyStopping("loss"), At(0, fail, batch=1)])
    assert model.evaluate(X, Y, verbose=0) > 0


def test_averaged_weights_are_evaluated_and_restored_together():
    model = compiled(use_ema=True, ema_momentum=0.5)
    average = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    stopping = EarlyStopping("val_loss", min_delta=1e9, patience=2, verbose=0)
    fit(model, [average, stopping], epochs=5, validation_data=(X, Y))
    assert stopping.stopped_epoch == 2
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(stopping.best, rel=1e-6)


def test_the_metric_that_validation_reports():
    model, stopping = compiled(), EarlyStopping(patience=5, verbose=0)
    history = fit(model, [stopping], epochs=3, validation_data=(X, Y)).history
    assert stopping.best == min(history["val_loss"])
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(stopping.best, rel=1e-6)


def test_a_second_fit_starts_afresh():
    model, stopping = compiled(), EarlyStopping(patience=2, verbose=0)
    fit(model, [Script([1.0, 2.0, 3.0]), stopping], epochs=3)
    assert (stopping.best, stopping.stopped_epoch) == (1.0, 2)
    fit(model, [Script([9.0, 8.0]), stopping], epochs=2)
    assert (stopping.best, stopping.best_epoch) == (8.0, 1)
    assert stopping.stopped_epoch is None


def test_a_fit_that_goes_on_from_an_epoch():
    stopping = EarlyStopping(patience=1, start_from_epoch=3, verbose=0)
    script = Script([9.0, 9.0, 0.1, 3.0, 2.0, 2.5])
    fit(compiled(), [script, stopping], initial_epoch=2)
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch) == (2.0, 4, 5)


@pytest.mark.parametrize(
    ("values", "kwargs", "best_epoch", "why"),
    [
        ([4, 2, 1, 0.9], {"target": 1, "min_delta": 2}, 2, "val_loss has reached 1"),
        ([4, 2, 7, 8, 9], {"divergence": 7}, 1, "val_loss is 8, worse than 7"),
        ([4, math.nan, 3], {}, 0, "val_loss is nan"),
        ([4, -math.inf, 3], {}, 0, "val_loss is -inf"),
        (
            [4] + [math.nan] * 5,
            {"check_finite": False, "patience": 3},
            0,
            "val_loss has not improved for 3 epochs",
        ),
        (
            [0.1, 3, 2, 9, 9, 9],
            {"start_from_epoch": 1, "patience": 2},
            2,
            "val_loss has not improved for 2 epochs",
        ),
        ([3, 4, 5], {"patience": 1}, 0, "val_loss has not improved for 1 epoch"),
        ([4, math.nan, 3], {"check_finite": False}, 2, ""),
        ([math.nan, 3, 2], {"start_from_epoch": 1}, 2, ""),
    ],
)
def test_when_and_why_it_stops(values, kwargs, best_epoch, why, capsys):
    model, script, stopping = compiled(), Script(values), EarlyStopping(**kwargs)
    fit(model, [script, stopping], epochs=len(values))
    epochs = len(script.weights)
    assert (stopping.best_epoch, stopping.best) == (best_epoch, values[best_epoch])
    np.testing.assert_array_equal(model.get_weights()[0], script.weights[best_epoch][0])
    said = f"Stopped after epoch {epochs}: {why}. " if why else ""
    assert stopping.stopped_epoch == (epochs - 1 if why else None)
    assert (epochs < len(values)) is bool(why)
    assert capsys.readouterr().out == (
        f"EarlyStopping: {said}Restored the weights of the best epoch, "
        f"{best_epoch + 1} (val_loss {values[best_epoch]}).\n"
    )


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (interrupt, "Training was interrupted. "),
        (fail, ""),
    ],
)
def test_what_ended_training_is_told_by_its_exception(action, said, capsys):
    script, at = Script([3.0, 1.0, 2.0]), At(2, action)
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        fit(compiled(), [script, EarlyStopping(), at])
    assert capsys.readouterr().out == (
        f"EarlyStopping: {said}Restored the weights of the best epoch, 2 "
        "(val_loss 1).\n"
    )
    for stopping in EarlyStopping(restore_best=False), EarlyStopping("loss"):
        with pytest.raises((KeyboardInterrupt, RuntimeError)):
            fit(compiled(), [Script([3.0]), stopping, At(0, action, batch=1)])
    assert capsys.readouterr().out == ""


def test_a_metric_that_is_never_finite_restores_nothing(capsys):
    model, script = compiled(), Script([math.nan] * 3)
    fit(model, [script, EarlyStopping()], epochs=3)
    np.testing.assert_array_equal(model.get_weights()[0], script.weights[-1][0])
    assert capsys.readouterr().out == (
        "EarlyStopping: Stopped after epoch 1: val_loss is nan.\n"
    )


def test_patience_in_seconds():
    clock, script = Clock(seconds=10), Script([3, 4, 4, 4, 4, 4])
    stopping = EarlyStopping(patience=45.5, patience_unit="seconds", verbose=0)
    stopping.clock = clock
    fit(compiled(), [clock, script, stopping])  # 20 seconds per epoch
    assert (stopping.best_epoch, stopping.stopped_epoch) == (0, 3)


def test_patience_in_steps_by_epoch():
    stopping = EarlyStopping(patience=5, patience_unit="steps", verbose=0)
    fit(new_model(), [Script([3, 4, 4, 4, 4, 4]), stopping])  # 2 steps per epoch
    assert (stopping.best_step, stopping.stopped_epoch) == (2, 3)


def test_a_limit_on_the_time_keeps_the_value_after_it(capsys):
    clock, script = Clock(seconds=10), Script([3.0, 2.0, 1.0])
    stopping = EarlyStopping(max_seconds=25)
    stopping.clock = clock
    model = compiled()
    fit(model, [clock, script, stopping], epochs=3)
    assert (stopping.best_epoch, stopping.stopped_epoch) == (1, 1)
    np.testing.assert_array_equal(model.get_weights()[0], script.weights[1][0])
    assert capsys.readouterr().out == (
        "EarlyStopping: Stopped in epoch 2: 30 seconds have passed. "
        "Restored the weights of the best epoch, 2 (val_loss 2).\n"
    )


def test_the_time_also_passes_in_a_validation():
    clock = Clock(seconds=0)
    stopping = EarlyStopping("loss", max_seconds=25, verbose=0)
    stopping.clock = clock
    late = At(1, lambda _: setattr(clock, "now", clock.now + 30))
    assert len(fit(compiled(), [clock, late, stopping]).epoch) == 2


def test_it_says_why_training_stopped(capsys):
    fit(compiled(), [Script([1.0, 2.0, 3.0]), EarlyStopping(patience=2)], epochs=3)
    assert capsys.readouterr().out == (
        "EarlyStopping: Stopped after epoch 3: val_loss has not improved for 2 epochs. "
        "Restored the weights of the best epoch, 1 (val_loss 1).\n"
    )


def test_it_says_at_which_step_training_stopped(capsys):
    model = new_model(metrics=[ScriptedMetric(BY_STEP)])
    stopping = EarlyStopping(
        "error", every=2, patience=4, patience_unit="steps", restore_best=False
    )
    fit(model, [stopping], batch_size=4)
    assert capsys.readouterr().out == (
        "EarlyStopping: Stopped at step 8: error has not improved for 4 steps. "
        "The best step was 4 (error 3).\n"
    )


def test_it_says_that_training_was_interrupted(capsys):
    with pytest.raises(KeyboardInterrupt):
        fit(compiled(), [Script([0.5, 2.0]), EarlyStopping(), At(1, interrupt)])
    assert capsys.readouterr().out == (
        "EarlyStopping: Training was interrupted. "
        "Restored the weights of the best epoch, 1 (val_loss 0.5).\n"
    )


def test_a_missing_metric_is_warned_about_once():
    stopping = EarlyStopping("val_acc", verbose=0)
    with pytest.warns(UserWarning, match="Known: 'loss'.*validation_data") as warned:
        history = fit(compiled(), [stopping], epochs=3)
    assert len([w for w in warned if "EarlyStopping" in str(w.message)]) == 1
    assert len(history.epoch) == 3
    assert stopping.best is None


def test_the_nearest_metric_is_named():
    with pytest.warns(UserWarning, match="Did you mean 'loss'"):
        fit(compiled(), [EarlyStopping("los", mode="min", verbose=0)], epochs=1)


@pytest.mark.filterwarnings("error:EarlyStopping")
@pytest.mark.parametrize("frequency", [2, [2, 4, 6]])
def test_epochs_without_validation_are_not_counted(frequency):
    stopping = EarlyStopping("val_loss", patience=2, min_delta=1e9, verbose=0)
    fit(compiled(), [stopping], validation_split=0.5, validation_freq=frequency)
    assert (stopping.best_epoch, stopping.stopped_epoch) == (1, 5)


@pytest.mark.parametrize("frequency", [9, [9]])
def test_a_validation_that_never_comes_is_told_at_once(frequency):
    told = re.escape(f"={frequency!r} runs no validation in the 2 epochs of this")
    with pytest.warns(UserWarning, match=told):
        fit(
            compiled(),
            [EarlyStopping("val_loss", verbose=0)],
            epochs=2,
            validation_data=(X, Y),
            validation_freq=frequency,
        )


def test_a_metric_that_the_validation_does_not_report_is_told_when_it_ran():
    with pytest.warns(UserWarning, match="Did you mean 'val_loss'.*Name one of these"):
        fit(
            compiled(),
            [EarlyStopping("val_los", mode="min", verbose=0)],
            validation_data=(X, Y),
            validation_freq=2,
        )


def test_a_metric_of_several_values_is_refused():
    with pytest.raises(ValueError, match=r"single value.*monitor='f1'.*\(2,\)"):
        fit(compiled(), [Script([np.zeros(2)], "f1"), EarlyStopping("f1")])


def of_unknown_length():
    yield from ((X[i : i + 4], Y[i : i + 4]) for i in [0, 4, 8, 12] * 3)


class OwnStep(keras.Model):
    def train_step(self, *args):
        result = super().train_step(*args)
        if BACKEND == "jax":
            logs, state = result
            return logs | {"own_loss": 2 * logs["loss"]}, state
        return result | {"own_loss": 2 * result["loss"]}


def with_own_step():
    x = keras.Input((3,))
    model = OwnStep(x, keras.layers.Dense(1)(x))
    model.compile(keras.optimizers.SGD(0.05), loss="mse")
    return model


def with_two_outputs():
    x = keras.Input((3,))
    heads = {name: keras.layers.Dense(1, name=name)(x) for name in "ab"}
    model = keras.Model(x, heads)
    model.compile(keras.optimizers.SGD(0.05), loss={"a": "mse", "b": "mae"})
    return model


TWO = {"y": {"a": Y, "b": -Y}}
FITS = {
    "generator": (new_model, "loss", {"x": of_unknown_length, "y": None}, None),
    "two outputs": (with_two_outputs, "b_loss", TWO, None),
    "own step": (with_own_step, "own_loss", {}, None),
    "second fit": (new_model, "loss", {"epochs": 4, "again": True}, None),
    "generator by step": (new_model, "loss", {"x": of_unknown_length, "y": None}, 1),
    "two outputs by step": (with_two_outputs, "b_loss", TWO, 3),
    "own step, known by step": (with_own_step, "loss", {}, 3),
    "second fit by step": (new_model, "loss", {"epochs": 4, "again": True}, 3),
}
if BACKEND != "torch":  # torch has no steps_per_execution
    several = lambda: new_model(steps_per_execution=2)  # noqa: E731
    FITS["several steps an execution"] = (several, "loss", {}, None)
    FITS["several steps an execution, by step"] = (several, "loss", {}, 1)


@pytest.mark.parametrize("case", FITS)
def test_all_kinds_of_fit_end_with_the_best_weights(case):
    make, monitor, kwargs, every = FITS[case]
    kwargs = {"batch_size": 4} | kwargs
    if callable(kwargs.get("x")):
        kwargs |= {"x": kwargs["x"](), "steps_per_epoch": 4, "batch_size": None}
        kwargs |= {"epochs": 3}
    model, every_step = make(), EveryStep(keras.Model.get_weights)
    stopping = EarlyStopping(monitor, every=every, verbose=0)
    if kwargs.pop("again", False):
        fit(model, [stopping], **kwargs)
        assert stopping.best_step is not None
    history = fit(model, [every_step, stopping], **kwargs).history
    if every is None:
        assert stopping.best == min(history[monitor])
    else:
        assert stopping.best_step == 1 or stopping.best_step % every == 0
    for now, best in zip(
        model.get_weights(), every_step.kept[stopping.best_step], strict=True
    ):
        np.testing.assert_array_equal(now, best)


def test_what_is_reported_at_the_end_of_epochs_only_has_no_steps():
    model = with_own_step()
    stopping = EarlyStopping("own_loss", every=1, patience=9, verbose=0)
    with pytest.warns(UserWarning, match="Did you mean 'loss'.*`train_step`"):
        fit(model, [stopping], epochs=1)


def test_by_step_the_value_is_the_mean_over_the_epoch_so_far():
    model, stopping = new_model(), EarlyStopping("loss", every=2, verbose=0)
    model.optimizer.learning_rate = 0.0  # so that each batch keeps its loss
    fit(model, [stopping], epochs=1, batch_size=4, shuffle=False)
    of_batch = [
        model.evaluate(X[i : i + 4], Y[i : i + 4], verbose=0) for i in (0, 4, 8, 12)
    ]
    means = {n: np.mean(of_batch[:n]) for n in (1, 2, 4)}
    best = min(means, key=means.get)
    assert stopping.best_step == best
    assert stopping.best == pytest.approx(means[best], rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "received"),
    [
        ({"patience": -1}, ValueError, "patience=-1"),
        ({"patience": 2.5}, TypeError, "patience=2.5"),
        ({"patience": "5"}, TypeError, "patience='5'"),
        ({"min_delta": -0.1}, ValueError, "min_delta=-0.1"),
        ({"min_delta": math.nan}, ValueError, "min_delta=nan"),
        ({"min_delta": None}, TypeError, "min_delta=None"),
        ({"mode": "lower"}, ValueError, "mode='lower'"),
        ({"mode": "max"}, ValueError, "monitor='val_loss', mode='max'"),
        ({"monitor": 3}, TypeError, "monitor=3"),
        ({"target": math.nan}, ValueError, "target=nan"),
        ({"divergence": "1"}, TypeError, "divergence='1'"),
        ({"target": 2, "divergence": 1}, ValueError, "target=2"),
        ({"start_from_epoch": 0.5}, TypeError, "start_from_epoch=0.5"),
        (
            {"monitor": "loss", "patience_unit": "validations"},
            ValueError,
            "monitor='loss', patience_unit='validations'",
        ),
        ({"every": 0, "monitor": "loss"}, ValueError, "every=0"),
        ({"patience_unit": "hours"}, ValueError, "patience_unit='hours'"),
        ({"patience_unit": "steps", "patience": 0.5}, TypeError, "patience=0.5"),
        ({"max_seconds": 0}, ValueError, "max_seconds=0"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, received):
    with pytest.raises(error, match=f"must .*Received: {received}"):
        EarlyStopping(**arguments)
