import numpy as np


def adopt(w, g, s, t, lr, *, beta_1=0.9, beta_2=0.9999, epsilon=1e-6):
    """ADOPT with clipping; the first gradient only sets the second moment.

    Taniguchi et al. (2024), arXiv:2411.02853, algorithm 2.
    """
    if t == 1:
        s["v"] = g**2
        return w
    bound = (t - 1) ** 0.25
    u = np.clip(g / np.maximum(np.sqrt(s["v"]), epsilon), -bound, bound)
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * u
    s["v"] = beta_2 * s["v"] + (1 - beta_2) * g**2
    return w - lr * m
