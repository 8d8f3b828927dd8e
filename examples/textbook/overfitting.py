"""Overfitting, and five methods that are said to help against it.

    python examples/textbook/overfitting.py

A wide network learns the prices of diamonds from 300 rows only. The strength of each
method is that of `examples/regularization.py`, which says how it was chosen. Gradient
clipping, which is not in it, is to a norm of 0.3.
"""

import keras
import numpy as np
import pictures
from keras import layers

import keras_optlab as kol

STOP = kol.callbacks.EarlyStopping("val_mae", patience=20, restore_best=True, verbose=0)
CLIP = kol.callbacks.WeightClipping(max_norm=0.2, skip="bias")
METHODS = {  # what `train` takes
    "none": {},
    "early stopping": {"callbacks": [STOP]},
    "gradient clipping": {"global_clipnorm": 0.3},
    "L1 penalty": {"regularizer": kol.regularizers.L1(2e-4)},
    "L2 penalty": {"regularizer": kol.regularizers.L2(4e-3)},
    "weight clipping": {"callbacks": [CLIP]},
}
COLORS = pictures.GREY, pictures.BLUE, pictures.RED
data = kol.datasets.diamonds()
PERCENT = 100 * data.log_price_std  # an error of the log price as percent of the price


def train(args, regularizer=None, global_clipnorm=None, callbacks=()):
    """Return the errors by epoch, of training and validation, and on the test rows."""
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(512, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((26,)), *hidden, layers.Dense(1)])
    if regularizer:
        kol.regularizers.regularize(model, kernel=regularizer)
    rate = kol.schedules.Cosine(2e-3)
    optimizer = kol.optimizers.Adam(rate, global_clipnorm=global_clipnorm)
    model.compile(optimizer, loss="mse", metrics=["mae"])
    rows = data.x_train[: args.rows], data.y_train[: args.rows]
    validation = data.x_val[:2000], data.y_val[:2000]
    options = {"validation_data": validation, "validation_batch_size": 2000}
    options |= {"callbacks": list(callbacks), "verbose": 0}
    history = model.fit(*rows, 50, args.epochs, **options).history
    test = model.evaluate(data.x_test, data.y_test, batch_size=1000, verbose=0)[1]
    return *(PERCENT * np.array(history[k]) for k in ("mae", "val_mae")), PERCENT * test


def main():
    args = pictures.arguments(__doc__, "overfitting.png", epochs=100, rows=300)
    figure, grid = pictures.panels(3, 2, height=4.3, sharex=True, sharey=True)
    tests, reference = {}, None
    for (name, method), axes in zip(METHODS.items(), grid.flat, strict=True):
        training, validation, tests[name] = train(args, **method)
        reference = validation if reference is None else reference
        print(f"{name:18} test error {tests[name]:.1f} %", flush=True)
        curves = (reference, training, validation)
        for curve, color in zip(curves, COLORS, strict=True):
            axes.plot(range(1, len(curve) + 1), curve, color=color)
        axes.set(title=f"{name}: test error {tests[name]:.1f} %", ylim=(0, 20))
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("error of the price, %", fontsize=9)
    middle = args.epochs // 2
    pictures.label(grid[0, 0], middle, 15, "validation", pictures.RED)
    pictures.label(grid[0, 0], middle, 5, "training", pictures.BLUE)
    pictures.label(grid[1, 0], middle - 20, 16, "validation of none", pictures.GREY)
    low, clip = min(tests, key=tests.get), tests["gradient clipping"]
    conclusion = (
        f"{low.capitalize()} lowers the test error from {tests['none']:.1f} to "
        f"{tests[low]:.1f} %. Gradient clipping ({clip:.1f} %) limits steps, not "
        "weights."
    )
    pictures.save(figure, conclusion, args.picture)


if __name__ == "__main__":
    main()
