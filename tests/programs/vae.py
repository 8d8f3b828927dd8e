"""VAE: a custom train step with several losses, metric trackers and random noise."""

import keras
import numpy as np
from keras import ops

from tests.programs.common import (
    OwnStep,
    board,
    check_fell,
    check_log,
    check_reloaded,
    check_weights,
)

no_second_pass = ""
NAMES = ("loss", "reconstruction_loss", "kl_loss")


def train(make, directory):
    rng = np.random.default_rng(0)
    x = np.tanh(rng.normal(size=(72, 2)) @ rng.normal(size=(2, 8))).astype("float32")
    model = VAE()
    model.compile(make(0.02, 0.02))
    history = model.fit(
        x,
        batch_size=16,
        epochs=10,
        verbose=0,
        callbacks=[board(directory, histograms_every=10)],
    ).history
    assert set(history) >= set(NAMES)
    check_fell(history["loss"], to=0.8)
    check_fell(history["reconstruction_loss"], to=0.8)
    check_weights(model, make)
    check_log(
        directory,
        *(f"epoch/{name}" for name in NAMES),
        *(f"step/{name}" for name in NAMES),
        "optimizer/update_norm",
        histograms=True,
    )
    loaded = check_reloaded(model, directory, x)
    again = loaded.fit(x, batch_size=16, epochs=1, verbose=0).history
    assert again["loss"][0] < 1.1 * history["loss"][-1]


@keras.saving.register_keras_serializable("programs")
class Sampling(keras.layers.Layer):
    """A layer that samples a code from its mean and log variance."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator(7)

    def call(self, mean, log_var, training=False):
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        return mean + ops.exp(0.5 * log_var) * noise


@keras.saving.register_keras_serializable("programs")
class VAE(OwnStep):
    """A variational autoencoder of vectors."""

    def __init__(self, **kwargs):
        super().__init__(NAMES, **kwargs)
        dense = keras.layers.Dense
        self.encoder = keras.Sequential([dense(8, activation="relu"), dense(4)])
        self.decoder = keras.Sequential([dense(8, activation="relu"), dense(8)])
        self.sampling = Sampling()

    def call(self, x, training=False):
        mean, log_var = ops.split(self.encoder(x), 2, axis=-1)
        code = self.sampling(mean, log_var, training=training)
        return self.decoder(code), mean, log_var

    def losses_of(self, x, outputs):
        reconstruction, mean, log_var = outputs
        error = ops.mean(ops.sum((x - reconstruction) ** 2, -1))
        kl = -0.5 * (1 + log_var - mean**2 - ops.exp(log_var))
        kl = 0.1 * ops.mean(ops.sum(kl, -1))
        return {"loss": error + kl, "reconstruction_loss": error, "kl_loss": kl}
