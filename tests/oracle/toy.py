import numpy as np


def toy(w, g, s, t, lr, *, scale=0.5):
    """The optimizer that tests/problems.py adds to the registry."""
    last, s["last"] = s.get("last", 0.0), g
    return w - lr * np.tanh(scale * (g + last))
