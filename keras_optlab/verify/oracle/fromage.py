import numpy as np


def fromage(w, g, s, t, lr):
    """Fromage.

    Bernstein, Vahdat, Yue and Liu (2020), arXiv:2002.03432, algorithm 1; with a ratio
    of 1 where a norm is zero, as in the authors' code.
    """
    w_norm, g_norm = np.sqrt(np.sum(w**2)), np.sqrt(np.sum(g**2))
    ratio = w_norm / g_norm if w_norm > 0 and g_norm > 0 else 1.0
    return (w - lr * ratio * g) / np.sqrt(1 + lr**2)
