"""GAN: two optimizers in a custom train step; callbacks get one by `optimizer=`."""

import os

import keras
import numpy as np
from keras import ops

from keras_optlab import callbacks
from tests.programs.common import BACKEND, board, check_log, check_weights, numpy

no_second_pass = "looks at each batch more than once"
EPOCHS, BATCH, LATENT = 16, 16, 3
crossentropy = keras.losses.BinaryCrossentropy(from_logits=True)


def train(make, directory):
    real = np.random.default_rng(0).normal(2.0, 0.3, (72, 2)).astype("float32")
    noise = np.random.default_rng(1).normal(size=(72, LATENT)).astype("float32")
    gan = GAN()
    distances = []

    def measure(*_):
        made = gan.generator.predict(noise, verbose=0)
        distances.append(abs(made.mean(0) - 2).max())

    measure()
    gan.compile(make(0.02, 0.05), make(0.02, 0.05))
    halved = callbacks.HyperparameterScheduler(
        "learning_rate",
        lambda epoch: 0.02 if epoch < 6 else 0.01,
        unit="epoch",
        optimizer=gan.d_optimizer,
    )
    monitor = callbacks.Monitor(every=1, optimizer=gan.d_optimizer)
    told = [monitor, halved, board(directory, optimizer=gan.g_optimizer)]
    told.append(keras.callbacks.LambdaCallback(on_epoch_end=measure))
    if BACKEND == "jax":  # `fit` passes the state of one optimizer to the step
        loop(gan, real, told)
    else:
        gan.fit(real, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=told)
    assert min(distances) < 0.7 * distances[0]  # a GAN oscillates around its optimum
    rates = {round(row["optimizer/learning_rate"], 6) for row in monitor.rows}
    assert rates == {0.02, 0.01}
    found = check_log(directory, "epoch/d_loss", "optimizer/gradient_norm")
    assert "optimizer/learning_rate" not in found  # constants are not drawn
    check(gan, make, directory, noise)


def check(gan, make, directory, noise):
    for model, optimizer in (
        (gan.generator, gan.g_optimizer),
        (gan.discriminator, gan.d_optimizer),
    ):
        assert int(optimizer.iterations) == EPOCHS * 5
        check_weights(model, make, optimizer)
    path = os.path.join(directory, "generator.keras")
    gan.generator.save(path)
    loaded = keras.models.load_model(path)
    expected = gan.generator.predict(noise, verbose=0)
    np.testing.assert_allclose(loaded.predict(noise, verbose=0), expected, rtol=1e-5)
    with gan.g_optimizer.evaluation_weights():  # already in use: changes nothing
        direct = numpy([gan.generator(noise)])[0]
    np.testing.assert_allclose(direct, expected, rtol=1e-5)


class GAN(keras.Model):
    """A GAN without an optimizer of its own: each of its two models has one."""

    def __init__(self):
        super().__init__()
        dense = keras.layers.Dense
        self.generator = keras.Sequential(
            [keras.Input((LATENT,)), dense(8, activation="tanh"), dense(2)]
        )
        self.discriminator = keras.Sequential(
            [keras.Input((2,)), dense(8, activation="relu"), dense(1)]
        )
        self.seeds = keras.random.SeedGenerator(3)
        self.d_tracker = keras.metrics.Mean(name="d_loss")
        self.g_tracker = keras.metrics.Mean(name="g_loss")
        self.built = True

    @property
    def metrics(self):
        return [self.d_tracker, self.g_tracker]

    def compile(self, d_optimizer, g_optimizer):
        super().compile()
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer
        d_optimizer.attach(self.discriminator)
        g_optimizer.attach(self.generator)

    def noise(self, like):
        return keras.random.normal((ops.shape(like)[0], LATENT), seed=self.seeds)

    def d_loss(self, real, noise):
        fake = self.generator(noise)
        logits = [self.discriminator(real), self.discriminator(fake)]
        return (
            crossentropy(ops.ones_like(logits[0]), logits[0])
            + crossentropy(ops.zeros_like(logits[1]), logits[1])
        ) / 2

    def g_loss(self, noise):
        logits = self.discriminator(self.generator(noise))
        return crossentropy(ops.ones_like(logits), logits)

    def train_step(self, real):
        noise = self.noise(real)
        d_loss = self.update(
            self.d_optimizer, self.discriminator, lambda: self.d_loss(real, noise)
        )
        g_loss = self.update(
            self.g_optimizer, self.generator, lambda: self.g_loss(noise)
        )
        self.d_tracker.update_state(d_loss)
        self.g_tracker.update_state(g_loss)
        return {m.name: m.result() for m in self.metrics}

    def update(self, optimizer, model, loss_of):
        weights = model.trainable_weights
        if BACKEND == "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                loss = loss_of()
            gradients = tape.gradient(loss, weights)
            optimizer.apply_gradients(zip(gradients, weights, strict=True))
            return loss
        import torch

        self.zero_grad()
        loss = loss_of()
        loss.backward()
        with torch.no_grad():
            optimizer.apply([w.value.grad for w in weights], weights)
        return loss.detach()


def loop(gan, real, told):
    """Train on JAX, where `fit` passes the state of one optimizer to `train_step`."""
    updates = [
        stateless(gan.discriminator, gan.generator, gan.d_optimizer, gan.d_loss),
        stateless(gan.generator, gan.discriminator, gan.g_optimizer, gan.g_loss),
    ]
    told = keras.callbacks.CallbackList(told, model=gan)
    with gan.d_optimizer.training_weights(), gan.g_optimizer.training_weights():
        told.on_train_begin()
        for epoch in range(EPOCHS):
            told.on_epoch_begin(epoch)
            for batch, start in enumerate(range(0, len(real), BATCH)):
                told.on_train_batch_begin(batch)
                rows = real[start : start + BATCH]
                noise = gan.noise(rows)
                d_loss, g_loss = updates[0](rows, noise), updates[1](noise)
                told.on_train_batch_end(batch)
            losses = {"d_loss": float(d_loss), "g_loss": float(g_loss)}
            told.on_epoch_end(epoch, losses)
        told.on_train_end()


def stateless(model, other, optimizer, loss_of):
    import jax

    optimizer.build(model.trainable_variables)

    def loss_at(weights, others, args):
        variables = model.trainable_variables + other.trainable_variables
        held = zip(variables, [*weights, *others], strict=True)
        with keras.StatelessScope(state_mapping=list(held)):
            return loss_of(*args)

    @jax.jit
    def update(weights, variables, others, args):
        loss, gradients = jax.value_and_grad(loss_at)(weights, others, args)
        return loss, *optimizer.stateless_apply(variables, gradients, weights)

    def step(*args):
        held = [model.trainable_variables, optimizer.variables]
        read = [[v.value for v in vs] for vs in [*held, other.trainable_variables]]
        loss, *state = update(*read, args)
        for variables, values in zip(held, state, strict=True):
            for v, value in zip(variables, values, strict=True):
                v.assign(value)
        return loss

    return step
