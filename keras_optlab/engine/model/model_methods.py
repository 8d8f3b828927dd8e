"""Methods of an optimizer that switch a model's weights, or attach it to a model."""

from __future__ import annotations

import contextlib

import keras

from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.model import evaluation_weights, hooks


class ModelMethods:
    """Methods of an optimizer for a model's training and evaluation weights."""

    def training_weights(
        self: BuiltOptimizer,
    ) -> contextlib.AbstractContextManager[None]:
        """Return a context with the model's training weights, for custom loops.

        `fit` enters it by itself.
        """
        return evaluation_weights.with_training_weights(self)

    def attach(self: BuiltOptimizer, model: keras.Model) -> None:
        """Attach the optimizer to a model that another model's `train_step` trains.

        `compile` does so for a model's own optimizer. A generator or an encoder that is
        trained within an outer model needs this call if its optimizer has separate
        evaluation weights (`EMA`, `SWA`, schedule-free methods). From then on the model
        has its evaluation weights, also in `evaluate`, `predict`, `save`, `export` and
        `get_weights`. It has its training weights while it, or a model that contains
        it, runs `fit` or `train_on_batch` with a `train_step` of its own. Other calls
        of `apply` have to be within `training_weights`.

        For optimizers without evaluation weights this does nothing.

        Args:
            model: A model with the weights that the optimizer trains.

        Raises:
            TypeError: if `model` is not a `keras.Model`.
            ValueError: if the rule looks at each batch more than once, which needs the
                `train_step` of a model that is compiled with it.

        >>> from keras_optlab import optimizers
        >>> generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> optimizer = optimizers.EMA(optimizers.Adam())
        >>> optimizer.attach(generator)
        """
        hooks.attach(self, model)

    def evaluation_weights(
        self: BuiltOptimizer,
    ) -> contextlib.AbstractContextManager[None]:
        """Return a context with the model's evaluation weights; restore others at exit.

        The methods of a compiled model enter it by themselves.
        """
        return evaluation_weights.with_evaluation_weights(self)
