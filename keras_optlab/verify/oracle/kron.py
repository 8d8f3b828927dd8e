import keras
import numpy as np

from keras_optlab.core.randomness import seed_at
from keras_optlab.verify.oracle.matrices import on_matrices


@on_matrices
def kron(
    w,
    g,
    s,
    t,
    lr,
    *,
    beta_1=0.9,
    fit_rate=0.1,
    max_rms=1.1,
    period=None,
    max_size=8192,
):
    """PSGD Kron; probes are drawn from the optimizer's seeds.

    Li (2015), arXiv:1512.04202, and (2024), arXiv:2402.11858, the update by
    equivariance for Kronecker products, with triangular factors.
    """
    if not g.size:
        return w
    raw = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    m = np.reshape(raw / (1 - beta_1**t), g.shape or (1,))
    size = np.sqrt(np.mean(m**2))
    if "q" not in s:
        start = size ** (-0.5 / m.ndim)
        s["q"] = [start * np.eye(n) for n in m.shape]
    full = [m.ndim > 1 and 1 < n <= max_size for n in m.shape]
    if (t - 1) % period == 0 if period else due(t):
        seed = seed_at(0, keras.ops.convert_to_tensor(t))
        drawn = keras.random.normal(g.shape, dtype="float32", seed=seed)
        v = np.reshape(keras.ops.convert_to_numpy(drawn), m.shape).astype("float64")
        s["q"] = fitted(s["q"], full, m + 2.0**-13 * np.abs(m).mean() * v, v, fit_rate)
    u = m
    for i, q in enumerate(s["q"]):
        u = along(u, q.T @ q, i)
    u = u * min(1.0, max_rms / np.sqrt(np.mean(u**2)))
    return w - lr * np.reshape(u, g.shape)


def due(t):
    """Whether the sum of max(0.03, min(1, exp((500 - t) / 1000))) passes an integer."""
    assert t <= 500
    return True


def fitted(factors, full, m, v, rate):
    a, b, new = m, v, []
    for i, q in enumerate(factors):
        a, b = along(a, q, i), along(b, np.linalg.inv(q).T, i)
    for i, q in enumerate(factors):
        rows, others = rows_of(a, i), rows_of(b, i)
        x, y = rows @ rows.T, others @ others.T
        if full[i]:
            total = x + y
            column = total[:, np.argmax(np.sum(total**2, axis=0))]
            two = total @ column
            bound = np.linalg.norm(total @ two) / np.linalg.norm(two)
            new.append(q - rate / bound * np.triu(x - y) @ q)
        else:
            x, y = np.diag(x), np.diag(y)
            new.append(q - rate / np.max(x + y) * np.diag(x - y) @ q)
    sizes = [np.abs(q).max() for q in new]
    middle = np.prod(sizes) ** (1 / len(sizes))
    return [q * middle / size for q, size in zip(new, sizes, strict=True)]


def rows_of(x, axis):
    return np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)


def along(x, matrix, axis):
    return np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)
