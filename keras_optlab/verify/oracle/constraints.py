"""Constraints in float64 NumPy: `constraint(w, **arguments)` returns the new weight."""

import numpy as np

from keras_optlab.verify.oracle.regularizers import largest_singular_value

EPSILON = 1e-7  # of Keras


def clip_value(w, low, high):
    return np.clip(w, low, high)


def non_negative(w):
    return np.where(w < 0, 0.0, w)


def max_norm(w, max_value, axis):
    return min_max_norm(w, 0.0, max_value, 1.0, axis)


def min_max_norm(w, min_value, max_value, rate, axis):
    length = norm(w, axis)
    inside = np.clip(length, min_value, max_value)
    return w * (rate * inside + (1 - rate) * length) / (EPSILON + length)


def unit_norm(w, axis):
    return w / (EPSILON + norm(w, axis))


def spectral_norm(w, max_value, iterations):
    """Gouk et al. (2018), arXiv:1804.04368."""
    return w / max(1.0, largest_singular_value(w) / max_value)


def simplex(w, axis):
    """Duchi et al. (2008), Figure 1."""
    return np.apply_along_axis(simplex_of_a_vector, axis, w) if w.size else w


def simplex_of_a_vector(v):
    mu = sorted(v, reverse=True)
    rho = max(j for j in range(1, len(v) + 1) if mu[j - 1] - (sum(mu[:j]) - 1) / j > 0)
    theta = (sum(mu[:rho]) - 1) / rho
    return np.maximum(v - theta, 0)


def norm(w, axis):
    axis = tuple(axis) if isinstance(axis, list) else axis
    return np.sqrt((w**2).sum(axis if w.ndim else None, keepdims=True))
