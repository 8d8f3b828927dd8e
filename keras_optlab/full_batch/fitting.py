"""`fit_full_batch`: the `fit` of a model whose data fit in one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_optlab.callbacks.base.callback import interruption_hook
from keras_optlab.core.arguments import number, optional_number
from keras_optlab.full_batch.arguments import (
    as_callbacks,
    as_verbosity,
    check_model,
    check_options,
    check_validation,
)
from keras_optlab.full_batch.data import Data
from keras_optlab.full_batch.epochs import Epochs
from keras_optlab.full_batch.methods import (
    LEAST_SQUARES,
    check_least_squares,
    find_method,
    least_squares,
    minimize,
    scipy_optimize,
)
from keras_optlab.full_batch.objective import Objective


def fit_full_batch(
    model: keras.Model,
    x: Any,
    y: Any,
    method: str = "L-BFGS-B",
    *,
    epochs: int = 100,
    sample_weight: Any = None,
    validation_data: tuple[Any, ...] | None = None,
    callbacks: keras.callbacks.Callback | Sequence[Any] | None = None,
    verbose: int | str = "auto",
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> keras.callbacks.History:
    r"""Train a small model on all data at once with an optimizer of SciPy.

    The full-batch gradient has no noise, so methods that estimate the curvature reach
    in a few hundred evaluations a loss that stochastic optimizers do not reach. Use it
    for regression with up to about ten thousand weights and samples.

    The method minimizes the compiled loss, with sample weights, regularizers and
    `add_loss`, over the trainable weights. Layers run in inference mode, so that the
    loss is a deterministic function of the weights: `Dropout` drops nothing, and
    `BatchNormalization` uses its moving statistics and does not update them. The
    model's optimizer is not used.

    Args:
        model: A model that is built and compiled.
        x: Inputs: an array, or a list or dict of arrays.
        y: Targets: an array, or a list or dict of arrays. The first axis of inputs and
            targets is the sample.
        method: Name of the method, in upper or lower case:

            - `"L-BFGS-B"`: limited-memory quasi-Newton, for any loss and the most
              weights; stores a few vectors.
            - `"BFGS"`: quasi-Newton; stores a matrix of weights x weights.
            - `"CG"`: nonlinear conjugate gradients; stores the fewest vectors.
            - `"Newton-CG"`, `"trust-ncg"`, `"trust-krylov"`: Newton methods with exact
              Hessian-vector products, each at the cost of about two gradients.
            - `"least_squares"`: Gauss-Newton in a trust region, the best method for the
              mean squared error. It takes only this loss, one output and no
              regularizers. It stores the exact Jacobian, one number per residual and
              weight, at most $2^{27}$ (1 GiB). An iteration costs residuals x weights².
        epochs: Maximum number of iterations; integer >= 1. Callbacks see each iteration
            as an epoch of one batch.
        sample_weight: A weight for each sample, or `None`.
        validation_data: `(x, y)` or `(x, y, sample_weight)`, for the `val_` logs.
        callbacks: Callbacks of Keras. `EarlyStopping` and others may stop the training,
            and change the weights at its end but not before. Callbacks that drive or
            clip the updates of an optimizer are refused, since no optimizer is used.
        verbose: 0 is silent, 1 or `"auto"` a progress bar, 2 a line for each epoch.
        tol: SciPy's tolerance for convergence, >= 0; `None` uses the method's default.
        options: SciPy's `options` of `scipy.optimize.minimize` for the method, or
            arguments of `scipy.optimize.least_squares`.

    Returns:
        A `keras.callbacks.History` with the loss, metrics and `val_` logs after each
        iteration, as from `fit`. Its attribute `result` is SciPy's result. `message`
        says why the training stopped, `success` whether the method converged, and
        `status` is SciPy's number for the reason. After all `epochs`, `status` is 1 (0
        for `least_squares`). After a stop by a callback it is 99 (-2).

    All data pass through the model at once, so data and activations must fit in memory.
    SciPy computes in float64, but the loss of a float32 model has a relative error of
    about 1e-7. A method stops when it cannot distinguish two losses; the weights are
    then accurate to about 1e-3 or better. A model made after
    `keras.config.set_floatx("float64")` gets further on TensorFlow. On JAX and torch,
    Keras still computes some functions and the mean of a loss in float32.

    After an error or an interruption the model has the weights of the last iteration,
    which are the best so far.

    Raises:
        TypeError: if the data are not arrays of numbers, or another argument is of the
            wrong type.
        ValueError: if the model is not built, not compiled, has no trainable weights or
            has constraints, which are not supported; if the method is unknown, or a
            number out of range; if the numbers of samples differ; if `least_squares`
            cannot be used.
        FloatingPointError: if the loss becomes NaN or infinite.
        ImportError: if SciPy is not installed.

    Source: Nocedal and Wright, Numerical Optimization, 2006, for all methods; Liu and
    Nocedal, 1989, for L-BFGS.

    >>> import keras, keras_optlab, numpy as np
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> history = keras_optlab.fit_full_batch(model, x, 3 * x + 1, verbose=0)
    >>> np.round(model.layers[0].bias.numpy(), 2)
    array([1.], dtype=float32)
    >>> history.history["loss"][-1] < 1e-6
    True
    """
    check_model(model)
    method = find_method(method)
    epochs = number("epochs", epochs, ">= 1", "maximum iterations", integer=True)
    check_validation(validation_data)
    given = as_callbacks(callbacks)
    verbose = as_verbosity(verbose)
    tol = optional_number("tol", tol, ">= 0", "tolerance for convergence")
    check_options(options)
    scipy_optimize()  # raise before any work if SciPy is missing
    data = Data.of(x, y, sample_weight)
    objective = Objective(model, data)
    history = keras.callbacks.History()
    told = keras.callbacks.CallbackList(
        [*given, history],
        add_progbar=verbose != 0,
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=1,
        optimizer=None,  # no optimizer is used
    )
    validation = None if validation_data is None else Data.of(*validation_data)
    run = Epochs(objective, told, epochs, validation)
    # Build metrics and the losses of several outputs here, outside of any trace.
    model.test_on_batch(data.x, data.y, data.sample_weight)
    if method == LEAST_SQUARES:
        check_least_squares(objective)
    model.stop_training = False
    with interruption_hook(model, given):
        told.on_train_begin()
        if method == LEAST_SQUARES:
            history.result = least_squares(objective, run, tol, options or {})
        else:
            history.result = minimize(objective, run, method, tol, options or {})
    told.on_train_end(run.logs)
    return history
