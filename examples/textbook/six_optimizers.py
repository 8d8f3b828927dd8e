"""Six optimizers on MNIST, each at its best learning rate.

    python examples/textbook/six_optimizers.py

Each trains the same network from the same weights at five rates, half a decade apart,
and the loss on images that are not trained on chooses the best.
"""

import functools

import keras
import numpy as np
import pictures
from keras import layers

import keras_optlab as kol

nesterov = functools.partial(kol.optimizers.SGD, momentum=0.9, nesterov=True)
OPTIMIZERS = {  # with the middle one of the rates to try, and a color
    "SGD": (kol.optimizers.SGD, 0.3, pictures.RED),
    "momentum": (kol.optimizers.Momentum, 0.1, pictures.ORANGE),
    "Nesterov": (nesterov, 0.1, pictures.GREEN),
    "Adagrad": (kol.optimizers.Adagrad, 0.1, pictures.PINK),
    "RMSprop": (kol.optimizers.RMSprop, 0.003, pictures.SKY),
    "Adam": (kol.optimizers.Adam, 0.003, pictures.BLUE),
}
(images, labels), _ = kol.datasets.mnist()
images = images.reshape(-1, 784) / np.float32(255)
validation = images[50_000:], labels[50_000:]


def train(optimizer, args):
    """Return the validation loss after each epoch."""
    keras.utils.set_random_seed(0)
    hidden = layers.Dense(128, activation="relu")
    model = keras.Sequential([keras.Input((784,)), hidden, layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, steps_per_execution=10)
    rows = images[: args.examples], labels[: args.examples]
    options = {"validation_data": validation, "validation_batch_size": 1000}
    history = model.fit(*rows, 128, args.epochs, verbose=0, **options)
    return history.history["val_loss"]


def main():
    args = pictures.arguments(
        __doc__, "six_optimizers.png", epochs=6, examples=20_000, rates=5
    )
    figure, (left, right) = pictures.panels(2, height=3.4, sharey=True)
    factors = 10 ** ((np.arange(args.rates) - args.rates // 2) / 2)
    lines, tenths = [], []
    for name, (rule, middle, color) in OPTIMIZERS.items():
        rates = [float(f"{middle * factor:.1g}") for factor in factors]
        curves = {rate: train(rule(rate), args) for rate in rates}
        ends = {rate: curve[-1] for rate, curve in curves.items()}
        best = min(ends, key=ends.get)
        print(
            name, ", ".join(f"{r:g}: {end:.3f}" for r, end in ends.items()), flush=True
        )
        left.semilogy(range(1, args.epochs + 1), curves[best], color=color)
        right.loglog(rates, list(ends.values()), color=color)
        right.plot(best, ends[best], "o", color=color)
        lines.append((f"{name}, {best:g}", ends[best], color))
        tenths.append(ends[rates[max(0, rates.index(best) - 2)]])
    pictures.label_ends(left, lines, gap=0.05)
    left.set(xlabel="epoch", title="validation loss at the best rate")
    right.set(xlabel="learning rate", title="validation loss at the end, by rate")
    lowest = [value for _, value, _ in lines]
    highest = max(line.get_ydata()[0] for line in left.lines)
    left.set_ylim(0.9 * min(lowest), 1.2 * highest)  # of both: some rates diverge
    conclusion = (
        f"At their best rates, the six end between {min(lowest):.3f} and "
        f"{max(lowest):.3f}; at a tenth of these, between {min(tenths):.3f} and "
        f"{max(tenths):.3f}. The rate matters more than the optimizer."
    )
    pictures.save(figure, conclusion, args.picture)


if __name__ == "__main__":
    main()
