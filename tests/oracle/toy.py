import numpy as np


def toy(w, g, s, t, lr, *, scale=0.5):
    """The optimizer that tests/problems.py adds to the registry."""
    last, s["last"] = s.get("last", 0.0), g
    x = scale * (g + last)
    return w - lr * x / (1 + np.abs(x))
