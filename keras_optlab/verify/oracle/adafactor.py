import numpy as np


def adafactor(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_2_decay=-0.8,
    epsilon_1=1e-30,
    epsilon_2=1e-3,
    clip_threshold=1.0,
    relative_step=True,
    keras_compatible=True,
):
    """Adafactor; a tensor of more than two axes is a stack of matrices.

    Shazeer and Stern (2018), arXiv:1804.04235, algorithms 4 and 5.
    """
    beta = 1 - t**beta_2_decay
    u = g / np.sqrt(second_moment(s, "v", g**2 + epsilon_1, beta))
    u = u / max(1.0, rms(u) / clip_threshold)
    if relative_step or keras_compatible:
        lr = min(lr, 1 / np.sqrt(t))
    return w - lr * max(epsilon_2, rms(w)) * u


def rms(x):
    return np.sqrt(np.sum(x**2) / max(x.size, 1))


def second_moment(s, name, squared, beta):
    """Return the moving average, for a matrix factored into row and column means."""
    if squared.ndim < 2 or not squared.size:
        v = s[name] = beta * s.get(name, 0.0) + (1 - beta) * squared
        return v
    r, c = s.get(name, (0.0, 0.0))
    r = beta * r + (1 - beta) * squared.mean(axis=-1, keepdims=True)
    c = beta * c + (1 - beta) * squared.mean(axis=-2, keepdims=True)
    s[name] = r, c
    return r * c / r.mean(axis=-2, keepdims=True)
