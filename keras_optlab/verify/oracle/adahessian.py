"""AdaHessian, Algorithm 1 of arXiv:2006.00719, for a Hessian that is diagonal."""

import numpy as np

from keras_optlab.verify.problems import curvature


def adahessian(
    w, g, s, t, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-4, hessian_power=1.0
):
    d = np.abs(curvature(g))
    if d.ndim > 2:  # one block per convolution kernel
        d = np.broadcast_to(d.mean(tuple(range(d.ndim - 2)), keepdims=True), d.shape)
    m = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    v = beta_2 * s.get("v", 0) + (1 - beta_2) * d**2
    s.update(m=m, v=v)
    root = np.sqrt(v / (1 - beta_2**t)) ** hessian_power
    return w - lr * m / (1 - beta_1**t) / (root + epsilon)
