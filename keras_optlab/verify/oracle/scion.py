import numpy as np

from keras_optlab.verify.oracle.muon import coefficients_of, newton_schulz


def scion(
    w,
    g,
    s,
    t,
    lr,
    *,
    momentum=0.9,
    scale=1.0,
    norm="auto",
    ns_steps=5,
    coefficients="jordan",
):
    """SCION, of the transpose.

    Pethick et al. (2025), arXiv:2502.07529, algorithms 1 and 2, table 4.
    """
    if not g.size:
        return w
    d = s["d"] = momentum * s.get("d", 0.0) + (1 - momentum) * g
    if norm == "rms" or not g.ndim or (norm != "sign" and g.ndim < 2):
        rows = d.reshape(-1, d.shape[-1] if d.ndim else 1)
        lmo = rows / (np.sqrt(np.mean(rows**2, axis=1, keepdims=True)) + 1e-8)
    elif norm == "sign":
        lmo = np.sign(d) / (g.size / g.shape[-1])
    else:
        *kernel, d_in, d_out = d.shape
        triples = coefficients_of(coefficients, ns_steps)
        lmo = newton_schulz(d.reshape(-1, d_out).T, ns_steps, triples).T
        lmo = lmo * np.sqrt(d_out / d_in) / np.prod(kernel)
    return w - lr * scale * lmo.reshape(g.shape)
