"""Custom loops: a hand-written step per backend, on a model without an `Input`."""

import keras
import numpy as np
from keras import ops

from tests.programs.common import (
    BACKEND,
    board,
    check_fell,
    check_log,
    check_weights,
    numpy,
)

no_second_pass = "looks at each batch more than once"
EPOCHS, BATCH = 8, 16
loss_of = keras.losses.MeanSquaredError()


def train(make, directory):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(72, 4)).astype("float32")  # the last batch has 8 rows
    y = np.tanh(x @ rng.normal(size=(4, 2))).astype("float32")
    model = keras.Sequential(
        [keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(2)]
    )
    optimizer = make(0.02, 0.05, clipnorm=5.0)
    if BACKEND == "jax":
        model(x[:1])
        optimizer.build(model.trainable_variables)
    losses, path = loop(model, optimizer, x, y, directory)
    check_fell(losses, to=0.7)
    check_weights(model, make, optimizer)
    check_average(model, optimizer, make, path)
    check_log(directory, "epoch/loss", "optimizer/gradient_norm")


def loop(model, optimizer, x, y, directory):
    """Return the validation loss of each epoch, and the weights after each step."""
    step = {"tensorflow": by_tape, "torch": by_backward, "jax": stateless}[BACKEND](
        model, optimizer
    )
    told = keras.callbacks.CallbackList(
        [board(directory, optimizer=optimizer)], model=model
    )
    told.on_train_begin()
    losses, path = [], []
    for epoch in range(EPOCHS):
        told.on_epoch_begin(epoch)
        for batch, start in enumerate(range(0, len(x), BATCH)):
            told.on_train_batch_begin(batch)
            rows = slice(start, start + BATCH)
            loss = step(x[rows], y[rows])
            told.on_train_batch_end(batch, {"loss": float(loss)})
            path.append(numpy(model.trainable_variables))
        with optimizer.evaluation_weights():
            losses.append(float(loss_of(y, model(x))))
        told.on_epoch_end(epoch, {"loss": losses[-1]})
    told.on_train_end()
    return losses, path


def by_tape(model, optimizer):
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    return step


def by_backward(model, optimizer):
    import torch

    def step(x, y):
        model.zero_grad()
        loss = loss_of(ops.convert_to_tensor(y), model(x, training=True))
        loss.backward()
        weights = model.trainable_variables
        with torch.no_grad():
            optimizer.apply([w.value.grad for w in weights], weights)
        return loss.detach()

    return step


def stateless(model, optimizer):
    import jax

    def forward(weights, non_trainable, x, y):
        outputs, non_trainable = model.stateless_call(weights, non_trainable, x)
        return loss_of(y, outputs), non_trainable

    gradient = jax.value_and_grad(forward, has_aux=True)

    @jax.jit
    def update(state, x, y):
        weights, non_trainable, variables = state
        (loss, non_trainable), gradients = gradient(weights, non_trainable, x, y)
        weights, variables = optimizer.stateless_apply(variables, gradients, weights)
        return loss, (weights, non_trainable, variables)

    def step(x, y):
        held = (
            model.trainable_variables,
            model.non_trainable_variables,
            optimizer.variables,
        )
        loss, state = update([[v.value for v in vs] for vs in held], x, y)
        for variables, values in zip(held, state, strict=True):
            for v, value in zip(variables, values, strict=True):
                v.assign(value)
        return loss

    return step


def check_average(model, optimizer, make, path):
    """Check the evaluation weights of EMA against an average computed in NumPy."""
    if make.kind != "average":
        return
    average = path[0]
    for weights in path[1:]:
        average = [0.8 * a + 0.2 * w for a, w in zip(average, weights, strict=True)]
    with optimizer.evaluation_weights():
        for a, b in zip(average, numpy(model.trainable_variables), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
