"""L2 in the loss, `l2=` of the optimizer, and decoupled weight decay, with Adam.

    python examples/l2_or_decay.py

Two weights start at 1 and have nothing to learn: their gradients are noise. The
gradient of the first weight is a hundred times larger, because its input is. Only the
penalty or the decay pulls the weights in one direction, with the same strength for
both. The table shows both weights after training, and the last loss that Keras reports.
docs/l2_or_decay.md explains the result.
"""

import argparse

import keras
import numpy as np

import keras_optlab as kol

RATE, STRENGTH = 4e-3, 0.2  # the gradient of STRENGTH * w² is 2 * STRENGTH * w

WAYS = {
    "neither": (kol.optimizers.Adam(RATE), None),
    "L2 in the loss": (kol.optimizers.Adam(RATE), kol.regularizers.L2(STRENGTH)),
    "l2= of the optimizer": (kol.optimizers.Adam(RATE, l2=STRENGTH), None),
    "weight_decay=": (kol.optimizers.Adam(RATE, weight_decay=2 * STRENGTH), None),
}


def noise(y, prediction):
    """Return a loss whose gradient does not depend on the weights."""
    return keras.ops.mean(y * prediction)


def train(optimizer, regularizer, epochs):
    """Return both weights at the end, and the loss of the last epoch."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16_000, 2)).astype("float32") * [30.0, 0.3]
    y = rng.normal(size=(16_000, 1)).astype("float32")
    dense = keras.layers.Dense(
        1,
        use_bias=False,
        kernel_initializer="ones",
        kernel_regularizer=regularizer,
    )
    model = keras.Sequential([keras.Input((2,)), dense])
    model.compile(optimizer, noise)
    history = model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
    return *np.ravel(model.get_weights()[0]), history.history["loss"][-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4, help="default: %(default)s")
    args = parser.parse_args()
    print(f"{'':22}{'large gradient':>15}{'small gradient':>15}{'loss':>9}")
    for name, way in WAYS.items():
        large, small, loss = train(*way, args.epochs)
        print(f"{name:22}{large:15.3f}{small:15.3f}{loss:9.3f}")


if __name__ == "__main__":
    main()
