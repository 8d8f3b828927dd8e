import numpy as np

from keras_optlab.verify.oracle.adam import adam


def muon(
    w,
    g,
    s,
    t,
    lr,
    *,
    momentum=0.95,
    nesterov=True,
    ns_steps=5,
    scaling="moonlight",
    rms_rate=0.2,
    period=1,
    matrices="keras",
    weight_decay=0.0,
):
    """Muon; AdamW for weights that are no matrices.

    Jordan et al. (2024), and Liu et al. (2025), arXiv:2502.16982, for the scaling.
    """
    if g.ndim < 2 or (g.ndim > 2 and matrices == "keras"):
        return adam(w * (1 - lr * 0.004), g, s, t, lr)
    m = s["m"] = momentum * s.get("m", 0.0) + g
    x = (g + momentum * m if nesterov else m).reshape(-1, g.shape[-1])
    rows, columns = x.shape
    if (t - 1) % period == 0:
        s["o"] = newton_schulz(x, ns_steps).reshape(g.shape)
    factor = rms_rate * np.sqrt(max(rows, columns)) if rms_rate else 1.0
    if scaling == "jordan":
        factor = np.sqrt(max(1, columns / max(rows, 1)))
    return w - lr * weight_decay * w - lr * factor * s["o"]


def newton_schulz(x, steps, a=3.4445, b=-4.775, c=2.0315):
    x = x / (np.sqrt(np.sum(x**2)) + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x
