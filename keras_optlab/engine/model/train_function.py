"""`train_on_batch` that also switches the weights, as one compiled call on TensorFlow.

An optimizer with evaluation weights switches to the training weights, takes the step,
and switches back. Three compiled calls for this would make the step of a small model
more than 50% slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_optlab.engine.backend.replicas import is_distributed
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.model import evaluation_weights

MAKERS = "train_on_batch", "make_train_function"


def can_move(model: Any) -> bool:
    """Return whether one compiled call can train a batch and switch the weights.

    Keras' own methods must make and call the train function. Replicas are excluded.
    """
    if keras.backend.backend() != "tensorflow" or model.run_eagerly:
        return False
    keras_own = all(getattr(type(model), k) is getattr(keras.Model, k) for k in MAKERS)
    return keras_own and not is_distributed(model)


class TrainFunction:
    """Keras' train function, and a second one that also switches the weights.

    Args:
        model: The model, whose train function this replaces.
        optimizer: Its optimizer, with evaluation weights.
        make: Keras' `make_train_function` of the model.

    Attributes:
        moves: Whether the next call has to switch the weights.
    """

    def __init__(
        self, model: Any, optimizer: BuiltOptimizer, make: Callable[..., None]
    ) -> None:
        import tensorflow as tf

        self.optimizer = optimizer
        self.moves = False
        self._at_training = tf.Variable(tf.constant(False), trainable=False)
        make(force=True)
        self._keras_function = model.train_function
        step = model.train_step
        vars(model)["train_step"] = self._between_moves(step)
        make(force=True)
        self._moving_function = model.train_function
        vars(model)["train_step"] = step

    def __call__(self, iterator: Iterator[Any]) -> Any:
        """Train on the next batch."""
        if not self.moves:
            return self._keras_function(iterator)
        try:
            return self._moving_function(iterator)
        except BaseException:
            if bool(self._at_training):
                self._at_training.assign(False)
                self.optimizer.at_evaluation_weights = False
                evaluation_weights.move_to(self.optimizer, evaluation=True)
            raise

    def _between_moves(self, train_step: Callable[..., Any]) -> Callable[..., Any]:
        """Return a train step between two switches of the weights.

        Each of the three is a `tf.function` within the trace. They write the same
        variables, so TensorFlow runs one after the other. An error in the step leaves
        all training weights in place, and no weight half switched.
        """
        import tensorflow as tf

        def step(data: Any) -> Any:
            optimizer = self.optimizer
            optimizer.moves.traced("to_training", self._at_training, True)()
            optimizer.at_evaluation_weights = False
            try:
                logs = tf.function(train_step, autograph=False)(data)
            finally:
                optimizer.at_evaluation_weights = True
            optimizer.moves.traced("to_evaluation", self._at_training, False)()
            return logs

        return step
