"""Sophia-H, Algorithm 3 of arXiv:2305.14342, for a diagonal Hessian."""

import numpy as np

from keras_optlab.verify.problems import curvature


def sophia(
    w,
    g,
    s,
    t,
    lr,
    beta_1=0.96,
    beta_2=0.99,
    gamma=0.01,
    clip_threshold=1.0,
    epsilon=1e-12,
    period=10,
):
    m = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    h = s.get("h", 0)
    if t % period == 1 % period:
        h = beta_2 * h + (1 - beta_2) * curvature(g)
    s.update(m=m, h=h)
    step = m / np.maximum(gamma * h, epsilon)
    return w - lr * np.clip(step, -clip_threshold, clip_threshold)
