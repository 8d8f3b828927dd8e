"""Every callback in a custom loop that calls only some of its methods."""

import os

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import callbacks, optimizers
from tests.support.fitting import X, Y, new_model

PUBLIC = set(callbacks.__all__) - set(callbacks.base.__all__)

EPOCHS, BATCHES = 2, 2


class Silent:
    """A tracker that keeps nothing."""

    def log(self, values, step):
        assert all(isinstance(x, float) for x in values.values())


MAKERS = {
    "AverageModelCheckpoint": lambda d, o: callbacks.AverageModelCheckpoint(
        False, os.path.join(d, "x.weights.h5"), save_weights_only=True, optimizer=o
    ),
    "EarlyStopping": lambda d, o: callbacks.EarlyStopping("loss", verbose=0),
    "EarlyStopping by step": lambda d, o: callbacks.EarlyStopping(
        "loss", every=2, verbose=0
    ),
    "GradientClipping": lambda d, o: callbacks.GradientClipping(norm=1.0, optimizer=o),
    "GradientSignals": lambda d, o: callbacks.GradientSignals(
        2,
        (X, Y),
        signals=["gradient_noise_scale", "sharpness"],
        examples=16,
        micro_batch=4,
        optimizer=o,
    ),
    "GreedyRate": lambda d, o: callbacks.GreedyRate("loss", optimizer=o),
    "HyperparameterScheduler": lambda d, o: callbacks.HyperparameterScheduler(
        "weight_decay", lambda epoch: 0.1, unit="epoch", optimizer=o
    ),
    "HyperparameterScheduler by step": lambda d, o: callbacks.HyperparameterScheduler(
        "weight_decay", lambda step: 0.1, optimizer=o
    ),
    "Monitor": lambda d, o: callbacks.Monitor(2, optimizer=o),
    "ReduceOnPlateau": lambda d, o: callbacks.ReduceOnPlateau("loss", optimizer=o),
    "TensorBoard": lambda d, o: callbacks.TensorBoard(
        d, 2, histograms_every=2, optimizer=o
    ),
    "TimeStopping": lambda d, o: callbacks.TimeStopping(),
    "Track": lambda d, o: callbacks.Track(Silent(), 2, optimizer=o),
    "Validate": lambda d, o: callbacks.Validate(2, (X, Y), optimizer=o),
    "WeightClipping": lambda d, o: callbacks.WeightClipping(
        low=-1.0, start=1, optimizer=o
    ),
}
LOGS = {
    "none": None,
    "all kinds": {
        "loss": np.float32(1.0),
        "val_loss": 2.0,
        "vector": np.arange(3),
        "one": np.ones(1),
        "text": "fine",
        "nothing": None,
        "ragged": [[1.0], [2.0, 3.0]],
    },
}


def test_every_callback_is_in_the_loops():
    of_fit = {"QKClip", "RateFinder", "Resume", "SpikeGuard"}  # they need `fit`
    # their own tests have loops: they need several blocks, or MultiSteps
    others = {"BatchRamp", "GradualUnfreezing"}
    assert {name.partition(" ")[0] for name in MAKERS} == PUBLIC - of_fit - others


# Does the loop call `on_epoch_begin`, and batch methods? With which logs and model?
WAYS = [
    (False, False, "none", "compiled"),
    (False, False, "all kinds", "bare"),
    (False, True, "all kinds", "compiled"),
    (False, True, "none", "bare"),
    (True, False, "none", "bare"),
    (True, False, "all kinds", "compiled"),
    (True, True, "none", "compiled"),
    (True, True, "all kinds", "bare"),
]
OURS = {"GradientClipping", "HyperparameterScheduler"}


@pytest.mark.sampled
@pytest.mark.filterwarnings("ignore:.*waits for a metric")
@pytest.mark.parametrize("name", MAKERS)
def test_a_loop_may_leave_methods_out(name, tmp_path):
    kind = optimizers if name.partition(" ")[0] in OURS else keras.optimizers
    model = new_model(kind.SGD(0.01, use_ema=True))
    bare = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    own = kind.SGD(0.01, use_ema=True)
    for begins, batches, logs, of in WAYS:
        if (name, of) in {("GradientSignals", "bare"), ("Validate", "bare")}:
            continue  # they compute a loss
        trained, trains = (model, model.optimizer) if of == "compiled" else (bare, own)
        callback = MAKERS[name](str(tmp_path), None if trained is model else own)
        before = int(trains.iterations)
        loop(trained, trains, callback, begins, batches, LOGS[logs])
        after = int(trains.iterations)
        assert after == before + EPOCHS * BATCHES
        if hasattr(callback, "step") and (batches or callback.optimizer is not None):
            given = callback.optimizer is not None
            assert callback.step == (after if given else after - before)
        if name == "Validate":
            assert callback.history["step"] == [after - BATCHES, after]
        if name == "Monitor":
            assert callback.rows[-1]["epoch"] == EPOCHS - 1


def loop(model, optimizer, callback, begins, batches, logs):
    callback.set_model(model)
    callback.on_train_begin()
    weights = model.trainable_variables
    for epoch in range(EPOCHS):
        if begins:
            callback.on_epoch_begin(epoch)
        for batch in range(BATCHES):
            if batches:
                callback.on_train_batch_begin(batch)
            optimizer.apply([ops.ones(w.shape) for w in weights], weights)
            if batches:
                callback.on_train_batch_end(batch, {})
        callback.on_epoch_end(epoch, None if logs is None else dict(logs))
    callback.on_train_end()


def test_a_list_of_callbacks_in_a_loop(tmp_path):
    model = new_model(optimizers.SGD(0.01, use_ema=True))
    made = [
        make(str(tmp_path), None)
        for name, make in MAKERS.items()
        if not name.endswith("step")
    ]
    several = keras.callbacks.CallbackList(made, model=model)
    loop(model, model.optimizer, several, True, True, LOGS["all kinds"])
    by_name = {type(c).__name__: c for c in made}
    assert by_name["EarlyStopping"].best_step == BATCHES
    assert by_name["Monitor"].rows[-1]["step"] == EPOCHS * BATCHES
    assert by_name["Monitor"].rows[-1]["epoch/val_loss"] == 2.0


def test_epochs_without_batches_or_steps_have_rows_of_their_own():
    model = new_model()
    monitor = callbacks.Monitor()
    monitor.set_model(model)
    monitor.on_train_begin()
    for epoch in range(3):
        monitor.on_epoch_end(epoch, {"loss": float(epoch)})
    assert [row["epoch/loss"] for row in monitor.rows] == [0.0, 1.0, 2.0]
