"""Every callback can be serialized and deserialized."""

import json
from pathlib import Path

import keras
import pytest

from keras_optlab import callbacks, regularizers, schedules, stopping

PUBLIC = set(callbacks.__all__) - set(callbacks.base.__all__)

FALLING = schedules.Cosine(1.0, 10)

EXAMPLES = [
    callbacks.AverageModelCheckpoint(False, "a.keras", save_best_only=True),
    callbacks.BatchRamp(FALLING, max_accumulation_steps=16, factor=1.5),
    callbacks.EarlyStopping("loss", 3, target=0.1, patience_unit="steps", every=5),
    callbacks.EarlyStopping(
        criteria=[stopping.GeneralizationLoss(3), stopping.Rising(2, strip=1)]
    ),
    callbacks.GradientClipping(global_norm=1.0, schedule=FALLING),
    callbacks.GradientSignals(50, signals=["sharpness"], examples=64, micro_batch=4),
    callbacks.GradualUnfreezing([1, 3], blocks=["a", ["b", "c"], "head"]),
    callbacks.GreedyRate("loss", 0.9, 4, window=20, reset_after=None, every=10),
    callbacks.HyperparameterScheduler("weight_decay", FALLING, unit="epoch"),
    callbacks.HyperparameterScheduler("l2", FALLING, of=regularizers.L2(0.1)),
    callbacks.Monitor(every=7),
    callbacks.Resume("checkpoints", every=100, minutes=5, keep=2, on_error="raise"),
    callbacks.QKClip(50.0),
    callbacks.RateFinder("valley", steps=60, lowest=1e-5),
    callbacks.ReduceOnPlateau("accuracy", factor=0.5, mode="max"),
    callbacks.SpikeGuard(30, threshold=7.0, rate_factor=1.0),
    callbacks.TensorBoard(Path("runs"), histograms_every=50, hparams={"batch": 8}),
    callbacks.TimeStopping(60),
    callbacks.Validate(50, data=([1.0], [2.0]), name="val_own"),
    callbacks.WeightClipping(low=-1, high=1.5, match=["a/*", "b"], start=3),
]


def test_every_callback_has_an_example():
    connected = {"Track"}  # to a run of a service, which it needs
    assert {type(c).__name__ for c in EXAMPLES} == PUBLIC - connected


@pytest.mark.parametrize("callback", EXAMPLES, ids=lambda c: type(c).__name__)
def test_round_trip(callback):
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(callback)))
    assert saved["registered_name"].startswith("keras_optlab.callbacks>")
    again = keras.saving.deserialize_keras_object(saved)
    assert type(again) is type(callback)
    assert again.get_config() == callback.get_config()
    for name in callback.get_config():
        if hasattr(callback, name) and isinstance(getattr(callback, name), float | str):
            assert getattr(again, name) == getattr(callback, name)


def test_a_subclass_of_a_users_own():
    class Louder(callbacks.TimeStopping):
        def __init__(self, seconds, shout="!"):
            super().__init__(seconds)
            self.shout = shout

    made = Louder(5, shout="!!")
    again = Louder.from_config(made.get_config())
    assert (again.seconds, again.shout) == (5.0, "!!")
    with pytest.raises(TypeError, match="sound"):
        Louder(5, sound=3)
