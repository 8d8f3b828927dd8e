import numpy as np


def lars(w, g, s, t, lr, *, momentum=0.9, trust_coefficient=0.001, weight_decay=0.0):
    """LARS.

    You, Gitman and Ginsburg (2017), arXiv:1708.03888, algorithm 1 and equation 6.
    """
    w_norm, g_norm = np.sqrt(np.sum(w**2)), np.sqrt(np.sum(g**2))
    below = g_norm + weight_decay * w_norm
    local = trust_coefficient * w_norm / below if w_norm > 0 and below > 0 else 1.0
    v = s["v"] = momentum * s.get("v", 0.0) + lr * local * (g + weight_decay * w)
    return w - v
