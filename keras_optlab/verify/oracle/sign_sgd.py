import numpy as np


def sign_sgd(w, g, s, t, lr):
    """Sign gradient descent.

    Bernstein et al. (2018), arXiv:1802.04434, algorithm 1.
    """
    return w - lr * np.sign(g)
