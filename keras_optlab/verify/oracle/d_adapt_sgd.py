import numpy as np

from keras_optlab.verify.oracle.dog import squared


def d_adapt_sgd(ws, gs, s, t, lr, *, momentum=0.0, d0=1e-6, growth_rate=None):
    """D-Adaptation for SGD, with the numerator of the authors' version 3.

    Defazio and Mishchenko (2023), arXiv:2301.07733, algorithm 4.
    """
    d = s.get("d", d0)
    rate = d * lr / s.setdefault("first", np.sqrt(squared(gs)))
    old = s.get("s", [0.0] * len(ws))
    inner = sum(np.sum(g * a) for g, a in zip(gs, old, strict=True))
    r = s["r"] = s.get("r", 0.0) + rate * inner
    new = s["s"] = [a + rate * g for a, g in zip(old, gs, strict=True)]
    found = 2 * r / np.sqrt(squared(new))
    if growth_rate:
        found = min(found, d * growth_rate)
    s["d"] = max(d, found)
    return [
        momentum * w + (1 - momentum) * (z - a)
        for w, z, a in zip(ws, s["start"], new, strict=True)
    ]
