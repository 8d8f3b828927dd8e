import numpy as np

from keras_optlab.verify.oracle.adam import adam
from keras_optlab.verify.oracle.muon import coefficients_of, newton_schulz


def adamuon(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_2=0.95,
    sign=True,
    momentum=0.95,
    nesterov=True,
    ns_steps=5,
    coefficients="jordan",
    scaling="moonlight",
    rms_rate=0.2,
    matrices="layers",
    weight_decay=0.0,
):
    """AdaMuon; AdamW for weights that are no matrices.

    Si et al. (2025), arXiv:2507.11005, with the authors' code of August 2025.
    """
    if g.ndim < 2 or (g.ndim > 2 and matrices == "keras"):
        return adam(w * (1 - lr * 0.004), g, s, t, lr)
    m = s["m"] = momentum * s.get("m", 0.0) + g
    x = g + momentum * m if nesterov else m
    x = x.reshape(-1, g.shape[-1])
    x = np.sign(x) if sign else x
    o = newton_schulz(x, ns_steps, coefficients_of(coefficients, ns_steps))
    if not o.size:
        return w
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * o**2
    o_hat = o / (np.sqrt(v) + 1e-8)
    rate = rms_rate * lr * np.sqrt(o.size) / np.linalg.norm(o_hat)
    if scaling == "jordan":
        rate = lr * np.linalg.norm(o) / np.linalg.norm(o_hat)
        rate *= np.sqrt(max(1, o.shape[1] / o.shape[0]))
    return w - lr * weight_decay * w - rate * o_hat.reshape(g.shape)
