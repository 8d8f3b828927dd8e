import numpy as np


def d_adapt_adam(
    ws,
    gs,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    d0=1e-6,
    growth_rate=None,
    bias_correction=False,
    epsilon=1e-8,
    weight_decay=0.0,
):
    """D-Adaptation for Adam, with the numerator of the authors' version 3.

    Defazio and Mishchenko (2023), arXiv:2301.07733, algorithm 5.
    """
    d, beta_3 = s.get("d", d0), np.sqrt(beta_2)
    rate = d * lr
    if bias_correction:
        rate = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    zeros = [0.0] * len(ws)
    m, v, sums = (s.get(key, zeros) for key in ("m", "v", "s"))
    ahead = sum(
        np.sum(g * a / (np.sqrt(b) + epsilon))
        for g, a, b in zip(gs, sums, v, strict=True)
    )
    r = beta_3 * s.get("r", 0.0) + (1 - beta_3) * rate * ahead
    m = [beta_1 * a + (1 - beta_1) * rate * g for a, g in zip(m, gs, strict=True)]
    v = [beta_2 * a + (1 - beta_2) * g**2 for a, g in zip(v, gs, strict=True)]
    sums = [beta_3 * a + (1 - beta_3) * rate * g for a, g in zip(sums, gs, strict=True)]
    size = sum(np.sum(np.abs(a)) for a in sums)
    found = r / ((1 - beta_3) * size) if size > 0 and lr > 0 else d
    if growth_rate:
        found = min(found, d * growth_rate)
    s.update(m=m, v=v, r=r, s=sums, d=max(d, found))
    return [
        w - rate * weight_decay * w - a / (np.sqrt(b) + epsilon)
        for w, a, b in zip(ws, m, v, strict=True)
    ]
