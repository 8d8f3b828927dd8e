import numpy as np


def madgrad(w, g, s, t, lr, *, momentum=0.9, epsilon=1e-6):
    """MADGRAD.

    Defazio and Jelassi (2021), arXiv:2101.11075, algorithm 1; epsilon is added to the
    rate as in the authors' code.
    """
    start = s["start"]
    scale = (lr + epsilon) * np.sqrt(t)
    total = s["s"] = s.get("s", 0.0) + scale * g
    n = s["n"] = s.get("n", 0.0) + scale * g**2
    z = start - total / (np.cbrt(n) + epsilon)
    return momentum * w + (1 - momentum) * z
