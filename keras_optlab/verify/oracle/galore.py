import numpy as np


def galore(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    rank=128,
    period=200,
    scale=0.25,
    epsilon=1e-6,
):
    """GaLore; the projection is on the shorter side.

    Zhao et al. (2024), arXiv:2403.03507, algorithm 2.
    """
    if g.ndim < 2 or not g.size:
        return w - adam(g, s, t, lr, beta_1, beta_2, epsilon)
    x = long_side_first(g)
    if (t - 1) % period == 0:
        s["P"] = first_vectors(x, rank)
    u = adam(x @ s["P"], s, t, lr, beta_1, beta_2, epsilon) @ s["P"].T
    return w - scale * as_given(u, g)


def adam(g, s, t, lr, beta_1, beta_2, epsilon):
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    alpha = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return alpha * m / (np.sqrt(v) + epsilon)


def long_side_first(g):
    x = g.reshape(-1, g.shape[-1])
    return x.T if x.shape[0] <= x.shape[1] else x


def as_given(x, g):
    rows = g.size // g.shape[-1]
    return (x.T if rows <= g.shape[-1] else x).reshape(g.shape)


def first_vectors(x, rank):
    return np.linalg.svd(x, full_matrices=False)[2][:rank].T
