"""ASAM, Algorithm 1 of arXiv:2102.11600, on a parabola."""

from keras_optlab.verify.oracle.mechanic import dot
from keras_optlab.verify.problems import curvature


def asam(inner, ws, gs, s, t, *, sam_rho=0.5):
    scaled = [abs(w) * g for w, g in zip(s["here"], gs, strict=True)]
    scale = sam_rho / (dot(scaled, scaled) ** 0.5 + 1e-12)
    rows = zip(s["here"], gs, strict=True)
    return inner(ws, [g + curvature(g) * scale * w**2 * g for w, g in rows])
