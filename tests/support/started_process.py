"""A training in a process that this one starts: `fork` or `spawn`.

`fork` comes after the import and before the first operation of the backend, as in data
loaders and servers that load an application once.
"""

import multiprocessing
import sys

import keras
import numpy as np

import keras_optlab as kol


def train():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(1)])
    model.compile(kol.optimizers.Muon(kol.schedules.Cosine(0.01)), "mse")
    x = np.ones((20, 3), "float32")
    callbacks = [kol.callbacks.Monitor(every=1), kol.callbacks.EarlyStopping("loss")]
    history = model.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=callbacks)
    losses = history.history["loss"]
    if not losses[-1] < losses[0]:
        sys.exit(f"the loss went from {losses[0]} to {losses[-1]}")


if __name__ == "__main__":
    process = multiprocessing.get_context(sys.argv[1]).Process(target=train)
    process.start()
    process.join(100)
    print("ended with", process.exitcode)
    sys.exit(process.exitcode != 0)
