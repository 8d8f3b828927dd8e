"""`fit_full_batch`: the `fit` of a model whose data fit in one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_optlab.callbacks.base.arguments import number, optional_number
from keras_optlab.callbacks.base.callback import telling
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
    r"""Train a small model on all data at once, with a method of SciPy.

    With the gradient of all data there is no noise, and methods that learn about the
    curvature find in some hundred evaluations what a stochastic one does not find at
    all. It suits regression with up to some ten thousand weights and samples.

    What is minimized is the compiled loss, with sample weights, regularizers and
    `add_loss`, over the trainable weights. Layers run as in inference, since a point
    must have one loss: `Dropout` drops nothing, and `BatchNormalization` uses and keeps
    the statistics that the model has. The model's optimizer takes no part.

    Args:
        model: A model that is built and compiled.
        x: Inputs: an array, or a list or dict of arrays.
        y: Targets: the same. The first axis of all is the sample.
        method: In any case, one of

            - `"L-BFGS-B"`: for any loss and the most weights; keeps a few vectors;
            - `"BFGS"`: keeps a matrix of weights by weights;
            - `"CG"`: nonlinear conjugate gradients; keeps the fewest;
            - `"Newton-CG"`, `"trust-ncg"`, `"trust-krylov"`: by products with the
              exact Hessian, each about two gradients. On TensorFlow they are not exact
              past layers that normalize by the moments of their inputs.
            - `"least_squares"`: Gauss and Newton's in a trust region, the best one for
              the mean squared error, which is the only loss it takes, for one output
              and without regularizers. It keeps the exact Jacobian, one number for
              each residual and weight, at most $2^{27}$ (1 GiB), and an iteration
              costs the square of the weights for each residual.
        epochs: Iterations >= 1 at most. To callbacks each is an epoch of one batch.
        sample_weight: A weight for each sample, or `None`.
        validation_data: `(x, y)` or `(x, y, sample_weight)`, for the `val_` logs.
        callbacks: Callbacks of Keras. `EarlyStopping` and others may stop the training
            and write weights at the end of it, not in between. Those that drive or clip
            what an optimizer does are refused, since none takes part.
        verbose: 0 is silent, 1 or `"auto"` a progress bar, 2 a line for each epoch.
        tol: Tolerance for convergence in SciPy's sense, >= 0; `None` is the method's
            own.
        options: SciPy's `options` of `scipy.optimize.minimize` for the method, or
            arguments of `scipy.optimize.least_squares`.

    Returns:
        A `keras.callbacks.History` with the loss, metrics and `val_` logs after each
        iteration, as from `fit`. Its attribute `result` is SciPy's result: `message`
        tells why it ended, and `success` whether because the method converged.
        `status` is SciPy's number for that method; when all `epochs` are over it is
        the one for too many iterations (1, of `least_squares` 0), when a callback has
        stopped the training 99 (-2).

    All data go through the model at once, and must fit in memory with what its layers
    make of them. SciPy computes in float64, but a model in float32 gives a loss that is
    right to about 1e-7 of itself; a method ends when it can no more tell two losses
    apart, and weights are then right to about 1e-3 or better. A model made after
    `keras.config.set_floatx("float64")` gets further on TensorFlow; on JAX and torch
    Keras computes some functions, and the mean of a loss, in float32 all the same.

    After an error or an interruption the model has the weights of the last iteration,
    which are the best so far.

    Raises:
        TypeError: if the data are no arrays of numbers, or another argument is of the
            wrong type.
        ValueError: if the model is not built, not compiled, has no trainable weights or
            has constraints, which these methods do not keep; if the method is unknown,
            or a number out of range; if the data do not fit together; if
            `least_squares` cannot be used.
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
    epochs = number("epochs", epochs, ">= 1", "iterations at most", integer=True)
    check_validation(validation_data)
    given = as_callbacks(callbacks)
    verbose = as_verbosity(verbose)
    tol = optional_number("tol", tol, ">= 0", "tolerance for convergence")
    check_options(options)
    scipy_optimize()  # to miss it before anything is done
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
        optimizer=None,  # none takes part
    )
    validation = None if validation_data is None else Data.of(*validation_data)
    run = Epochs(objective, told, epochs, validation)
    # Losses of several outputs and metrics are built here, outside of any trace.
    model.test_on_batch(data.x, data.y, data.sample_weight)
    if method == LEAST_SQUARES:
        check_least_squares(objective)
    model.stop_training = False
    with telling(model, given):
        told.on_train_begin()
        if method == LEAST_SQUARES:
            history.result = least_squares(objective, run, tol, options or {})
        else:
            history.result = minimize(objective, run, method, tol, options or {})
    told.on_train_end(run.logs)
    return history
