"""Word vectors from *Paradise Lost*, with sparse gradients."""

from __future__ import annotations

import functools
import re
from collections import Counter

import keras
import numpy as np
from keras import layers

from keras_optlab.datasets import paradise_lost
from keras_optlab.lab.problems.problem import Data, Problem, Target

RAREST = 3  # times that a word must occur
REACH = 2  # words to each side that count as neighbours
CANDIDATES = 8  # words to choose from: a neighbour and 7 others
WIDTH = 32
SEED = 0


@functools.cache
def neighbours() -> tuple[Data, int]:
    """Return words with candidates for a neighbour, and the number of words.

    A row of x is a word and `CANDIDATES` others, one of them a neighbour in the text;
    the rest are drawn by their frequency to the power 0.75. y is the neighbour's place.
    The first 80 % of the text are for training, the next 10 % for validation, the rest
    for the test.
    """
    words = re.findall(r"[a-z]+(?:'[a-z]+)*", paradise_lost().lower())
    counts = {w: n for w, n in Counter(words).most_common() if n >= RAREST}
    numbers = {word: number for number, word in enumerate(counts)}
    coded = np.array([numbers[word] for word in words if word in numbers], "int32")
    chances = np.array(list(counts.values())) ** 0.75
    random = np.random.RandomState(SEED)

    def rows(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pairs = [(part[:-d], part[d:]) for d in range(1, REACH + 1)]
        pairs += [(after, before) for before, after in pairs]
        word, neighbour = (np.concatenate(side) for side in zip(*pairs, strict=True))
        shape = (len(word), CANDIDATES)
        drawn = random.choice(len(counts), shape, p=chances / chances.sum())
        place = random.randint(CANDIDATES, size=len(word))
        drawn[np.arange(len(word)), place] = neighbour
        x = np.concatenate([word[:, None], drawn], axis=1)
        return x.astype("int32"), place.astype("int32")

    parts = np.split(coded, [len(coded) * 8 // 10, len(coded) * 9 // 10])
    return Data(*map(rows, parts)), len(counts)


def embedding() -> Problem:
    """Return two tables of word vectors: which of eight words is a neighbour?

    A batch touches a part of the rows of both tables; on TensorFlow the gradients are
    sparse.

    Source: Mikolov et al., 2013, arXiv:1310.4546 (skip-gram, negative sampling); here
    with a softmax over the neighbour and the drawn words.
    """
    return Problem(
        model=model,
        data=lambda: neighbours()[0],
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        target=Target("loss", 1.7),
        batch_size=256,
        epochs=2,
        evaluate_every=50,
        summary="words of Paradise Lost, two tables of word vectors of width 32",
    )


def model() -> keras.Model:
    """Return the model; `(batch, 1 + CANDIDATES)` to `(batch, CANDIDATES)`."""
    words = neighbours()[1]
    inputs = keras.Input((1 + CANDIDATES,), dtype="int32")
    word = layers.Embedding(words, WIDTH, name="words")(inputs[:, :1])
    candidates = layers.Embedding(words, WIDTH, name="neighbours")(inputs[:, 1:])
    return keras.Model(inputs, layers.Flatten()(layers.Dot(axes=2)([word, candidates])))
