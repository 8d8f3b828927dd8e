"""Small models of many kinds, each with data that it can learn, and its loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

BACKEND = keras.backend.backend()
ROWS, WIDTH, LENGTH, WORDS, CLASSES = 52, 6, 5, 30, 3  # the last batch is smaller
RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(size=(ROWS, WIDTH)).astype("float32")
LABELS = (NUMBERS @ RANDOM.normal(size=(WIDTH, CLASSES))).argmax(1).astype("int32")
SUMS = (NUMBERS.sum(1, keepdims=True) + 1).astype("float32")
IMAGES = (NUMBERS @ RANDOM.normal(size=(WIDTH, 64))).reshape(-1, 8, 8, 1)
IMAGES = IMAGES.astype("float32")
TEXTS = RANDOM.integers(0, WORDS, size=(ROWS, LENGTH)).astype("int32")
ABOUT = (TEXTS.sum(1) % 2 + (TEXTS[:, 0] > 15)).astype("int32")
Made = tuple[Any, Any, Any, Any]  # model, x, y, loss


def cross_entropy() -> Any:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def head(units: int = CLASSES) -> Any:
    """Return the last layer; its outputs are float32 under mixed precision."""
    return layers.Dense(units, name="head", dtype="float32")


def dense() -> Made:
    """Without `Input`, so that nothing is built before the first batch."""
    hidden = layers.Dense(10, activation="relu")
    return keras.Sequential([hidden, head()]), NUMBERS, LABELS, cross_entropy()


def normalized() -> Made:
    x = keras.Input((WIDTH,))
    z = layers.BatchNormalization()(layers.Dense(10)(x))
    z = layers.Dropout(0.2)(layers.Activation("relu")(z))
    return keras.Model(x, head()(z)), NUMBERS, LABELS, cross_entropy()


def convolutional() -> Made:
    x = keras.Input((8, 8, 1))
    z = layers.Conv2D(4, 3, activation="relu")(x)
    z = layers.BatchNormalization()(z)
    z = layers.DepthwiseConv2D(2, activation="relu")(layers.MaxPooling2D()(z))
    z = layers.Dropout(0.1)(layers.Flatten()(z))
    return keras.Model(x, head()(z)), IMAGES, LABELS, cross_entropy()


def recurrent() -> Made:
    stack = [layers.Embedding(WORDS, 4), layers.GRU(6), head()]
    return keras.Sequential(stack), TEXTS, ABOUT, cross_entropy()


def attention(use_bias: bool = True) -> Made:
    x = keras.Input((LENGTH,), dtype="int32")
    z = layers.Embedding(WORDS, 8)(x)
    near = layers.MultiHeadAttention(2, 4, use_bias=use_bias)
    z = layers.LayerNormalization()(z + near(z, z, use_causal_mask=True))
    z = z + layers.EinsumDense("abc,cd->abd", (None, 8), bias_axes="d")(z)
    z = layers.GlobalAveragePooling1D()(z)
    return keras.Model(x, head()(z)), TEXTS, ABOUT, cross_entropy()


def attention_without_bias() -> Made:
    """Attention in which no gradient is 0 but for rounding, as that of keys' biases."""
    return attention(use_bias=False)


def several() -> Made:
    """Two inputs and two outputs, one a class and one a number."""
    a, b = keras.Input((WIDTH,), name="a"), keras.Input((LENGTH,), name="b")
    z = layers.Concatenate()([layers.Dense(6)(a), layers.Dense(6)(b)])
    z = layers.Activation("tanh")(z)
    number = layers.Dense(1, name="number", dtype="float32")(z)
    model = keras.Model({"a": a, "b": b}, {"head": head()(z), "number": number})
    x = {"a": NUMBERS, "b": TEXTS.astype("float32") / WORDS}
    losses = {"head": cross_entropy(), "number": "mse"}
    return model, x, {"head": LABELS, "number": SUMS}, losses


def shared() -> Made:
    """One layer that is called twice."""
    x, layer = keras.Input((WIDTH,)), layers.Dense(WIDTH, activation="tanh")
    return keras.Model(x, head(1)(layer(layer(x)))), NUMBERS, SUMS, "mse"


def frozen() -> Made:
    """A frozen layer between two that are trained."""
    x = keras.Input((WIDTH,))
    z = layers.Dense(10, activation="relu")(x)
    z = layers.Dense(10, activation="relu", trainable=False)(z)
    return keras.Model(x, head()(z)), NUMBERS, LABELS, cross_entropy()


class Subclassed(keras.Model):
    """A model with layers as attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(10, activation="gelu")
        self.norm = layers.LayerNormalization()
        self.head = head()

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self.head(self.norm(self.hidden(x), training=training))


def subclassed() -> Made:
    return Subclassed(), NUMBERS, LABELS, cross_entropy()


class OwnStep(keras.Model):
    """A model with a `train_step` of its own, as in Keras' guides."""

    def train_step(self, *args: Any) -> Any:
        return getattr(self, f"_on_{BACKEND}")(*args)

    def _on_tensorflow(self, data: Any) -> Any:
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss}

    def _on_torch(self, data: Any) -> Any:
        x, y = data
        self.zero_grad()
        loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        self.optimizer.scale_loss(loss).backward()
        weights = list(self.trainable_weights)
        self.optimizer.apply([w.value.grad for w in weights], weights)
        return {"loss": loss}

    def _on_jax(self, state: Any, data: Any) -> Any:
        import jax

        trained, others, own, metrics = state
        x, y = data

        def loss_of(trained: Any) -> Any:
            out, new = self.stateless_call(trained, others, x, training=True)
            loss = self.compute_loss(y=y, y_pred=out)
            with keras.StatelessScope(list(zip(self.optimizer.variables, own))):  # noqa: B905
                return self.optimizer.scale_loss(loss), (loss, new)

        (_, (loss, others)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            trained
        )
        trained, own = self.optimizer.stateless_apply(own, gradients, trained)
        return {"loss": loss}, (trained, others, own, metrics)


def own_step() -> Made:
    x = keras.Input((WIDTH,))
    z = layers.Dense(10, activation="relu")(x)
    return OwnStep(x, head()(z)), NUMBERS, LABELS, cross_entropy()


class OddShapes(layers.Layer):
    """A weight of rank 0, one of rank 5, and one with a single entry."""

    def build(self, shape: Any) -> None:  # noqa: ARG002
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")
        self.five = self.add_weight(shape=(1, 2, 1, 3, 1), name="five_kernel")
        self.one = self.add_weight(shape=(1,), initializer="zeros", name="one_bias")

    def call(self, x: Any) -> Any:
        five = ops.cast(ops.reshape(self.five, (1, 6)), x.dtype)
        return x * (self.factor + five) + self.one


def odd_shapes() -> Made:
    stack = [keras.Input((WIDTH,)), OddShapes(), head(1)]
    return keras.Sequential(stack), NUMBERS, SUMS, "mse"


MODELS: dict[str, Callable[[], Made]] = {
    make.__name__: make
    for make in (
        dense,
        normalized,
        convolutional,
        recurrent,
        attention,
        several,
        shared,
        frozen,
        subclassed,
        own_step,
        odd_shapes,
    )
}
IN_PAIRS = {"attention": "attention_without_bias"}
DETERMINISTIC = [name for name in MODELS if name not in ("normalized", "convolutional")]
MODELS[attention_without_bias.__name__] = attention_without_bias
DRAWN = [name for name in MODELS if name not in IN_PAIRS.values()]
