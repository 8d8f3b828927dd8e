"""SciPy's methods by name, each with the derivatives that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.core.errors import shown, suggest
from keras_optlab.full_batch.epochs import Epochs
from keras_optlab.full_batch.objective import Objective

LEAST_SQUARES = "least_squares"
SECOND_ORDER = ("Newton-CG", "trust-krylov", "trust-ncg")  # use Hessian products
METHODS = ("BFGS", "CG", "L-BFGS-B", *SECOND_ORDER, LEAST_SQUARES)

LARGEST_JACOBIAN = 2**27  # entries, 1 GiB


def find_method(name: str) -> str:
    """Return a method's name in SciPy's spelling, or raise with a suggestion."""
    known = {method.lower(): method for method in METHODS}
    if not isinstance(name, str) or name.lower() not in known:
        raise ValueError(
            f"fit_full_batch has no such method. Received: method={shown(name)}. "
            + suggest(shown(name), METHODS)
        )
    return known[name.lower()]


def scipy_optimize() -> Any:
    """Return `scipy.optimize`, or raise with how to install it."""
    try:
        import scipy.optimize
    except ImportError as error:
        raise ImportError(
            "fit_full_batch needs SciPy. Install it with "
            "`pip install keras-optlab[full-batch]`."
        ) from error
    return scipy.optimize


def minimize(
    objective: Objective,
    epochs: Epochs,
    method: str,
    tol: float | None,
    options: Mapping[str, Any],
) -> Any:
    """Run a method that takes any loss; return SciPy's result."""

    def loss_and_gradient(w: np.ndarray) -> tuple[float, np.ndarray]:
        epochs.evaluating()
        loss, gradient = objective.loss_and_gradient(w)
        epochs.checked(float(loss), gradient)
        return float(loss), gradient

    def iterated(intermediate_result: Any) -> None:
        epochs.iterated(intermediate_result.x, float(intermediate_result.fun))

    result = scipy_optimize().minimize(
        loss_and_gradient,
        objective.present(),
        jac=True,
        hessp=objective.hessian_product if method in SECOND_ORDER else None,
        method=method,
        tol=tol,
        options=dict(options),
        callback=iterated,
    )
    return _told(result, epochs, limit_reached=1)


def least_squares(
    objective: Objective,
    epochs: Epochs,
    tol: float | None,
    options: Mapping[str, Any],
) -> Any:
    """Run nonlinear least squares with the exact Jacobian; return SciPy's result."""

    def residuals(w: np.ndarray) -> np.ndarray:
        epochs.evaluating()
        r = objective.residuals(w)
        epochs.checked(float(r @ r) / 2)
        return r

    def iterated(intermediate_result: Any) -> None:
        epochs.iterated(intermediate_result.x, float(intermediate_result.cost))

    tolerances = {} if tol is None else dict.fromkeys(("ftol", "xtol", "gtol"), tol)
    result = scipy_optimize().least_squares(
        residuals,
        objective.present(),
        jac=objective.jacobian,
        callback=iterated,
        **{**tolerances, **options},
    )
    return _told(result, epochs, limit_reached=0)


def _told(result: Any, epochs: Epochs, limit_reached: int) -> Any:
    """Write the reason into the result if a callback or the limit stopped the run."""
    if epochs.ended:
        result.message, result.success = epochs.ended, False
        if not epochs.model.stop_training:
            result.status = limit_reached
    return result


def check_least_squares(objective: Objective) -> None:
    """Raise if the loss is not the mean squared error, or the Jacobian too large."""
    loss, y = objective.model.loss, objective.data.y
    instead = 'Use method="L-BFGS-B", which takes any loss.'
    if not _is_squared_error(loss) or not ops.is_tensor(y):
        raise ValueError(
            "least_squares needs one output and the mean squared error as loss. "
            f"Received: loss={shown(loss)}. {instead}"
        )
    w = objective.present()
    compiled, _ = objective.loss_and_gradient(w)
    r = objective.residuals(w)
    if not np.isclose(float(r @ r) / 2, compiled, rtol=1e-4, equal_nan=True):
        raise ValueError(
            "least_squares needs the mean squared error as the whole loss. "
            f"Received: a loss of {float(compiled):.6g} with a mean squared error of "
            f"{float(r @ r) / 2:.6g}, because of regularizers, `add_loss`, or a "
            f"reduction other than the mean. {instead}"
        )
    if r.size * w.size > LARGEST_JACOBIAN:
        raise ValueError(
            "least_squares stores a number for each residual and weight, at most "
            f"{LARGEST_JACOBIAN:,}. Received: {r.size:,} residuals and {w.size:,} "
            f"weights. {instead}"
        )


def _is_squared_error(loss: Any) -> bool:
    try:
        found = keras.losses.get(loss)
    except (TypeError, ValueError):
        return False
    squared = keras.losses.MeanSquaredError, keras.losses.mean_squared_error
    return isinstance(found, squared[0]) or found is squared[1]
