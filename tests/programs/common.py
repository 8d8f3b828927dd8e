"""Optimizers of each kind, a custom train step, and checks after each training."""

import os
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_optlab import callbacks, optimizers
from tests.support.logs import read, read_tensors

BACKEND = keras.backend.backend()
JIT = BACKEND == "jax"  # on TensorFlow, XLA compiles slowly
KINDS = ("one set", "average", "schedule-free", "second pass")


@dataclass(frozen=True)
class Maker:
    """A factory of optimizers of one kind."""

    kind: str

    @property
    def averages(self):
        """Whether evaluation weights differ from training weights."""
        return self.kind in ("average", "schedule-free")

    def __call__(self, rate, sgd_rate, **arguments):
        if self.kind == "second pass":
            inner = optimizers.SGD(sgd_rate, momentum=0.9, **arguments)
            return optimizers.SAM(inner, sam_rho=0.01)
        if self.kind == "schedule-free":
            return optimizers.ScheduleFreeAdamW(rate, **arguments)
        adamw = optimizers.AdamW(rate, weight_decay=1e-3, **arguments)
        if self.kind == "one set":
            return adamw
        return optimizers.EMA(adamw, average_decay=0.8)


class OwnStep(keras.Model):
    """A model with the train step of Keras' guides, for the losses of a subclass.

    `losses_of(data, outputs)` returns them by name; "loss" is minimized.
    """

    def __init__(self, names, **kwargs):
        super().__init__(**kwargs)
        self.trackers = [keras.metrics.Mean(name=name) for name in names]

    @property
    def metrics(self):
        return self.trackers

    def tracked(self, losses):
        for tracker in self.trackers:
            tracker.update_state(losses[tracker.name])
        return {t.name: t.result() for t in self.trackers}

    def train_step(self, *args):
        return {"tensorflow": self.by_tape, "torch": self.by_backward}.get(
            BACKEND, self.stateless
        )(*args)

    def by_tape(self, data):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            losses = self.losses_of(data, self(data, training=True))
        gradients = tape.gradient(losses["loss"], self.trainable_weights)
        self.optimizer.apply_gradients(
            zip(gradients, self.trainable_weights, strict=True)
        )
        return self.tracked(losses)

    def by_backward(self, data):
        import torch

        self.zero_grad()
        losses = self.losses_of(data, self(data, training=True))
        losses["loss"].backward()
        weights = self.trainable_weights
        with torch.no_grad():
            self.optimizer.apply([w.value.grad for w in weights], weights)
        return self.tracked(losses)

    def stateless(self, state, data):
        import jax

        weights, non_trainable, optimizer, metrics = state

        def loss_of(weights, non_trainable):
            outputs, non_trainable = self.stateless_call(
                weights, non_trainable, data, training=True
            )
            losses = self.losses_of(data, outputs)
            return losses["loss"], (losses, non_trainable)

        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (_, (losses, non_trainable)), gradients = gradient(weights, non_trainable)
        weights, optimizer = self.optimizer.stateless_apply(
            optimizer, gradients, weights
        )
        logs, after, names = {}, [], iter(metrics)
        for tracker in self.trackers:
            held = [next(names) for _ in tracker.variables]
            held = tracker.stateless_update_state(held, losses[tracker.name])
            logs[tracker.name] = tracker.stateless_result(held)
            after += held
        return logs, (weights, non_trainable, optimizer, after)


def board(directory, every=5, **kwargs):
    return callbacks.TensorBoard(os.path.join(directory, "log"), every, **kwargs)


def unknown_length(x, y, batch_size):
    """Return a dataset of batches whose number is not known in advance."""
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((x, y))
    return data.filter(lambda *_: True).batch(batch_size)


def check_log(directory, *tags, run="train", histograms=False):
    """Check that the tags are in the log and that all values are finite."""
    directory = os.path.join(directory, "log", run)
    found = read(directory)
    missing = set(tags) - set(found)
    assert not missing, f"{missing} not in {sorted(found)}"
    for tag, values in found.items():
        assert np.isfinite(list(values.values())).all(), tag
    if histograms:
        pages = read_tensors(directory, "histograms")
        assert {tag.partition("/")[0] for tag in pages} == {
            "weight_gradient",
            "weight_update",
            "weight_value",
        }
    return found


def numpy(variables):
    return [np.array(ops.convert_to_numpy(v)) for v in variables]


def check_fell(losses, to):
    """Check that losses are finite and the last is below `to` times the first."""
    assert np.isfinite(losses).all()
    assert losses[-1] < to * losses[0], losses


def check_weights(model, make, optimizer=None):
    """Check that weights are finite, and that the kind has one or two sets of them."""
    optimizer = optimizer or model.optimizer
    assert numpy([optimizer.skipped_steps]) == [0]
    before = numpy(model.trainable_variables)
    assert all(np.isfinite(w).all() for w in before)
    with optimizer.evaluation_weights():
        evaluated = numpy(model.trainable_variables)
    with optimizer.training_weights():
        trained = numpy(model.trainable_variables)
    pairs = zip(evaluated, trained, strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs) != make.averages
    for a, b in zip(before, numpy(model.trainable_variables), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def check_evaluation(model, plain, x, y, val_loss=None):
    """Check that a model with a Keras optimizer evaluates these weights to the same.

    Args:
        model: A trained model.
        plain: A model of the same architecture, compiled with the same loss.
        x: Inputs.
        y: Targets.
        val_loss: Validation loss of the last epoch on the same data, if there is one.
    """
    plain.predict(x, verbose=0)  # build it
    plain.set_weights(model.get_weights())
    figure = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    expected = plain.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(figure, expected, rtol=1e-5)
    if val_loss is not None:
        np.testing.assert_allclose(val_loss, expected, rtol=1e-3)


def check_reloaded(model, directory, x, y=None, atol=1e-5):
    """Check that a file holds the evaluation weights; return the loaded model.

    Given targets, both models take another step and must still agree.
    """
    path = os.path.join(directory, "model.keras")
    model.save(path)
    loaded = keras.models.load_model(path)
    assert_agree(model, loaded, x, atol)
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations)
    if y is not None:
        before = model.predict(x, verbose=0)
        variables = model.non_trainable_variables, loaded.non_trainable_variables
        for own, theirs in zip(*variables, strict=True):
            theirs.assign(numpy([own])[0])  # Keras does not save seed generators
        for one in (model, loaded):
            one.run_eagerly, one.jit_compile = True, False  # cheaper than tracing
            one.make_train_function(force=True)
            keras.utils.set_random_seed(2)
            one.train_on_batch(x, y)
        assert_agree(model, loaded, x, 10 * atol)
        assert np.abs(model.predict(x, verbose=0) - before).max() > 0
    return loaded


def assert_agree(model, loaded, x, atol):
    both = [keras.tree.flatten(one.predict(x, verbose=0)) for one in (model, loaded)]
    for a, b in zip(*both, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=atol)
