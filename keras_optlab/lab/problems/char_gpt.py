"""A small transformer that predicts the next character of *Paradise Lost*."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_optlab.datasets import paradise_lost
from keras_optlab.lab.problems.problem import Data, Problem, Target

CONTEXT = 64  # characters that it sees
WIDTH = 64
HEADS = 4
BLOCKS = 2


@functools.cache
def characters() -> tuple[Data, int]:
    """Return windows of the text with the characters that follow, and the alphabet.

    The first 80 % of the text are for training, the next 10 % for validation, the rest
    for the test. Both arrays of a part have the shape `(windows, CONTEXT)`, int32.
    """
    text = paradise_lost()
    alphabet = sorted(set(text))
    numbers = {character: number for number, character in enumerate(alphabet)}
    coded = np.array([numbers[character] for character in text], "int32")

    def windows(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        end = (len(part) - 1) // CONTEXT * CONTEXT
        shape = (-1, CONTEXT)
        return part[:end].reshape(shape), part[1 : end + 1].reshape(shape)

    parts = np.split(coded, [len(coded) * 8 // 10, len(coded) * 9 // 10])
    return Data(*map(windows, parts)), len(alphabet)


@keras.saving.register_keras_serializable(package="keras_optlab.lab")
class Positions(layers.Layer):
    """Adds a trained vector for each position: `(batch, length, width)`."""

    def build(self, input_shape: Any) -> None:
        """Make the vectors."""
        self.positions = self.add_weight(
            shape=tuple(input_shape[1:]), initializer="uniform", name="positions"
        )

    def call(self, inputs: Any) -> Any:
        """Return the inputs plus the vectors."""
        return inputs + self.positions


def char_gpt() -> Problem:
    """Return a transformer of two blocks, 4 heads and width 64, on 64 characters.

    Layer normalization comes before attention and before the two dense layers of a
    block, as in GPT-2.
    """
    return Problem(
        model=model,
        data=lambda: characters()[0],
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        target=Target("loss", 1.9),
        batch_size=32,
        epochs=4,
        evaluate_every=50,
        summary="Paradise Lost by characters, a transformer of 2 blocks of width 64",
    )


def model() -> keras.Model:
    """Return the transformer; `(batch, CONTEXT)` to `(batch, CONTEXT, symbols)`."""
    symbols = characters()[1]
    inputs = keras.Input((CONTEXT,), dtype="int32")
    x = Positions()(layers.Embedding(symbols, WIDTH)(inputs))
    for _ in range(BLOCKS):
        normal = layers.LayerNormalization()(x)
        attention = layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
        x = x + attention(normal, normal, use_causal_mask=True)
        hidden = layers.Dense(4 * WIDTH, "gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(WIDTH)(hidden)
    output = layers.Dense(symbols, name="output")
    return keras.Model(inputs, output(layers.LayerNormalization()(x)))
