"""Which methods of a callback run when `fit` ends by an exception."""

import inspect

import keras
import pytest

from keras_optlab import callbacks
from keras_optlab.callbacks.base.callback import Callback
from tests.support.fitting import At, compiled, fail, fit


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


@pytest.mark.parametrize("interactive", [True, False])
def test_what_they_say_goes_where_keras_says_it(interactive, capsys, caplog):
    stopping = callbacks.EarlyStopping("loss", patience=1, min_delta=1e9)
    if not interactive:
        keras.config.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", logger="absl"):
            fit(compiled(), [stopping], epochs=3)
    finally:
        keras.config.enable_interactive_logging()
    printed, logged = capsys.readouterr().out, caplog.text
    assert ("EarlyStopping: Stopped" in printed) is interactive
    assert ("EarlyStopping: Stopped" in logged) is not interactive
