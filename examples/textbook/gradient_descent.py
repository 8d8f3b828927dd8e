"""Gradient descent on the full batch, on single examples, and on mini-batches.

    python examples/textbook/gradient_descent.py

A line, y = w x + b, is fitted to 128 points, from the same start at the same rate. The
three differ only in how many points each gradient is computed from.
"""

import keras
import numpy as np
import pictures

import keras_optlab as kol

POINTS, RATE, START = 128, 0.1, (-1.0, 3.0)
METHODS = {  # points in a batch, updates, color
    "single examples": (1, 1600, pictures.RED),
    "mini-batches of 8": (8, 1600, pictures.GREEN),
    "full batch": (POINTS, 400, pictures.BLUE),
}
rng = np.random.default_rng(0)
x = rng.uniform(0, 2, POINTS)
y = 1.5 * x - 0.5 + rng.normal(0, 0.5, POINTS)
features = np.stack([x, np.ones(POINTS)], axis=1)  # w multiplies x, b multiplies 1
best = np.linalg.lstsq(features, y, rcond=None)[0]


def excess(weights):
    """Return the loss of each pair of weights, minus that of the best pair."""
    return np.mean((weights @ features.T - best @ features.T) ** 2, axis=-1) / 2


def train(size, updates):
    """Return the weights before the first update and after each."""
    weights, path = keras.Variable(START), [np.array(START)]
    optimizer = kol.optimizers.SGD(RATE)
    while len(path) <= updates:
        for rows in np.split(rng.permutation(POINTS), POINTS // size):
            errors = features[rows] @ path[-1] - y[rows]
            gradient = features[rows].T @ errors / size
            optimizer.apply([keras.ops.cast(gradient, "float32")], [weights])
            path.append(np.array(keras.ops.convert_to_numpy(weights), "float64"))
    return np.array(path[: updates + 1])


def smooth(seen, values):
    """Return means over intervals of equal length on a logarithmic axis."""
    interval = np.round(8 * np.log(seen))
    groups = [interval == i for i in np.unique(interval)]
    return np.array([(seen[g].mean(), values[g].mean()) for g in groups]).T


def main():
    args = pictures.arguments(__doc__, "gradient_descent.png", updates=1600)
    figure, (left, right) = pictures.panels(2, height=3.1, width_ratios=[2, 3])
    pictures.contours(left, excess, (-1.5, 2.5), (-1.5, 3.5), np.logspace(-2, 1, 7))
    reached = []
    for name, (size, updates, color) in METHODS.items():
        path = train(size, min(updates, args.updates))
        seen, values = smooth(size * np.arange(1, len(path)), excess(path[1:]))
        near = seen[values < 0.02]
        reached.append(f"{near[0]:,.0f}" if len(near) else "never")
        left.plot(*path.T, color=color, linewidth=1)
        right.loglog(seen, values, color=color)
        below = {"xytext": (-10, -11), "ha": "right"} if size < POINTS else {}
        pictures.label(right, seen[-1], values[-1], name, color, **below)
        print(f"{name:18} {len(path) - 1:5,} updates, {values[-1]:.1e} above the best")
    left.set(xlabel="slope w", ylabel="intercept b", title="path")
    right.set(xlabel="examples seen", title="loss minus the lowest possible loss")
    right.set(xlim=(1, 5e5), ylim=(1e-6, 5))
    one, several, every = reached
    conclusion = (
        f"To a loss of 0.02: {one} examples seen one by one, {several} in mini-"
        f"batches, {every} in full batches. But the noise of small batches remains."
    )
    pictures.save(figure, conclusion, args.picture)


if __name__ == "__main__":
    main()
