"""Text classification with a transformer: padded tokens, masks, no `Input`."""

import keras
import numpy as np

from tests.programs.common import (
    BACKEND,
    JIT,
    board,
    check_evaluation,
    check_fell,
    check_log,
    check_reloaded,
    check_weights,
    unknown_length,
)

no_second_pass = ""
WORDS, LENGTH = 20, 8


def train(make, directory):
    x, y = texts()
    model = classifier()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = make(0.01, 0.1, global_clipnorm=5.0)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=JIT)
    data = {"x": x, "y": y, "batch_size": 16}
    if BACKEND == "tensorflow":
        data = {"x": unknown_length(x, y, 16)}
    history = model.fit(
        **data,
        epochs=6,
        verbose=0,
        validation_data=(x, y),
        callbacks=[board(directory, histograms_every=10)],
    ).history
    check_fell(history["val_loss"], to=0.9)
    assert int(model.optimizer.updates) == 6 * 5
    check_weights(model, make)
    plain = classifier()
    plain.compile("sgd", loss)
    check_evaluation(model, plain, x, y, history["val_loss"][-1])
    check_reloaded(model, directory, x, y)
    check_log(
        directory,
        "epoch/accuracy",
        "optimizer/clipped_fraction",
        "optimizer/gradient_norm_clipped",
        histograms=True,
    )


def texts():
    """Return padded texts of several lengths, and whether a given word is in them."""
    rng = np.random.default_rng(0)
    x = rng.integers(2, WORDS, (72, LENGTH)).astype("int32")
    y = np.arange(72) % 2
    x[y == 1, 0] = 1
    lengths = rng.integers(2, LENGTH + 1, 72)
    x[np.arange(LENGTH) >= lengths[:, None]] = 0
    return x, y


@keras.saving.register_keras_serializable("programs")
class Block(keras.layers.Layer):
    """Attention, then two dense layers on every token, each with a skip connection."""

    def __init__(self, size, heads, **kwargs):
        super().__init__(**kwargs)
        self.size, self.heads = size, heads
        self.supports_masking = True
        layers = keras.layers
        self.attention = layers.MultiHeadAttention(heads, size // heads)
        self.hidden = layers.Dense(2 * size, activation="gelu")
        self.dense = layers.Dense(size)
        self.norms = [layers.LayerNormalization() for _ in range(2)]
        self.dropout = layers.Dropout(0.1)

    def build(self, shape):
        self.attention.build(shape, shape)
        self.hidden.build(shape)
        self.dense.build((*shape[:-1], 2 * self.size))
        for norm in self.norms:
            norm.build(shape)

    def call(self, x, training=False):
        x = self.norms[0](x + self.attention(x, x, training=training))
        dense = self.dense(self.hidden(x))
        return self.norms[1](x + self.dropout(dense, training=training))

    def get_config(self):
        return super().get_config() | {"size": self.size, "heads": self.heads}


def classifier():
    return keras.Sequential(
        [
            keras.layers.Embedding(WORDS, 8, mask_zero=True),
            Block(8, 2),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(2),
        ]
    )
