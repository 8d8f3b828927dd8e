import numpy as np

from keras_optlab.verify.oracle.matrices import on_matrices


@on_matrices
def shampoo(w, g, s, t, lr, *, epsilon=1e-4, period=1, max_size=1024):
    """Shampoo, with only the diagonal for axes longer than `max_size`.

    Gupta, Koren and Singer (2018), arXiv:1802.09568, algorithm 2.
    """
    if not g.size:
        return w
    u, g = np.atleast_1d(g), np.atleast_1d(g)
    order = 2 * g.ndim
    for i, n in enumerate(g.shape):
        rows = np.moveaxis(g, i, 0).reshape(n, -1)
        total = s.get(("L", i), epsilon * np.eye(n)) + rows @ rows.T
        s["L", i] = np.diag(np.diag(total)) if n > max_size else total
        if (t - 1) % period == 0 or n > max_size:
            values, vectors = np.linalg.eigh(s["L", i])
            s["root", i] = vectors * values ** (-1 / order) @ vectors.T
        u = np.moveaxis(np.tensordot(s["root", i], u, (1, i)), 0, i)
    return w - lr * u.reshape(w.shape)
