import numpy as np

from keras_optlab.verify.oracle.dog import squared


def dowg(ws, gs, s, t, lr, *, initial_distance=1e-2, epsilon=1e-4):
    """Distance over weighted gradients.

    Khaled, Mishchenko and Jin (2023), arXiv:2305.16284, algorithm 1.
    """
    moved = squared([w - z for w, z in zip(ws, s["start"], strict=True)])
    r2 = s["r2"] = max(s.get("r2", initial_distance**2), moved)
    v = s["v"] = s.get("v", 0.0) + r2 * squared(gs)
    rate = lr * r2 / (np.sqrt(v) + epsilon)
    return [w - rate * g for w, g in zip(ws, gs, strict=True)]
