"""Classify handwritten digits, and log the training to TensorBoard.

    python examples/mnist.py

A small convolutional network trains on MNIST for a few minutes on two CPU cores. It
runs on each backend: set KERAS_BACKEND to tensorflow (the default), jax or torch.
"""

import argparse
import shlex
import sys
import time
from pathlib import Path

import keras
from keras import layers

import keras_optlab as kol

BATCH_SIZE = 128


def network():
    """Return four convolutions, each normalized, and a linear head: 60,000 weights."""
    model = keras.Sequential([keras.Input((28, 28)), layers.Reshape((28, 28, 1))])
    model.add(layers.Rescaling(1 / 255))
    for filters, size, strides in [(24, 5, 2), (32, 3, 1), (48, 3, 1), (48, 3, 1)]:
        # Normalization subtracts the mean, so a bias before it would do nothing.
        model.add(layers.Conv2D(filters, size, strides, use_bias=False))
        # With Keras' default momentum of 0.99, the initial statistics still affect the
        # moving averages after several hundred steps: too long for a short training.
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(10, kernel_regularizer=kol.regularizers.L2(1e-4)))
    return model


def main():
    parser = argparse.ArgumentParser(description="Train a small CNN on MNIST.")
    parser.add_argument("--epochs", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--examples", type=int, help="per set; default: all")
    parser.add_argument("--log-dir", default="runs/mnist", help="default: %(default)s")
    args = parser.parse_args()
    keras.utils.set_random_seed(0)

    # The last tenth of the training images selects the best epoch. The test images are
    # used once, at the end, and select nothing.
    (x, y), (x_test, y_test) = kol.datasets.mnist()
    x, y = x[: args.examples], y[: args.examples]
    x_test, y_test = x_test[: args.examples], y_test[: args.examples]
    split = len(x) * 9 // 10

    model = network()
    model.summary()
    model.compile(
        optimizer=kol.optimizers.AdamW(
            # The learning rate rises to its peak, then falls to almost 0.
            learning_rate=kol.schedules.OneCycle(peak=5e-3),
            weight_decay=0.02,
            decay_mask="matrices",  # leaves out biases and normalization
            global_clipnorm=1.0,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    # A folder for each run, so that TensorBoard shows them side by side.
    log_dir = Path(args.log_dir, time.strftime("%Y-%m-%d_%H-%M-%S"))
    model.fit(
        x[:split],
        y[:split],
        batch_size=BATCH_SIZE,
        epochs=args.epochs,
        validation_data=(x[split:], y[split:]),
        callbacks=[
            kol.callbacks.EarlyStopping("val_accuracy", patience=2, restore_best=True),
            kol.callbacks.TensorBoard(log_dir),
        ],
    )

    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"\nTest accuracy: {100 * accuracy:.2f} %")
    print(f"The goal of 99.2 % is {'reached' if accuracy >= 0.992 else 'not reached'}.")
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", args.log_dir]
    print(f"To see how it went:\n\n    {shlex.join(command)}\n")
    print("and open the address that it prints in a browser.")


if __name__ == "__main__":
    main()
