import numpy as np


def proximal_sgd(
    w,
    g,
    s,
    t,
    lr,
    *,
    l1_regularization_strength=0.0,
    l2_regularization_strength=0.0,
):
    """Forward-backward splitting with the elastic net.

    Duchi and Singer (2009), section 5.
    """
    p = w - lr * g
    shrunk = np.sign(p) * np.maximum(np.abs(p) - lr * l1_regularization_strength, 0)
    return shrunk / (1 + lr * l2_regularization_strength)
