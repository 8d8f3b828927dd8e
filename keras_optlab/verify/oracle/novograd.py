import numpy as np


def novograd(
    w, g, s, t, lr, *, beta_1=0.95, beta_2=0.98, epsilon=1e-8, weight_decay=0.0
):
    """NovoGrad.

    Ginsburg et al. (2019), arXiv:1905.11286, algorithm 1.
    """
    squared = np.sum(g**2)
    v = s["v"] = beta_2 * s["v"] + (1 - beta_2) * squared if "v" in s else squared
    direction = g / (np.sqrt(v) + epsilon) + weight_decay * w
    m = s["m"] = beta_1 * s["m"] + direction if "m" in s else direction
    return w - lr * m
