import numpy as np


def sm3(w, g, s, t, lr, *, momentum=0.9, epsilon=1e-8):
    """SM3-II with momentum.

    Anil, Gupta, Koren and Singer (2019), arXiv:1901.11150, algorithm SM3-II.
    """
    axes = range(max(w.ndim, 1))
    mu = s.get("mu", [np.zeros(1)] * len(axes))
    nu = np.min(np.broadcast_arrays(*mu), axis=0) + g**2
    others = [tuple(a for a in range(w.ndim) if a != axis) for axis in axes]
    s["mu"] = [nu.max(axis=a, keepdims=True, initial=0.0) if a else nu for a in others]
    nu = nu.reshape(w.shape)
    m = momentum * s.get("m", 0.0) + (1 - momentum) * g / np.sqrt(nu + epsilon)
    s["m"] = m
    return w - lr * m
