import numpy as np


def adamax(w, g, s, t, lr, *, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Adamax, with an epsilon added to the infinity norm, which the paper does not.

    Kingma and Ba (2014), arXiv:1412.6980, algorithm 2.
    """
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    u = s["u"] = np.maximum(beta_2 * s.get("u", 0.0), np.abs(g))
    return w - lr / (1 - beta_1**t) * m / (u + epsilon)
