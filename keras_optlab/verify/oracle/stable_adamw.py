import numpy as np


def stable_adamw(
    w, g, s, t, lr, *, beta_1=0.9, beta_2=0.99, epsilon=1e-6, weight_decay=0.0
):
    """AdamW with Adafactor's update clipping.

    Wortsman et al. (2023), arXiv:2304.13013, algorithm 2.
    """
    beta_1 = beta_1 * (1 - beta_1 ** (t - 1)) / (1 - beta_1**t)
    beta_2 = beta_2 * (1 - beta_2 ** (t - 1)) / (1 - beta_2**t)
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g**2
    rms = np.sqrt(np.sum(g**2 / np.maximum(v, epsilon**2)) / max(g.size, 1))
    lr = lr / max(1.0, rms)
    return w - lr * weight_decay * w - lr * m / (np.sqrt(v) + epsilon)
