"""Early stopping, and what callbacks hear of a fit that ends by an exception."""

import functools
import inspect
import math
import signal

import keras
import numpy as np
import pytest

from keras_optlab.callbacks import EarlyStopping
from keras_optlab.callbacks.interruption import Callback
from keras_optlab.callbacks.monitor import Patience, infer_mode

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


@functools.cache
def compiled_once(**optimizer):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05, **optimizer), loss="mse")
    return model, model.get_weights()


def compiled(**optimizer):
    """Return a model with its first weights, whose step need not be traced again."""
    model, weights = compiled_once(**optimizer)
    model.set_weights(weights)
    return model


def fit(model, callbacks, epochs=6, **kwargs):
    data = {"x": X, "y": Y, "batch_size": 8} | kwargs
    return model.fit(**data, epochs=epochs, callbacks=callbacks, verbose=0)


class Script(keras.callbacks.Callback):
    """Reports a scripted metric and keeps the weights of every epoch."""

    def __init__(self, values, name="val_loss"):
        super().__init__()
        self.values, self.name, self.weights = values, name, []

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]
        self.weights.append(self.model.get_weights())


class At(keras.callbacks.Callback):
    """Does something in the middle or at the end of an epoch."""

    def __init__(self, epoch, action, batch=None):
        super().__init__()
        self.epoch, self.action, self.batch = epoch, action, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.now, batch) == (self.epoch, self.batch):
            self.action(self.model)

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch and self.batch is None:
            self.action(self.model)


class Failing(keras.utils.PyDataset):
    """Data that cannot be read any more after a while."""

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


def fail(model):
    raise RuntimeError("failed")


def interrupt(model):
    signal.raise_signal(signal.SIGINT)


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
    stopping = EarlyStopping("val_loss", mode="max", patience=2, verbose=0)
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


def test_it_says_why_training_stopped(capsys):
    fit(compiled(), [Script([1.0, 2.0, 3.0]), EarlyStopping(patience=2)], epochs=3)
    assert capsys.readouterr().out == (
        "EarlyStopping: Stopped after epoch 3: val_loss has not improved for 2 epochs. "
        "Restored the weights of the best epoch, 1 (val_loss 1).\n"
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
    with pytest.warns(UserWarning, match="Reported: 'loss'") as warned:
        history = fit(compiled(), [stopping], epochs=3)
    assert len([w for w in warned if "EarlyStopping" in str(w.message)]) == 1
    assert len(history.epoch) == 3
    assert stopping.best is None


@pytest.mark.filterwarnings("error:EarlyStopping")
def test_epochs_without_validation_are_not_counted():
    stopping = EarlyStopping("val_loss", patience=2, mode="max", verbose=0)
    with pytest.warns(UserWarning, match="validation_freq"):
        fit(compiled(), [stopping], validation_data=(X, Y), validation_freq=2)
    assert (stopping.best_epoch, stopping.stopped_epoch) == (1, 5)


def test_a_metric_of_several_values_is_refused():
    with pytest.raises(ValueError, match=r"single value.*monitor='f1'.*\(2,\)"):
        fit(compiled(), [Script([np.zeros(2)], "f1"), EarlyStopping("f1")])


@pytest.mark.parametrize(
    ("mode", "epochs", "min_delta", "values", "improved", "exhausted"),
    [
        ("min", 2, 0.0, [3, 2, 2, 1], "yyny", False),
        ("min", 2, 0.0, [3, 4, 5], "ynn", True),
        ("max", 2, 0.0, [3, 4, 5], "yyy", False),
        ("max", 1, 0.0, [0.5, 0.5], "yn", True),
        ("min", 2, 0.5, [3, 2.6, 2.5, 2.4], "ynny", False),
        ("max", 3, 1.0, [1, 2, 2.1, 3.1], "ynyn", False),
        ("min", 2, 0.0, [math.nan, math.nan], "nn", True),
        ("max", 2, 0.0, [math.nan, 1, math.nan, 2], "nyny", False),
        ("min", 9, 0.0, [math.inf, 1e30, -math.inf], "nyy", False),
        ("min", 0, 0.0, [2, 1], "yy", False),
        ("min", 0, 0.0, [2, 2], "yn", True),
    ],
)
def test_patience(mode, epochs, min_delta, values, improved, exhausted):
    patience = Patience(mode, epochs, min_delta)
    assert "".join("ny"[patience.update(v)] for v in values) == improved
    assert patience.exhausted is exhausted


@pytest.mark.parametrize(
    ("names", "mode"),
    [
        ("loss val_loss head_loss accuracy_loss mse val_mae rmse_1 error", "min"),
        ("mean_absolute_error val_binary_crossentropy kl_divergence logcosh", "min"),
        ("acc val_accuracy sparse_categorical_accuracy auc auc_2 out_acc", "max"),
        ("precision_1 recall f1_score r2_score mean_io_u top-1-acc", "max"),
        ("cosine_similarity sensitivity_at_specificity", "max"),
    ],
)
def test_the_mode_is_inferred_from_the_name(names, mode):
    assert {infer_mode(name) for name in names.split()} == {mode}


@pytest.mark.parametrize(
    "name", ["val_score", "lr", "true_positives", "neg_mse", "precision_error", "macc"]
)
def test_a_name_that_does_not_tell_needs_a_mode(name):
    with pytest.raises(ValueError, match=f"Received: monitor='{name}'.*mode='min'"):
        EarlyStopping(name)
    assert EarlyStopping(name, mode="max").mode == "max"


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
        ({"monitor": 3}, TypeError, "monitor=3"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, received):
    with pytest.raises(error, match=f"must be .*Received: {received}"):
        EarlyStopping(**arguments)


class Listening(Callback):
    def __init__(self):
        super().__init__()
        self.heard = []

    def on_train_end(self, logs=None):
        self.heard.append("end")

    def on_train_interrupted(self):
        self.heard.append("interrupted")


def test_only_the_fit_that_fails_is_told():
    outer, inner = Listening(), Listening()

    def fit_another(_):
        with pytest.raises(RuntimeError, match="failed"):
            fit(compiled(use_ema=True), [inner, At(0, fail)])

    fit(compiled(), [outer, At(0, fit_another)], epochs=1)
    assert (outer.heard, inner.heard) == (["end"], ["interrupted"])


def test_a_callback_is_told_of_each_fit_by_itself():
    model, listening = compiled(), Listening()
    with pytest.raises(RuntimeError, match="failed"):
        fit(model, [listening, At(0, fail)])
    with pytest.raises(TypeError):
        fit(model, [listening], batch_size="many")
    fit(model, [listening], epochs=1)
    assert listening.heard == ["interrupted", "end"]


def test_fit_keeps_its_signature_and_result():
    assert {"x", "validation_data"} <= inspect.signature(
        keras.Model.fit
    ).parameters.keys()
    assert fit(compiled(), [], epochs=1).epoch == [0]
