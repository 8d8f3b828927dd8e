"""The learning rate: too small, right, too large; and rates that fall.

    python examples/textbook/learning_rate.py

A network reads the digits of MNIST by SGD with momentum. All trainings begin at the
same weights; images that are not trained on judge them.
"""

import keras
import numpy as np
import pictures
from keras import layers

import keras_optlab as kol

COLORS = pictures.BLUE, pictures.GREEN, pictures.RED, pictures.PINK
(images, labels), _ = kol.datasets.mnist()
images = images.reshape(-1, 784) / np.float32(255)
validation = images[50_000:], labels[50_000:]


def train(rate, args):
    """Return the validation loss after each epoch."""
    keras.utils.set_random_seed(0)
    hidden = layers.Dense(64, activation="relu")
    model = keras.Sequential([keras.Input((784,)), hidden, layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(kol.optimizers.SGD(rate, momentum=0.9), loss, steps_per_execution=10)
    images_, labels_ = images[: args.examples], labels[: args.examples]
    options = {"validation_data": validation, "validation_batch_size": 1000}
    history = model.fit(images_, labels_, 32, args.epochs, verbose=0, **options)
    return history.history["val_loss"]


def main():
    args = pictures.arguments(
        __doc__, "learning_rate.png", epochs=4, examples=20_000, rates=7
    )
    figure, ((top, curve), (course, bottom)) = pictures.panels(2, 2, height=5)
    rates = [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3][-args.rates :]
    losses = {rate: train(rate, args) for rate in rates}
    ends = {rate: values[-1] for rate, values in losses.items()}
    best = min(ends, key=ends.get)
    curve.loglog(rates, list(ends.values()), color=pictures.GREY)
    for rate, color in zip((rates[0], best, rates[-1]), COLORS, strict=False):
        print(f"rate {rate:<15g} validation loss {ends[rate]:.3f}")
        top.semilogy(range(1, args.epochs + 1), losses[rate], color=color)
        pictures.label(top, args.epochs, ends[rate], f"{rate:g}", color)
        curve.plot(rate, ends[rate], "o", color=color)
    steps, lines = -(-args.examples // 32) * args.epochs, []
    levels = [best, 0.3 * best, 0.1 * best]
    schedules = {
        "constant": kol.schedules.Constant(best),
        "step": kol.schedules.Piecewise([steps // 2, steps * 3 // 4], levels=levels),
        "cosine": kol.schedules.Cosine(best, steps),
        "one cycle": kol.schedules.OneCycle(3 * best, steps),
    }
    for (name, schedule), color in zip(schedules.items(), COLORS, strict=True):
        values = train(schedule, args)
        print(f"{name:20} validation loss {values[-1]:.3f}")
        schedule.plot(steps, ax=course)
        course.lines[-1].set_color(color)
        bottom.plot(range(1, args.epochs + 1), values, color=color)
        lines.append((f"{name}: {values[-1]:.3f}", values[-1], color))
    pictures.label_ends(bottom, lines, gap=0.02)
    top.set(xlabel="epoch", title="validation loss, at three rates")
    curve.set(xlabel="learning rate", title="validation loss at the end, by rate")
    course.set(xlabel="update", ylabel="", title="learning rate, by four schedules")
    bottom.set(xlabel="epoch", title="validation loss, with the four schedules")
    winner, _, _ = min(lines, key=lambda line: line[1])
    conclusion = (
        f"The rate {rates[0]:g} ends at {ends[rates[0]]:.3f}, {best:g} at "
        f"{ends[best]:.3f}, {rates[-1]:g} at {ends[rates[-1]]:.3f}. Of four schedules, "
        f"the best is {winner}."
    )
    pictures.save(figure, conclusion, args.picture)


if __name__ == "__main__":
    main()
