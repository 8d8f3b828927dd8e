"""MNIST."""

from __future__ import annotations

from importlib import resources

import numpy as np

Split = tuple[np.ndarray, np.ndarray]


def mnist() -> tuple[Split, Split]:
    """Return the 70,000 handwritten digits of MNIST, as Keras' loader does.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, all uint8: 60,000 and 10,000 images of
        28 x 28 pixels in 0 .. 255, and their labels 0 .. 9.

    Source:
        LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
        CC BY-SA 3.0.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = mnist()
        >>> x_train.shape, x_test.shape, y_train[:5].tolist()
        ((60000, 28, 28), (10000, 28, 28), [5, 0, 4, 1, 9])
    """
    file = resources.files("keras_optlab.datasets") / "data" / "mnist.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return (
            (arrays["x_train"], arrays["y_train"]),
            (arrays["x_test"], arrays["y_test"]),
        )
