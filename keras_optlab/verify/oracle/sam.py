"""SAM, Algorithm 1 of arXiv:2010.01412, for a diagonal Hessian."""

from keras_optlab.verify.oracle.mechanic import dot
from keras_optlab.verify.problems import curvature


def sam(inner, ws, gs, s, t, *, sam_rho=0.05):
    scale = sam_rho / dot(gs, gs) ** 0.5
    return inner(ws, [g + curvature(g) * scale * g for g in gs])
