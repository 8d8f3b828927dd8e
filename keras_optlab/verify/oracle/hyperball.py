import numpy as np


def hyperball(inner, ws, gs, s, t, *, weight_decay=0.0, hyperball=True):
    """Fixed norms of matrices and of their updates.

    Wen, Dang, Lyu, Ma and Liang (2026), arXiv:2606.16899. Weights without a norm to fix
    take the inner step, with its decay.
    """
    fixed = [hyperball and w.ndim > 1 for w in ws]
    new = inner(ws, gs, weight_decay=[0.0 if f else weight_decay for f in fixed])
    radii = [np.linalg.norm(w) for w in s["start"]]
    return [
        on_sphere(w, x, r, inner.rate) if f and r > 0 else x
        for w, x, r, f in zip(ws, new, radii, fixed, strict=True)
    ]


def on_sphere(w, x, radius, rate):
    x = w + rate * radius * (x - w) / np.linalg.norm(x - w)
    return radius * x / np.linalg.norm(x)
