"""What the recipe for fine-tuning is worth: from digits 0 to 4 to digits 5 to 9.

    python benchmarks/fine_tuning.py

A CNN of four blocks is pretrained on MNIST's images of 0 to 4, gets a new head, and is
fine-tuned on 200 images of 5 to 9. Rates are chosen on validation images; the table has
the mean error on 4,861 test images over fresh seeds.
"""

import argparse
import functools

import keras
import numpy as np
import rich.console
import rich.table
from keras import layers

import keras_optlab as kol

IMAGES, EPOCHS, BATCH_SIZE = 200, 20, 32
PEAKS = 3e-4, 1e-3, 3e-3, 1e-2
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def images(low, high, test=False):
    """Return images of some digits, and their labels from 0."""
    x, y = kol.datasets.mnist()[int(test)]
    chosen = (y >= low) & (y <= high)
    return x[chosen].astype("float32")[..., None] / 255, y[chosen].astype("int32") - low


def network():
    """Return four blocks of a convolution and normalization, and a head."""
    x = inputs = keras.Input((28, 28, 1))
    for number, (filters, strides) in enumerate([(16, 1), (32, 2), (32, 1), (64, 2)]):
        name = f"block{number}"
        conv = layers.Conv2D(filters, 3, strides, use_bias=False, name=f"{name}_conv")
        normal = layers.BatchNormalization(name=f"{name}_norm")
        x = layers.ReLU(name=f"{name}_relu")(normal(conv(x)))
    pooled = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(5, name="head")(pooled))


@functools.cache
def pretrained():
    """Return the weights of all layers but the head."""
    keras.utils.set_random_seed(0)
    model = network()
    model.compile(kol.optimizers.AdamW(kol.schedules.OneCycle(0.01)), LOSS)
    model.fit(*images(0, 4), batch_size=128, epochs=3, verbose=0)
    return [layer.get_weights() for layer in model.layers[:-1]]


def error(make, seed, test):
    """Return the percentage of errors after fine-tuning."""
    keras.utils.set_random_seed(seed)
    model = network()
    for layer, weights in zip(model.layers, pretrained(), strict=False):
        layer.set_weights(weights)
    x, y = images(5, 9)
    chosen = np.random.RandomState(seed).permutation(10_000)[:IMAGES]
    model.compile(**make(model).compile, loss=LOSS, metrics=["accuracy"])
    model.fit(x[chosen], y[chosen], batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    rest = slice(10_000, 15_000)
    held_out = images(5, 9, test=True) if test else (x[rest], y[rest])
    return 100 - 100 * model.evaluate(*held_out, batch_size=1000, verbose=0)[1]


def plain(model, peak):
    """Return AdamW with one rate for all layers."""
    return kol.recipes.fine_tuning(model, peak=peak, factor=1.0)


def head_only(model, peak):
    """Return AdamW for the head; the rest stays as it is."""
    for layer in model.layers[:-1]:
        layer.trainable = False
    return plain(model, peak)


WAYS = {
    "the new head only": head_only,
    "one rate for all layers": plain,
    "factor 0.7 a block (the recipe)": kol.recipes.fine_tuning,
    "factor 0.4 a block": functools.partial(kol.recipes.fine_tuning, factor=0.4),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="default: %(default)s")
    seeds = parser.parse_args().seeds
    heads = [f"peak {p:g}" for p in PEAKS]
    table = rich.table.Table("way", *heads, "test", box=None)
    for name, way in WAYS.items():
        tried = [
            np.mean([error(functools.partial(way, peak=p), s, False) for s in range(3)])
            for p in PEAKS
        ]
        best = functools.partial(way, peak=PEAKS[int(np.argmin(tried))])
        found = [error(best, 100 + seed, test=True) for seed in range(seeds)]
        spread = np.std(found, ddof=1) / np.sqrt(seeds)
        of_test = f"{np.mean(found):.2f} ± {spread:.2f}"
        row = name, *(f"{e:.2f}" for e in tried), of_test
        table.add_row(*row)
        print(*row, flush=True)
    rich.console.Console(width=100).print(table)


if __name__ == "__main__":
    main()
