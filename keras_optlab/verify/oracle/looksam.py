"""LookSAM, Algorithm 1 of arXiv:2203.02714, on a parabola."""

from keras_optlab.verify.oracle.mechanic import dot
from keras_optlab.verify.problems import curvature


def looksam(inner, ws, gs, s, t, *, sam_rho=0.1, sam_alpha=0.7, sam_period=5):
    length = dot(gs, gs) ** 0.5
    if (t - 1) % sam_period == 0:
        sharp = [g + curvature(g) * sam_rho / length * g for g in gs]
        share = dot(gs, sharp) / length**2
        s["v"] = [x - share * g for x, g in zip(sharp, gs, strict=True)]
        return inner(ws, sharp)
    scale = sam_alpha * length / dot(s["v"], s["v"]) ** 0.5
    return inner(ws, [g + scale * v for g, v in zip(gs, s["v"], strict=True)])
