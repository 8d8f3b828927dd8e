"""Adagrad, RMSprop and Adam: each weight has a learning rate of its own.

    python examples/textbook/adaptive.py

A score is predicted from three words that occur in 100 %, 10 % and 1 % of the texts.
The rarer a word, the smaller the gradient of its weight. A weight's own rate is the
factor of its gradient (Adam: of its mean gradient), from the state of the optimizer.
"""

import keras
import numpy as np
import pictures

import keras_optlab as kol

SHARES = np.array([1.0, 0.1, 0.01])  # of the texts that have the word
COLORS = pictures.BLUE, pictures.GREEN, pictures.RED
LABELS = ("in all texts", 1.12), ("in 10 %", 0.75), ("in 1 %", 0.13)  # with a height
OPTIMIZERS = {  # with the name of its sum or mean of squared gradients
    "SGD": (kol.optimizers.SGD(0.3), None),
    "Adagrad": (kol.optimizers.Adagrad(0.3), "accumulator"),
    "RMSprop": (kol.optimizers.RMSprop(0.02), "velocity"),
    "Adam": (kol.optimizers.Adam(0.02), "v"),
}


def numpy(variable):
    return np.array(keras.ops.convert_to_numpy(variable), "float64")


def own_rates(optimizer, slot, t):
    """Return the rate of each weight at update t."""
    state = {v.path.partition("/words_")[2]: numpy(v) for v in optimizer.variables}
    correction = 1 - 0.999**t if slot == "v" else 1  # as Adam's mean begins at 0
    squares = state[slot] / correction if slot else np.ones(3)
    return numpy(optimizer.learning_rate) / np.sqrt(squares)


def train(optimizer, slot, updates):
    """Return the rates and the values of the three weights by update."""
    rng = np.random.default_rng(0)
    weights, rates, values = keras.Variable([0.0] * 3, name="words"), [], []
    for t in range(1, updates + 1):
        texts = (rng.random((256, 3)) < SHARES).astype("float64")
        scores = texts.sum(axis=1) + rng.normal(0, 0.5, 256)  # the best weights are 1
        gradient = texts.T @ (texts @ numpy(weights) - scores) / 256
        optimizer.apply([keras.ops.cast(gradient, "float32")], [weights])
        rates.append(own_rates(optimizer, slot, t))
        values.append(numpy(weights))
    return np.array(rates), np.array(values)


def main():
    args = pictures.arguments(__doc__, "adaptive.png", updates=300)
    figure, grid = pictures.panels(4, 2, height=4, sharex=True, sharey="row")
    last = {}
    for (name, case), (above, below) in zip(OPTIMIZERS.items(), grid.T, strict=True):
        rates, values = train(*case, args.updates)
        for rate, value, color in zip(rates.T, values.T, COLORS, strict=True):
            above.semilogy(rate, color=color)
            below.plot(value, color=color)
        above.set_title(name)
        below.set_xlabel("update")
        last[name] = values[-1, -1]  # of the rarest word
        print(f"{name:8} rates at the end: {np.round(rates[-1], 3)}")
    for (text, height), color in zip(LABELS, COLORS, strict=True):
        pictures.label(grid[1, 0], args.updates / 2, height, text, color)
    grid[0, 0].set_ylabel("rate of the weight")
    grid[1, 0].set_ylabel("weight (best: 1)")
    ratio = rates[-1, 2] / rates[-1, 0]
    conclusion = (
        f"With one rate, SGD brings the rarest word's weight to {last['SGD']:.2f} in "
        f"{args.updates} updates. Adam gives it {ratio:.0f} times the rate of the most "
        f"common word's: {last['Adam']:.2f}."
    )
    pictures.save(figure, conclusion, args.picture)


if __name__ == "__main__":
    main()
