"""Momentum in three forms: the heavy ball, a velocity, and an average of gradients.

    python examples/textbook/momentum.py

All go down one narrow valley. Two must equal the velocity, which the script checks: the
heavy ball, and the average at 5 times the rate, if that is constant.
"""

import keras
import numpy as np
import pictures

import keras_optlab as kol

RATE, MOMENTUM, TIMES = 0.036, 0.8, 5  # the sum of 0.8 ** n is 5
CURVATURE, START = np.array([1.0, 50.0]), (-10.0, 1.0)
COLORS = pictures.RED, pictures.GREEN, pictures.BLUE
SAME = f"velocity\n= heavy ball (+)\n= average, {TIMES} x rate (o)"


def train(optimizer, updates):
    """Return the weights before the first update and after each."""
    weights, path = keras.Variable(START), [np.array(START)]
    for _ in range(updates):
        gradient = CURVATURE * path[-1]  # of the loss (w1**2 + 50 * w2**2) / 2
        optimizer.apply([keras.ops.cast(gradient, "float32")], [weights])
        path.append(np.array(keras.ops.convert_to_numpy(weights), "float64"))
    return np.array(path)


def paths(schedule, updates):
    """Return the path of each method; `schedule` turns a rate into one that changes."""

    def momentum(form, rate):
        return kol.optimizers.Momentum(schedule(rate), momentum=MOMENTUM, form=form)

    optimizers = {
        "gradient descent": kol.optimizers.SGD(schedule(RATE)),
        "average, same rate": momentum("ema", RATE),
        "velocity": momentum("velocity", RATE),
        "heavy ball": momentum("heavy_ball", RATE),
        "average": momentum("ema", TIMES * RATE),
    }
    return {name: train(optimizer, updates) for name, optimizer in optimizers.items()}


def main():
    args = pictures.arguments(__doc__, "momentum.png", updates=60)
    constant = paths(float, args.updates)
    falling = paths(lambda rate: kol.schedules.Cosine(rate, args.updates), args.updates)
    for kind, found in ("constant", constant), ("falling", falling):
        apart = [np.abs(path - found["velocity"]).max() for path in found.values()]
        ball, mean = apart[-2:]
        print(f"{kind} rate: heavy ball {ball:.0e} from velocity, average {mean:.0e}")
        assert ball < 1e-4, "heavy ball and velocity must be equal"
        assert mean < 1e-4 or kind == "falling", "average and velocity must be equal"

    (figure, (left, right)), ends = pictures.panels(2, height=3.3), []
    pictures.contours(left, lambda w: w**2 @ CURVATURE / 2, (-11, 6), (-1.4, 1.4))
    far = {name: np.linalg.norm(path, axis=1) for name, path in constant.items()}
    for (name, path), color in zip(constant.items(), COLORS, strict=False):
        left.plot(*path.T, color=color)
        right.semilogy(far[name], color=color)
        ends.append((SAME if name == "velocity" else name, far[name][-1], color))
    for name, mark, start in ("heavy ball", "+", 0), ("average", "o", 2):
        rows = range(start, args.updates, 4)
        right.semilogy(rows, far[name][rows], mark, c=pictures.BLUE, mfc="none")
    pictures.label_ends(right, ends, gap=0.25)
    left.set(xlabel="flat direction", ylabel="steep direction", title="path")
    right.set(xlabel="update", title="distance to the minimum")
    times = far["gradient descent"][-1] / far["velocity"][-1]
    conclusion = (
        f"Momentum {MOMENTUM} sums {TIMES} steps along the valley: {times:,.0f} times "
        f"closer after {args.updates} updates. Its three forms take the same path."
    )
    pictures.save(figure, conclusion, args.picture)


if __name__ == "__main__":
    main()
