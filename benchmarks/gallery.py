"""Every optimizer on a small MLP and a small CNN: the curves of the gallery.

    python benchmarks/gallery.py
    optlab report benchmarks/studies/gallery-mlp
    optlab report benchmarks/studies/gallery-cnn

Six settings of each optimizer's space are tried; the best one is trained again with a
fresh seed. One seed shows what a rule does, it judges nothing. An hour on two cores.
Run it in the root of the repository. A study that was stopped goes on with the same
command.
"""

import keras
from keras import layers

from keras_optlab import lab, optimizers
from keras_optlab.lab.problems import Data, Problem, find

ROWS = 10_000  # of MNIST's training images


def mlp():
    def model():
        hidden = layers.Dense(64, "relu")
        return keras.Sequential([layers.Flatten(), hidden, layers.Dense(10)])

    return on_mnist(model, "10,000 images of MNIST, an MLP 784-64-10")


def cnn():
    def model():
        convolutions = [layers.Conv2D(n, 3, 2, activation="relu") for n in (8, 16)]
        return keras.Sequential([*convolutions, layers.Flatten(), layers.Dense(10)])

    return on_mnist(model, "10,000 images of MNIST, two convolutions (8, 16)")


def on_mnist(model, summary):
    return Problem(
        model=model,
        data=images,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        batch_size=128,
        epochs=3,
        evaluate_every=20,
        summary=summary,
    )


def images():
    """Return 10,000 images for training, and MNIST's for validation and test."""
    data = find("mnist-cnn").splits
    x, y = data.train
    return Data((x[:ROWS], y[:ROWS]), data.validation, data.test)


if __name__ == "__main__":
    for name in ("mlp", "cnn"):
        found = lab.compare(
            f"benchmarks/gallery.py:{name}",
            optimizers.names(),
            trials=6,
            seeds=1,
            folder=f"benchmarks/studies/gallery-{name}",
        )
        print(found.table()[["optimizer", "final", "step_ms"]].to_string(index=False))
