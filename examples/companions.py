"""Schedules and callbacks around an optimizer, all in one training on MNIST.

    python examples/companions.py

The learning rate follows one cycle and is halved on a plateau. The gradient clipping
threshold falls, and the weight decay grows. Weight norms are limited, and the best
weights are restored at the end. TensorBoard shows all of these values, histograms and
the first kernels. Set KERAS_BACKEND to tensorflow (the default), jax or torch.
"""

import argparse
import shlex
import sys
from pathlib import Path

import keras
from keras import layers

import keras_optlab as kol

BATCH = 128


def network():
    """Return two convolutions and two dense layers."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, strides=2, activation="relu", name="first"),
            layers.Conv2D(32, 3, strides=2, activation="relu", name="second"),
            layers.Flatten(),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dense(10, name="head"),
        ],
        name="net",
    )


def companions(log_dir):
    """Return the callbacks; their schedules span the training."""
    cb, schedules = kol.callbacks, kol.schedules
    clipping = cb.GradientClipping(
        global_norm=0.3, schedule=schedules.Exponential(5.0, decay_rate=0.2)
    )
    decay = schedules.Linear(0.0, final=0.1)
    return [
        cb.ReduceOnPlateau("val_loss", factor=0.5, patience=1, min_delta=0.01),
        clipping,
        cb.HyperparameterScheduler("weight_decay", decay),
        cb.WeightClipping(max_norm=2.0, match=["hidden/kernel", "head/kernel"]),
        cb.EarlyStopping("val_accuracy", patience=3),
        cb.Monitor(every=20),
        cb.TensorBoard(
            log_dir,
            every=10,
            histograms_every=50,
            images=True,
            hparams={"batch_size": BATCH},
        ),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6, help="default: %(default)s")
    parser.add_argument(
        "--examples", type=int, default=20_000, help="default: %(default)s"
    )
    parser.add_argument("--log-dir", default="runs/companions")
    args = parser.parse_args()

    keras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = kol.datasets.mnist()
    x, x_test = x[..., None] / 255.0, x_test[..., None] / 255.0
    train = slice(args.examples)
    validation = slice(-5000, None)

    model = network()
    model.compile(
        kol.optimizers.AdamW(kol.schedules.OneCycle(4e-3), weight_decay=0.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        x[train],
        y[train],
        batch_size=BATCH,
        epochs=args.epochs,
        validation_data=(x[validation], y[validation]),
        callbacks=companions(args.log_dir),
        verbose=2,
    )
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"Test accuracy: {100 * accuracy:.2f} %")
    above = str(Path(args.log_dir).parent)  # so that the HPARAMS page has the metrics
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", above]
    print(f"To see the training:\n    {shlex.join(command)}")


if __name__ == "__main__":
    main()
