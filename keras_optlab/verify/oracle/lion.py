import numpy as np


def lion(w, g, s, t, lr, *, beta_1=0.9, beta_2=0.99):
    """Lion: the sign of an interpolated momentum.

    Chen et al. (2023), arXiv:2302.06675, algorithm 2.
    """
    m = s.get("m", 0.0)
    s["m"] = beta_2 * m + (1 - beta_2) * g
    return w - lr * np.sign(beta_1 * m + (1 - beta_1) * g)
