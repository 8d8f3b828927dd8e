import numpy as np


def amos(w, g, s, t, lr, *, beta=0.999, decay_speed=0.25, scale=1.0):
    """Amos with one second moment per tensor.

    Tian and Parikh (2022), arXiv:2210.11693, algorithm 1; scales as in section 3.
    """
    inputs = np.prod(w.shape[:-1]) if w.ndim > 1 else 4
    eta = scale / np.sqrt(max(inputs, 1))
    squared = np.sum(g**2) / max(g.size, 1)
    v = s["v"] = beta * s.get("v", 0.0) + (1 - beta) * squared
    v_hat, b = max(v / (1 - beta**t), 1e-30), s.get("b", 0.0)
    c = (1 + decay_speed * np.sqrt(lr) * b) ** -0.5
    d = (1 + decay_speed * np.sqrt(lr * eta) * b) ** -1
    gamma = c * lr**2 / v_hat * squared
    s["b"] = b + gamma * (1 + b)
    return w - d * (lr * eta / np.sqrt(v_hat) * g + gamma / 2 * w)
