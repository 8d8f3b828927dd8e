import numpy as np

from keras_optlab.verify.oracle.matrices import on_matrices
from keras_optlab.verify.oracle.soap import turn


@on_matrices
def klsoap(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.95,
    beta_2=0.95,
    period=10,
    max_size=2048,
    epsilon=1e-8,
):
    """KL-SOAP; the first gradient only initializes the basis.

    Lin et al. (2025), arXiv:2509.03378, with Adam and the order of bases as in SOAP.
    """
    if not g.size:
        return w
    axes = [i for i, n in enumerate(g.shape) if g.ndim > 1 and n <= max_size]
    k = t - 1
    if k:
        m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
        turned = turn(g, s, axes)
        s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * turned**2
        u = turn(m, s, axes) / (np.sqrt(s["v"]) + epsilon)
        u = turn(u, {i: s[i].T for i in axes}, axes)
        w = w - lr * np.sqrt(1 - beta_2**k) / (1 - beta_1**k) * u
    delta = {i: difference(g, i, s, [j for j in axes if j != i], k) for i in axes}
    for i in axes:
        s["S", i] = beta_2 * s.get(("S", i), 0.0) + (1 - beta_2) * delta[i]
        if not k:
            s[i] = np.linalg.eigh(s["S", i])[1][:, ::-1]
            s["d", i] = np.full(g.shape[i], 0.1)
            continue
        diagonal = np.diag(s[i].T @ delta[i] @ s[i])
        s["d", i] = beta_2 * s["d", i] + (1 - beta_2) * diagonal
        if k % period == 0:
            order = np.argsort(-np.diag(s[i].T @ s["S", i] @ s[i]))
            s["v"], s["d", i] = np.take(s["v"], order, axis=i), s["d", i][order]
            s[i] = np.linalg.qr(s["S", i] @ s[i][:, order])[0]
    return w


def difference(g, i, s, others, k):
    """Return G S⁻¹ Gᵀ over the product of the other axes' lengths."""
    rest = g
    for j in others if k else ():
        inverse = (s[j] / np.maximum(s["d", j], 1e-8)) @ s[j].T
        rest = np.moveaxis(np.tensordot(inverse, rest, (1, j)), 0, j)
    axes = [j for j in range(g.ndim) if j != i]
    return np.tensordot(g, rest, (axes, axes)) / (g.size / g.shape[i])
