import numpy as np

from keras_optlab.verify.oracle.adam import adam
from keras_optlab.verify.oracle.matrices import on_matrices
from keras_optlab.verify.oracle.muon import newton_schulz


@on_matrices
def soapmuon(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_2=0.98,
    momentum=0.95,
    nesterov=True,
    ns_steps=10,
    period=10,
    scaling="moonlight",
    weight_decay=0.0,
):
    """SOAP-Muon; AdamW for weights that are no matrices.

    Vyas et al. (2025), Improving SOAP using iterative whitening and Muon, with the
    authors' code, but without its bias correction of a step of fixed length.
    """
    if g.ndim != 2:
        return adam(w * (1 - lr * 0.004), g, s, t, lr)
    w = w * (1 - lr * weight_decay)
    if not g.size:
        return w
    tall = g.shape[0] > g.shape[1]
    grad = g.T if tall else g
    k = t - 1
    if k:
        m = s["m"] = momentum * s.get("m", 0.0) + (1 - momentum) * grad
        turned = s["Q"].T @ grad
        s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * turned**2
        x = s["Q"].T @ m + (1 - momentum) * nesterov * turned
        x = newton_schulz(x / np.sqrt(s["v"]), ns_steps)
        for _ in range(2):
            x = 1.5 * x - 0.5 * x @ x.T @ x
        length = np.sqrt(min(g.shape))
        x = s["Q"] @ (np.sqrt(np.abs(x)) * np.sign(x))
        x = (x.T if tall else x) / np.linalg.norm(x)
        if scaling == "jordan":
            w = w - lr * length * np.sqrt(max(1, g.shape[1] / g.shape[0])) * x
        else:
            w = w - lr * 0.2 * np.sqrt(g.size) * x
    total = s["L"] = beta_2 * s.get("L", 0.0) + (1 - beta_2) * grad @ grad.T
    if not k:
        s["Q"] = np.linalg.eigh(total)[1][:, ::-1]
    elif k % period == 0:
        order = np.argsort(-np.diag(s["Q"].T @ total @ s["Q"]))
        s["v"] = s["v"][order]
        s["Q"] = np.linalg.qr(total @ s["Q"][:, order])[0]
    return w
