"""Functions to minimize, with gradients in closed form and known minima."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Function:
    """A loss of one matrix.

    Attributes:
        start: Initial matrix.
        loss: The exact loss of a matrix.
        gradient: Function of a matrix and a step number; returns the gradient.
        least: The minimum of the loss.
    """

    start: np.ndarray
    loss: object
    gradient: object
    least: float = 0.0

    def left(self, w):
        """Return the loss above the minimum, as a share of that at the start."""
        return (self.loss(w) - self.least) / (self.loss(self.start) - self.least)


def quadratic(condition=100.0):
    """Return an ill-conditioned quadratic whose axes are rotated."""
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    hessian = turn * np.geomspace(1, 1 / condition, 8) @ turn.T
    end = rng.normal(size=(8, 4))
    return Function(
        start=np.zeros((8, 4)),
        loss=lambda w: np.sum((w - end) * (hessian @ (w - end))) / 2,
        gradient=lambda w, step: hessian @ (w - end),
    )


def rosenbrock():
    """Return two copies of Rosenbrock's valley (1960): curved, with a flat floor."""

    def gradient(w, step):
        x, y = w
        return np.stack([2 * (x - 1) - 400 * x * (y - x**2), 200 * (y - x**2)])

    return Function(
        start=np.array([[-1.2, 0.0], [1.0, 0.5]]),
        loss=lambda w: np.sum((1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2),
        gradient=gradient,
    )


def logistic(batch=32):
    """Return softmax regression on noisy labels, with mini-batch gradients."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(512, 10)) * np.geomspace(0.3, 3, 10)
    scores = x @ rng.normal(size=(10, 3)) + rng.gumbel(size=(512, 3)) * 2
    y = np.eye(3)[scores.argmax(1)]

    def probabilities(inputs, w):
        z = inputs @ w
        z = np.exp(z - z.max(1, keepdims=True))
        return z / z.sum(1, keepdims=True)

    def loss(w):
        return -np.mean(np.sum(y * np.log(probabilities(x, w) + 1e-300), 1))

    def gradient(w, step):
        rows = np.random.default_rng(step).integers(0, len(x), batch)
        return x[rows].T @ (probabilities(x[rows], w) - y[rows]) / batch

    w = np.zeros((10, 3))
    for _ in range(300):  # full-batch descent; the loss is convex
        w = w - 0.5 * x.T @ (probabilities(x, w) - y) / len(x)
    return Function(np.zeros((10, 3)), loss, gradient, least=loss(w))
