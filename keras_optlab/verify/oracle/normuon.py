import numpy as np

from keras_optlab.verify.oracle.adam import adam
from keras_optlab.verify.oracle.muon import coefficients_of, newton_schulz


def normuon(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_2=0.95,
    momentum=0.95,
    nesterov=True,
    ns_steps=5,
    coefficients="jordan",
    scaling="moonlight",
    rms_rate=0.2,
    matrices="layers",
    gram=False,
    weight_decay=0.0,
):
    """NorMuon; AdamW for weights that are no matrices.

    Li et al. (2025), arXiv:2510.05491, algorithm 1, of the transpose.
    """
    if g.ndim < 2 or (g.ndim > 2 and matrices == "keras"):
        return adam(w * (1 - lr * 0.004), g, s, t, lr)
    m = s["m"] = momentum * s.get("m", 0.0) + g
    x = g + momentum * m if nesterov else m
    x = x.reshape(-1, g.shape[-1]).T
    o = newton_schulz(x, ns_steps, coefficients_of(coefficients, ns_steps))
    if not o.size:
        return w
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * np.mean(o**2, axis=1)
    o_hat = o / np.sqrt(v)[:, None]
    outputs, inputs = o.shape
    rate = lr * np.linalg.norm(o) / np.linalg.norm(o_hat)
    if scaling == "jordan":
        rate *= np.sqrt(max(1, outputs / inputs))
    elif rms_rate:
        rate = rms_rate * lr * np.sqrt(outputs * inputs) / np.linalg.norm(o_hat)
    return w - lr * weight_decay * w - rate * o_hat.T.reshape(g.shape)
