import numpy as np


def conditional_gradient(w, g, s, t, lr, *, radius=10.0, norm="frobenius"):
    """Frank-Wolfe step, towards an extreme point of a norm ball.

    Frank and Wolfe (1956); Jaggi (2013), algorithm 1.
    """
    if norm == "nuclear" and g.ndim > 1 and g.size:
        u, _, v = np.linalg.svd(g.reshape(-1, g.shape[-1]), full_matrices=False)
        corner = np.outer(u[:, 0], v[0]).reshape(g.shape)
    else:
        corner = g / (np.sqrt(np.sum(g**2)) or 1.0)
    return (1 - lr) * w - lr * radius * corner
