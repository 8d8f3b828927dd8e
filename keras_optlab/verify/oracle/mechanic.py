import numpy as np


def dot(xs, ys):
    return sum(np.sum(x * y) for x, y in zip(xs, ys, strict=True))


def mechanic(
    inner,
    ws,
    gs,
    s,
    t,
    *,
    mechanic_decay=0.01,
    mechanic_s_init=1e-6,
    mechanic_scales=6,
    mechanic_epsilon=1e-8,
):
    """Mechanic, with the clipping of h that came after the paper.

    Cutkosky, Defazio and Mehta (2023), arXiv:2306.00144, algorithm 1; the sum of the
    inner updates is computed from the weights.
    """
    start, n, eps = s["start"], mechanic_scales, mechanic_epsilon
    m, v, r = (s.get(key, np.zeros(n)) for key in "mvr")
    scales = s.get("s", np.full(n, mechanic_s_init))
    way = [(w - x) / (scales.sum() + eps) for w, x in zip(ws, start, strict=True)]
    size = np.sqrt(dot(gs, gs)) / (np.sqrt(dot(ws, ws)) + eps)
    extra = mechanic_decay * scales.sum() * size
    h = -dot([g + extra * w for g, w in zip(gs, ws, strict=True)], way)
    beta = 1 - 0.1 ** np.arange(1, n + 1)
    clipped = np.clip(h, -m, m)
    m = s["m"] = np.maximum(beta * m, np.abs(h) + eps)
    v = s["v"] = beta**2 * v + h**2
    r = s["r"] = beta * r + clipped * scales
    wealth = mechanic_s_init / n * m + np.maximum(r, 0.0)
    s["s"] = wealth / (np.sqrt(v) + eps)
    moved = inner(ws, gs)
    return [
        x + s["s"].sum() * (d + new - w)
        for x, d, new, w in zip(start, way, moved, ws, strict=True)
    ]
