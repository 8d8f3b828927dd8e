"""The textbook's training loop in TensorFlow: tf.data, GradientTape, an optimizer.

    python examples/textbook/tensorflow_loop.py

A network reads digits of MNIST. `compile_fit.py` is the same training by `fit`.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # before Keras is imported

import keras
import numpy as np
import pictures
import tensorflow as tf

import keras_optlab as kol

loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network():
    """Return the network, with the same weights in each call."""
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(128, activation="relu") for _ in range(2)]
    return keras.Sequential([keras.Input((784,)), *hidden, keras.layers.Dense(10)])


def datasets(examples):
    """Return batches of the training and of the test images."""
    rows, test = (
        tf.data.Dataset.from_tensor_slices((x.reshape(-1, 784) / np.float32(255), y))
        for x, y in kol.datasets.mnist()
    )
    # One order for all epochs, as `fit` would draw other orders than a loop.
    rows = rows.take(examples).shuffle(60_000, 0, reshuffle_each_iteration=False)
    return rows.batch(128).prefetch(2), test.batch(1000)


def train(network, optimizer, batches, test, epochs):
    """Yield the mean training loss and the test accuracy of each epoch."""

    @tf.function  # compiles the whole step
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, network(x, training=True))
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        return loss

    for _ in range(epochs):
        loss, accuracy = keras.metrics.Mean(), keras.metrics.SparseCategoricalAccuracy()
        for x, y in batches:
            loss.update_state(step(x, y), sample_weight=len(x))
        for x, y in test:
            accuracy.update_state(y, network(x, training=False))
        yield float(loss.result()), float(accuracy.result())


def main():
    args = pictures.arguments(__doc__, "tensorflow_loop.png", epochs=8, examples=60_000)
    optimizer, data = kol.optimizers.Adam(1e-3), datasets(args.examples)
    losses, scores = np.array([*train(network(), optimizer, *data, args.epochs)]).T
    errors = 100 - 100 * scores
    print(f"Test accuracy: {100 * scores[-1]:.2f} %")
    figure, (left, right) = pictures.panels(2)
    numbers, best = range(1, args.epochs + 1), np.argmin(errors)
    left.semilogy(numbers, losses, color=pictures.BLUE)
    right.plot(numbers, errors, "o-", color=pictures.RED, markevery=[best])
    left.set(xlabel="epoch", title="training loss")
    right.set(xlabel="epoch", title="wrong test images, %", ylim=(0, 6))
    conclusion = (
        f"The training loss goes from {losses[0]:.2f} to {losses[-1]:.2f}. The test "
        f"error is lowest after epoch {best + 1}: {errors[best]:.1f} % of the images."
    )
    pictures.save(figure, conclusion, args.picture)


if __name__ == "__main__":
    main()
