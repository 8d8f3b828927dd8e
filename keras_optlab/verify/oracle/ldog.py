import numpy as np


def ldog(w, g, s, t, lr, *, reps_rel=1e-6, epsilon=1e-8):
    """DoG for one tensor.

    Ivgi, Hinder and Carmon (2023), arXiv:2302.12022, section 3.
    """
    start = s["start"]
    first = reps_rel * (1 + np.sqrt(np.sum(start**2)))
    r = s["r"] = max(s.get("r", first), np.sqrt(np.sum((w - start) ** 2)))
    total = s["G"] = s.get("G", 0.0) + np.sum(g**2)
    return w - lr * r / np.sqrt(total + epsilon) * g
