"""Overfit a wide network on 300 diamonds, and compare ways to regularize it.

    python examples/regularization.py

Six networks start from the same 277,000 weights and train on the same rows, in one or
two minutes on two CPU cores. It runs on each backend: set KERAS_BACKEND to tensorflow
(the default), jax or torch.

An error is the mean absolute error of the log price, times 100: roughly the error of
the price in percent. It contains no penalty. "Training" is the mean over an epoch in
the picture, and the error of the final weights in the table.

Each strength is the best of four, which were a factor of 2 apart (0.05 apart for the
clipping norm). The criterion was the error on the 2,000 validation rows after 100
epochs, averaged over two samples of 300 training rows; this run uses the first sample.
The validation rows also select the epoch of early stopping; the test rows select
nothing. The second sample ranked the two penalties, decay and clipping in another
order, so this run does not rank them.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

import keras_optlab as kol

BATCH_SIZE = 50
SMALL = 1e-3  # smaller weights count as nearly zero
GREY = {"color": "0.8", "linewidth": 3}


class Outcome(NamedTuple):
    """Results of a training; errors in percent."""

    training: np.ndarray  # by epoch, mean over the epoch
    validation: np.ndarray  # by epoch, at the end of the epoch
    errors: list[float]  # of the final weights: training, validation, test
    weights: np.ndarray  # all entries of the kernels

    @property
    def best(self):
        """The epoch, counted from 0, of the lowest validation error."""
        return int(np.argmin(self.validation))

    def share_below(self, magnitude):
        """Return the percentage of weights that are smaller than a magnitude."""
        ordered = np.sort(np.abs(self.weights))
        return 100 * np.searchsorted(ordered, magnitude) / len(ordered)


def variants():
    """Return the arguments of `train` for each way to regularize."""
    callbacks, regularizers = kol.callbacks, kol.regularizers
    return {
        "none": {},
        "early stopping": {
            "callback": callbacks.EarlyStopping("val_mae", patience=20, verbose=0)
        },
        "L1 penalty": {"regularizer": regularizers.L1(2e-4)},
        "L2 penalty": {"regularizer": regularizers.L2(4e-3)},
        # The decay is multiplied by the rate, 2e-3 at first, so the number is large.
        "weight decay": {"weight_decay": 10.0},
        "weight clipping": {
            "callback": callbacks.WeightClipping(max_norm=0.2, skip="bias")
        },
    }


def network(features):
    """Return two wide hidden layers and one output: the logarithm of the price."""
    hidden = [layers.Dense(512, activation="relu") for _ in range(2)]
    return keras.Sequential([keras.Input((features,)), *hidden, layers.Dense(1)])


def train(data, args, regularizer=None, weight_decay=0.0, callback=None):
    """Train from the same weights as every other variant; return the outcome."""
    keras.utils.set_random_seed(args.seed)
    x, y = data.x_train[: args.rows], data.y_train[: args.rows]
    x_val, y_val = data.x_val[:2000], data.y_val[:2000]

    model = network(features=x.shape[1])
    if regularizer:
        kol.regularizers.regularize(model, kernel=regularizer)
    model.compile(
        optimizer=kol.optimizers.AdamW(  # without weight decay, it is Adam
            learning_rate=kol.schedules.Cosine(2e-3),
            weight_decay=weight_decay,
            decay_mask="matrices",  # leaves out the biases, like the others
        ),
        loss="mse",
        metrics=["mae"],
    )
    history = model.fit(
        x,
        y,
        batch_size=BATCH_SIZE,
        epochs=args.epochs,
        validation_data=(x_val, y_val),
        validation_batch_size=2000,
        callbacks=[callback] if callback else [],
        verbose=0,
    ).history

    percent = 100 * data.log_price_std
    sets = (x, y), (x_val, y_val), (data.x_test, data.y_test)
    kernels = [w for w in model.get_weights() if w.ndim == 2]
    return Outcome(
        percent * np.array(history["mae"]),
        percent * np.array(history["val_mae"]),
        [percent * model.evaluate(*s, 1000, verbose=0)[1] for s in sets],
        np.concatenate([np.ravel(w) for w in kernels]),
    )


def draw(outcomes, path):
    """Save a picture of the outcomes, if matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print(f"For a picture of it: {sys.executable} -m pip install matplotlib")
        return
    figure = Figure(figsize=(10, 5), layout="constrained")
    grid = figure.subplots(2, len(outcomes), sharex="row", sharey="row")
    for (name, outcome), (above, below) in zip(outcomes.items(), grid.T, strict=True):
        title = f"{name}\ntest error {outcome.errors[2]:.1f} %"
        above.set_title(title, fontsize="medium")
        draw_errors(above, outcome, outcomes["none"])
        draw_weights(below, outcome, outcomes["none"])
    grid[0, 0].set(ylabel="error, %", ylim=(0, 20))
    grid[1, 0].set(ylabel="smaller weights, %", ylim=(0, 105))
    lines, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f"Saved a picture of it: {path}")


def draw_errors(axes, outcome, reference):
    """Draw the errors by epoch, over the validation error of the reference."""
    best, epochs = outcome.best, np.arange(1, len(reference.validation) + 1)
    axes.plot(epochs, reference.validation, **GREY, label="none, for comparison")
    epochs = epochs[: len(outcome.validation)]
    axes.plot(epochs, outcome.training, "C0", label="training")
    axes.plot(epochs, outcome.validation, "C1", label="validation")
    axes.plot(epochs[best], outcome.validation[best], "C3o", label="its best epoch")
    axes.set(xlabel="epoch")
    axes.grid(alpha=0.3)


def draw_weights(axes, outcome, reference):
    """Draw the percentage of the weights that are smaller than a magnitude."""
    magnitudes = np.logspace(-6, 0, 121)
    axes.semilogx(magnitudes, reference.share_below(magnitudes), **GREY)
    axes.semilogx(magnitudes, outcome.share_below(magnitudes), "C2")
    share = outcome.share_below(SMALL)
    axes.plot(SMALL, share, "C2o")
    axes.set_title(f"{share:.0f} % below {SMALL}", fontsize="medium")
    axes.set(xlabel="magnitude", xlim=(magnitudes[0], magnitudes[-1]))
    axes.set_xticks([1e-6, 1e-3, 1])
    axes.grid(alpha=0.3)


def main():
    parser = argparse.ArgumentParser(description="Compare ways to regularize.")
    parser.add_argument("--epochs", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--rows", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--picture", type=Path, default="regularization.png")
    args = parser.parse_args()

    data = kol.datasets.diamonds()
    outcomes = {}
    print("                       error in %            best  norm of  weights")
    print("variant          train  validation   test   epoch  weights  < 0.001")
    for name, arguments in variants().items():
        outcomes[name] = outcome = train(data, args, **arguments)
        training, validation, test = outcome.errors
        print(
            f"{name:15} {training:6.2f} {validation:11.2f} {test:6.2f} "
            f"{outcome.best + 1:7} {np.linalg.norm(outcome.weights):8.1f} "
            f"{outcome.share_below(SMALL):6.1f} %",
            flush=True,
        )
    draw(outcomes, args.picture)


if __name__ == "__main__":
    main()
