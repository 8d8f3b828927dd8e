import numpy as np


def adan(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.98,
    beta_2=0.92,
    beta_3=0.99,
    epsilon=1e-8,
    weight_decay=0.0,
):
    """Adan; each beta is the weight of the past, 1 minus the paper's.

    Xie et al. (2022), arXiv:2208.06677, algorithm 1, with bias corrections.
    """
    d = g - s.get("g", g)
    s["g"] = g
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * d
    n = s["n"] = beta_3 * s.get("n", 0.0) + (1 - beta_3) * (g + beta_2 * d) ** 2
    m, v, n = m / (1 - beta_1**t), v / (1 - beta_2**t), n / (1 - beta_3**t)
    step = lr / (np.sqrt(n) + epsilon) * (m + beta_2 * v)
    return (w - step) / (1 + lr * weight_decay)
