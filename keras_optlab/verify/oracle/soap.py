import numpy as np

from keras_optlab.verify.oracle.matrices import on_matrices


@on_matrices
def soap(
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
    """SOAP; the first gradient only initializes the basis.

    Vyas et al. (2024), arXiv:2409.11321, algorithm 3.
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
    for i in axes:
        rows = np.moveaxis(g, i, 0).reshape(g.shape[i], -1)
        total = s["L", i] = beta_2 * s.get(("L", i), 0.0) + (1 - beta_2) * rows @ rows.T
        if not k:
            s[i] = np.linalg.eigh(total)[1][:, ::-1]
        elif k % period == 0:
            product = total @ s[i]
            order = np.argsort(-np.sum(s[i] * product, axis=0))
            s["v"] = np.take(s["v"], order, axis=i)
            s[i] = np.linalg.qr(product[:, order])[0]
    return w


def turn(x, bases, axes):
    for i in axes:
        x = np.moveaxis(np.tensordot(bases[i], x, (0, i)), 0, i)
    return x
