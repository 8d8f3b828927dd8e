import numpy as np


def spam(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    threshold=5000.0,
    reset_every=500,
    warmup_steps=150,
    clip_after=20,
    epsilon=1e-6,
):
    """SPAM, as in the authors' code, without its mask.

    Huang et al. (2025), arXiv:2501.06842, algorithm 1.
    """
    since = t % reset_every
    m, v = (s.get("m", 0.0), s.get("v", 0.0)) if since else (0.0, 0.0)
    if since >= clip_after:
        spikes = g**2 > threshold * v
        g = np.where(spikes, np.sign(g) * np.sqrt(threshold * v), g)
    s["m"] = beta_1 * m + (1 - beta_1) * g
    s["v"] = beta_2 * v + (1 - beta_2) * g**2
    scale = 1.0
    if t >= reset_every and since < warmup_steps:
        scale = 1 - 0.99 * (1 + np.cos(np.pi * since / (warmup_steps + 1))) / 2
    step = lr * scale * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return w - step * s["m"] / (np.sqrt(s["v"]) + epsilon)
