import numpy as np


def laprop(w, g, s, t, lr, *, beta_1=0.9, beta_2=0.999, epsilon=1e-15):
    """LaProp.

    Ziyin, Wang and Ueda (2020), arXiv:2002.04839, algorithm 1.
    """
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    adapted = g / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * adapted
    return w - lr * m / (1 - beta_1**t)
