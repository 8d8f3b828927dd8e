"""Penalties in float64 NumPy: `penalty(w, **arguments)` returns a number."""

import numpy as np


def l1(w, l1):
    return l1 * np.abs(w).sum()


def l2(w, l2):
    return l2 * (w**2).sum()


def l1_l2(w, l1, l2):
    return l1 * np.abs(w).sum() + l2 * (w**2).sum()


def group_lasso(w, factor, groups):
    """Scardapane et al. (2016), arXiv:1607.00485."""
    if w.ndim < 2:
        return factor * sum(abs(x) for x in w.ravel())
    units = np.moveaxis(w, -2 if groups == "in" else -1, 0)
    return factor * sum(np.sqrt(u.size) * np.sqrt((u**2).sum()) for u in units)


def orthogonal(w, factor, mode):
    """Bansal et al. (2018), arXiv:1810.09102, soft orthogonality."""
    vectors = matrix(w).T if mode == "columns" else matrix(w)
    total = 0.0
    for i, a in enumerate(vectors):
        for j, b in enumerate(vectors):
            total += (a @ b - (i == j)) ** 2
    return factor * total


def spectral_norm(w, factor, iterations):
    """Yoshida and Miyato (2017), arXiv:1705.10941, with the exact singular value."""
    return factor * largest_singular_value(w) ** 2


def largest_singular_value(w):
    return np.linalg.svd(matrix(w), compute_uv=False)[0] if w.size else 0.0


def matrix(w):
    """Return a kernel as (prod(in), out), a vector as one column."""
    if w.ndim < 2:
        return w.reshape(-1, 1)
    return w.reshape(int(np.prod(w.shape[:-1])), w.shape[-1])
