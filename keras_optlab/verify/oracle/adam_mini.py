import numpy as np

from keras_optlab.verify.oracle.matrices import on_matrices


@on_matrices
def adam_mini(w, g, s, t, lr, *, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    """Adam-mini: one second moment per output of a kernel, and per vector.

    Zhang et al. (2024), arXiv:2406.16793, algorithms 1 and 2.
    """
    axes = tuple(range(g.ndim - 1)) if g.ndim > 1 else None
    squared = np.mean(g**2, axis=axes) if g.size else g**2
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * squared
    return w - lr * m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
