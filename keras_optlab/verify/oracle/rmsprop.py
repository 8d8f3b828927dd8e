import numpy as np


def rmsprop(
    w,
    g,
    s,
    t,
    lr,
    *,
    rho=0.9,
    momentum=0.0,
    epsilon=1e-7,
    centered=False,
    epsilon_placement="inside",
):
    """RMSprop, plain, centered, with momentum.

    Tieleman and Hinton (2012), Coursera lecture 6.5; centering and momentum from Graves
    (2013), arXiv:1308.0850.
    """
    n = s["n"] = rho * s.get("n", 0.0) + (1 - rho) * g**2
    if centered:
        mean = s["mean"] = rho * s.get("mean", 0.0) + (1 - rho) * g
        n = np.maximum(n - mean**2, 0)  # a variance; rounding may make it negative
    if epsilon_placement == "inside":
        root = np.sqrt(n + epsilon)
    else:
        root = np.sqrt(n) + epsilon
    delta = s["delta"] = momentum * s.get("delta", 0.0) - lr * g / root
    return w + delta
