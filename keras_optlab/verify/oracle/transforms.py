"""Transforms in float64 NumPy, each transcribed from its paper.

`transform(xs, ws, gs, t, lr, **arguments)` returns the changed gradients or updates of
all tensors, from those, the weights, the gradients that the rule received, the update
counted from 1, and the learning rate, which an update holds already. What remembers
something is a class; an object of it is called so at each update.
"""

import numpy as np

from keras_optlab.verify.oracle import muon


def each(one):
    """Return a transform of all tensors from one of a tensor."""

    def all_of_them(xs, ws, gs, t, lr, **arguments):
        rows = zip(xs, ws, gs, strict=True)
        return [one(x, w, g, lr, **arguments) for x, w, g in rows]

    return all_of_them


def length(x):
    return np.sqrt(np.sum(x * x))


def global_norm(xs):
    return np.sqrt(sum(length(x) ** 2 for x in xs))


def units(x):
    """Return the columns of a kernel, all of a vector."""
    return x.reshape(-1, x.shape[-1]) if x.ndim > 1 else x.reshape(-1, 1)


@each
def adaptive_clip(x, w, g, lr, clip_factor, epsilon):
    """Brock et al. (2021), arXiv:2102.06171, equation 3."""
    x_units, w_units = units(x).copy(), units(w)
    for i in range(x_units.shape[1]):
        largest = clip_factor * max(length(w_units[:, i]), epsilon)
        if length(x_units[:, i]) > largest:
            x_units[:, i] *= largest / length(x_units[:, i])
    return x_units.reshape(x.shape)


class AutoClip:
    """Seetharaman et al. (2020), arXiv:2007.14469."""

    def __init__(self):
        self.norms = []

    def __call__(self, xs, ws, gs, t, lr, percentile, length):
        self.norms.append(global_norm(xs))
        limit = np.percentile(self.norms[-length:], percentile)
        return [x * min(1.0, limit / self.norms[-1]) for x in xs]


@each
def centralize(x, w, g, lr):
    """Yong et al. (2020), arXiv:2004.01461, equation 1."""
    if x.ndim < 2 or not x.size:
        return x
    return (units(x) - units(x).mean(axis=0)).reshape(x.shape)


@each
def cautious(x, w, g, lr):
    """Liang et al. (2024), arXiv:2411.16085, algorithm 1."""
    if not x.size:
        return x
    agrees = (x * g < 0).astype("float64")
    return x * agrees / max(agrees.mean(), 1e-3)


@each
def cautious_weight_decay(x, w, g, lr, weight_decay):
    """Chen et al. (2025), arXiv:2510.12402."""
    u = -x / lr
    return -lr * (u + weight_decay * (u * w >= 0) * w)


@each
def clip_by_value(x, w, g, lr, value):
    return np.clip(x, -value, value)


@each
def clip_by_norm(x, w, g, lr, norm):
    """Pascanu et al. (2013), arXiv:1211.5063, algorithm 1."""
    return x * norm / length(x) if length(x) > norm else x


def clip_by_global_norm(xs, ws, gs, t, lr, norm):
    """Pascanu et al. (2013), arXiv:1211.5063, algorithm 1."""
    total = global_norm(xs)
    return [x * norm / total for x in xs] if total > norm else xs


@each
def clip_update(x, w, g, lr, threshold):
    """Shazeer and Stern (2018), arXiv:1804.04235, section 6."""
    if not x.size:
        return x
    u = x / lr
    return lr * u / max(1.0, np.sqrt(np.mean(u * u)) / threshold)


def normalize_gradient(xs, ws, gs, t, lr, over, epsilon):
    """Yu et al. (2017), arXiv:1707.04822; Hazan et al. (2015), arXiv:1507.02030."""
    total = global_norm(xs)
    return [x / ((length(x) if over == "tensor" else total) + epsilon) for x in xs]


@each
def orthogonalize(x, w, g, lr, ns_steps, scaling, flatten_kernels):
    """Jordan et al. (2024); Liu et al. (2025), arXiv:2502.16982."""
    if x.ndim < 2 or (x.ndim > 2 and not flatten_kernels):
        return x
    matrix = x.reshape(-1, x.shape[-1])
    rows, columns = matrix.shape
    factor = 0.2 * np.sqrt(max(rows, columns))
    if scaling == "jordan":
        factor = np.sqrt(max(1.0, columns / max(rows, 1)))
    return lr * factor * muon.newton_schulz(matrix, ns_steps).reshape(x.shape)


@each
def sign(x, w, g, lr):
    """Bernstein et al. (2018), arXiv:1802.04434, algorithm 1."""
    return lr * np.sign(x)


@each
def trust_ratio(x, w, g, lr, low, high):
    """You et al. (2019), arXiv:1904.00962, algorithm 2 and section 3."""
    u = x / lr
    phi = max(length(w), low)
    phi = phi if high is None else min(phi, high)
    return lr * phi / length(u) * u if phi and length(u) else x


@each
def zero_non_finite(x, w, g, lr):
    return np.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0)


class ZClip:
    """Kumar et al. (2025), arXiv:2504.02507, with the authors' order of averages."""

    def __init__(self):
        self.first, self.mean, self.variance = [], None, None

    def __call__(
        self, xs, ws, gs, t, lr, alpha, threshold, warmup_steps, max_norm, epsilon
    ):
        total = norm = global_norm(xs)
        if len(self.first) < warmup_steps:
            self.first.append(norm)
            self.mean, self.variance = np.mean(self.first), np.var(self.first)
        else:
            sigma = np.sqrt(self.variance)
            score = (norm - self.mean) / (sigma + epsilon)
            if score > threshold:
                norm = self.mean + threshold * sigma / (score / threshold)
            self.mean = alpha * self.mean + (1 - alpha) * norm
            change = norm - self.mean
            self.variance = alpha * self.variance + (1 - alpha) * change**2
        limit = norm if max_norm is None else min(norm, max_norm)
        return [x * min(1.0, limit / total) for x in xs]
