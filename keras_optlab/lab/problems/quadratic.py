"""A noisy quadratic of 100 numbers."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from keras import ops

from keras_optlab.lab.problems.problem import Data, Problem, Target
from keras_optlab.lab.problems.surface import point_model

SIZE = 100
CONDITION = 1e4
NOISE = 0.1  # standard deviation of each residual
ROWS = 4096
SEED = 0


@functools.cache
def factor() -> np.ndarray:
    """Return R, 100 x 100, float64: the Hessian is R^T R.

    Its eigenvalues go from 0.01 to 100, evenly on the logarithmic axis. Its
    eigenvectors are those of a random rotation, so that no weight has a curvature of
    its own.
    """
    normal = np.random.RandomState(SEED).normal(size=(SIZE, SIZE))
    rotation = np.linalg.qr(normal)[0]
    eigenvalues = np.geomspace(CONDITION**-0.5, CONDITION**0.5, SIZE)
    return np.sqrt(eigenvalues)[:, None] * rotation


@functools.cache
def residuals() -> Data:
    r"""Return one target for each row: R w* = 1, with noise for training only.

    The noise has mean zero over the rows, so that the minimum is at w*.
    """
    noise = NOISE * np.random.RandomState(SEED + 1).normal(size=(ROWS, SIZE))
    noisy = 1 + noise - noise.mean(axis=0)

    def part(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((len(y), 1), "float32"), y.astype("float32")

    return Data(part(noisy), part(np.ones((1, SIZE))))


def loss(y_true: Any, y_pred: Any) -> Any:
    """Return half of |R w - y|^2 for each row: `(batch,)`."""
    r = ops.convert_to_tensor(factor(), y_pred.dtype)
    return ops.sum(ops.square(ops.matmul(y_pred, ops.transpose(r)) - y_true), -1) / 2


def quadratic() -> Problem:
    """Return a quadratic of 100 numbers with condition number 1e4 and noisy gradients.

    On batches the loss is |R w - y|^2 / 2, where y is R w* and noise: the gradient's
    noise has the Hessian's shape, as that of neural networks near a minimum. It is
    evaluated without the noise: 50 at the start, w = 0, and 0 at w*.

    Source: Zhang et al., 2019, arXiv:1907.04164 (the noisy quadratic model).
    """
    return Problem(
        model=functools.partial(point_model, [0.0] * SIZE),
        data=residuals,
        loss=loss,
        target=Target("loss", 0.5),
        batch_size=16,
        epochs=4,
        evaluate_every=16,
        summary="a quadratic of 100 numbers, condition 1e4, noisy gradients",
    )
