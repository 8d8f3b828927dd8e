import numpy as np


def squared(xs):
    return sum(np.sum(x**2) for x in xs)


def dog(ws, gs, s, t, lr, *, reps_rel=1e-6, epsilon=1e-8):
    """Distance over gradients.

    Ivgi, Hinder and Carmon (2023), arXiv:2302.12022, algorithm 1.
    """
    start = s["start"]
    first = reps_rel * (1 + np.sqrt(squared(start)))
    moved = np.sqrt(squared([w - z for w, z in zip(ws, start, strict=True)]))
    r = s["r"] = max(s.get("r", first), moved)
    total = s["G"] = s.get("G", 0.0) + squared(gs)
    rate = lr * r / np.sqrt(total + epsilon)
    return [w - rate * g for w, g in zip(ws, gs, strict=True)]
