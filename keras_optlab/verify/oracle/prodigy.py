import numpy as np


def prodigy(
    ws,
    gs,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    beta_2=0.999,
    d0=1e-6,
    d_coef=1.0,
    growth_rate=None,
    bias_correction=False,
    safeguard_warmup=False,
    epsilon=1e-8,
    weight_decay=0.0,
):
    """Prodigy, scaled as in the authors' code.

    Mishchenko and Defazio (2023), arXiv:2306.06101, algorithm 4.
    """
    d, d_max, beta_3 = s.get("d", d0), s.get("d_max", d0), np.sqrt(beta_2)
    rate = d * lr
    if bias_correction:
        rate = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    zeros = [0.0] * len(ws)
    m, v = s.get("m", zeros), s.get("v", zeros)
    m = [beta_1 * a + (1 - beta_1) * d * g for a, g in zip(m, gs, strict=True)]
    v = [beta_2 * a + (1 - beta_2) * (d * g) ** 2 for a, g in zip(v, gs, strict=True)]
    come = sum(np.sum(g * (z - w)) for g, z, w in zip(gs, s["start"], ws, strict=True))
    r = beta_3 * s.get("r", 0.0) + d / d0 * rate * come
    scale = d / d0 * (d if safeguard_warmup else rate)
    sums = [beta_3 * a + scale * g for a, g in zip(s.get("s", zeros), gs, strict=True)]
    size = sum(np.sum(np.abs(a)) for a in sums)
    found = d_coef * r / size if size > 0 and lr > 0 else d
    if d == d0:
        d = max(d, found)
    d_max = max(d_max, found)
    d = min(d_max, d * growth_rate) if growth_rate else d_max
    s.update(m=m, v=v, r=r, s=sums, d=d, d_max=d_max)
    return [
        w - rate * weight_decay * w - rate * a / (np.sqrt(b) + d * epsilon)
        for w, a, b in zip(ws, m, v, strict=True)
    ]
