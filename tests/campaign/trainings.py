"""Trainings that are killed and started again, by name.

Each function returns the model, the arguments of `fit`, and callbacks. They are small,
and together they have what a checkpoint must contain.
"""

import keras
import numpy as np

import keras_optlab as kol

callbacks, optimizers = kol.callbacks, kol.optimizers
EPOCHS = 5
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(330, 12)).astype("float32")
Y = (X @ RANDOM.normal(size=(12, 3))).argmax(1)
VALIDATION = X[:80], RANDOM.permutation(Y[:80])  # its loss rises soon


def network(optimizer, **compile_arguments):
    """Return a model with dropout and batch normalization, without `Input`."""
    model = keras.Sequential(
        [
            keras.layers.Dense(24, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], **compile_arguments)
    return model


ARRAYS = {"x": X, "y": Y, "batch_size": 16, "validation_data": VALIDATION}


def adam(path):
    """Arrays, and callbacks of this package and of Keras."""
    return (
        network(optimizers.Adam(0.01)),
        ARRAYS,
        [
            callbacks.EarlyStopping(patience=3),
            keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5),
            keras.callbacks.CSVLogger(f"{path}/log.csv"),
            callbacks.TensorBoard(f"{path}/logs", every=5),
        ],
    )


def keras_adamw(path):
    """A stock optimizer, and Keras' own early stopping and checkpoint."""
    return (
        network(keras.optimizers.AdamW(0.01)),
        ARRAYS,
        [
            keras.callbacks.EarlyStopping(
                patience=2, restore_best_weights=True, min_delta=0.001
            ),
            keras.callbacks.ModelCheckpoint(
                f"{path}/best.weights.h5", save_best_only=True, save_weights_only=True
            ),
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        ],
    )


def schedule_free(path):  # noqa: ARG001
    """Two sets of weights."""
    return network(optimizers.ScheduleFreeAdamW(0.01)), ARRAYS, []


def ema(path):  # noqa: ARG001
    """Averaged weights and normalization statistics."""
    model = network(optimizers.EMA(optimizers.AdamW(0.01), average_decay=0.9))
    return model, ARRAYS, [callbacks.EarlyStopping(patience=2)]


def sam(path):  # noqa: ARG001
    """A second pass over each batch."""
    return network(optimizers.SAM(optimizers.AdamW(0.01))), ARRAYS, []


def loss_scaling(path):  # noqa: ARG001
    """A loss scale that grows."""
    inner = optimizers.Adam(0.01)
    outer = keras.optimizers.LossScaleOptimizer(inner, dynamic_growth_steps=7)
    return network(outer), ARRAYS, []


def several_steps(path):  # noqa: ARG001
    """Several steps in one execution, and gradient accumulation."""
    optimizer = optimizers.Lion(0.002, gradient_accumulation_steps=3)
    at_once = 1 if keras.backend.backend() == "torch" else 4
    return network(optimizer, steps_per_execution=at_once), ARRAYS, []


def spans(path):  # noqa: ARG001
    """A schedule that spans `fit`, validation within epochs, criteria."""
    model = network(optimizers.AdamW(kol.schedules.OneCycle(0.03)))
    data = {k: v for k, v in ARRAYS.items() if k != "validation_data"}
    criteria = [kol.stopping.GeneralizationLoss(60.0), kol.stopping.Rising(8)]
    stop = callbacks.EarlyStopping(patience=40, criteria=criteria)
    return model, data, [callbacks.Validate(9, VALIDATION), stop, callbacks.Monitor(7)]


def short_epochs(path):  # noqa: ARG001
    """Epochs that are parts of a pass over the data."""
    model = network(optimizers.Muon(0.01, use_ema=True, ema_momentum=0.9))
    return model, {**ARRAYS, "steps_per_epoch": 13}, [callbacks.TimeStopping(600)]


class Shuffled(keras.utils.PyDataset):
    """Batches in an order that changes after each epoch."""

    def __init__(self):
        super().__init__()
        self.index = np.arange(len(X))

    def __len__(self):
        return 20

    def __getitem__(self, i):
        rows = self.index[16 * i : 16 * (i + 1)]
        return X[rows], Y[rows]

    def on_epoch_end(self):
        np.random.shuffle(self.index)


def py_dataset(path):  # noqa: ARG001
    """A PyDataset with an order of its own."""
    return network(optimizers.AdamW(0.01)), {"x": Shuffled()}, []


def tf_data(path):  # noqa: ARG001
    """A `tf.data.Dataset` of unknown length."""
    import tensorflow as tf

    tf.random.set_seed(1)  # the order depends on this seed too
    data = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(400, seed=3).batch(16)
    data = data.filter(lambda x, y: True)  # noqa: ARG005
    return network(optimizers.Adam(0.01)), {"x": data}, [callbacks.Monitor(4)]


def generator(path):  # noqa: ARG001
    """An endless Python generator."""

    def batches():
        order = np.random.default_rng(5)
        while True:
            rows = order.integers(0, len(X), 16)
            yield X[rows], Y[rows]

    return network(optimizers.Nadam(0.01)), {"x": batches(), "steps_per_epoch": 20}, []


def guarded(path):  # noqa: ARG001
    """A guard against spikes, which also gets all batches and losses."""
    guard = callbacks.SpikeGuard(every=5, verbose=0)
    return network(optimizers.Adam(0.01)), ARRAYS, [guard]


def unfreezing(path):  # noqa: ARG001
    """One more block in each of the first epochs."""
    return network(optimizers.Adam(0.01)), ARRAYS, [callbacks.GradualUnfreezing()]


TRAININGS = {
    f.__name__: f
    for f in (
        adam,
        keras_adamw,
        schedule_free,
        ema,
        sam,
        loss_scaling,
        several_steps,
        spans,
        short_epochs,
        py_dataset,
        tf_data,
        generator,
        guarded,
        unfreezing,
    )
}
