import numpy as np


def signum(w, g, s, t, lr, *, momentum=0.9):
    """Signum.

    Bernstein et al. (2018), arXiv:1802.04434, algorithm 2.
    """
    m = s["m"] = momentum * s.get("m", 0.0) + (1 - momentum) * g
    return w - lr * np.sign(m)
