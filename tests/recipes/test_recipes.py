"""Recipes: what they compile, on models as people have them."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from keras_optlab import recipes

ROOT = Path(__file__).parents[2]


def images_and_model():
    x = np.random.RandomState(0).normal(size=(70, 8, 8, 1)).astype("float32")
    convolution = layers.Conv2D(4, 3, activation="relu")
    return x, keras.Sequential([convolution, layers.Flatten(), layers.Dense(1)])


def rows_and_model():
    x = np.random.RandomState(0).normal(size=(70, 4)).astype("float32")
    hidden = layers.Dense(8, "relu"), layers.BatchNormalization()
    return x, keras.Sequential([keras.Input((4,)), *hidden, layers.Dense(1)])


def text_and_model():
    x = np.random.RandomState(0).randint(5, size=(70, 6))
    embedded = layers.Embedding(5, 8)(inputs := keras.Input((6,), dtype="int32"))
    attended = embedded + layers.MultiHeadAttention(2, 4)(embedded, embedded)
    pooled = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(attended))
    return x, keras.Model(inputs, layers.Dense(1)(pooled))


CASES = {
    "image_classification": (recipes.image_classification, images_and_model),
    "tabular": (lambda _: recipes.tabular(), rows_and_model),
    "text": (recipes.text, text_and_model),
    "fine_tuning": (recipes.fine_tuning, rows_and_model),
    "no_tuning": (lambda _: recipes.no_tuning(), rows_and_model),
    "open_end": (lambda _: recipes.open_end(patience=3), rows_and_model),
    "low_memory": (lambda _: recipes.low_memory(), rows_and_model),
}


@pytest.mark.sampled
@pytest.mark.parametrize("name", CASES)
def test_a_recipe_trains(name):
    """The last batch is smaller, and the image model has no `Input`."""
    recipe, data_and_model = CASES[name]
    keras.utils.set_random_seed(0)
    x, model = data_and_model()
    y = x.reshape(70, -1).mean(axis=1, keepdims=True)
    made = recipe(model)
    model.compile(**made.compile, loss="mse")
    data = {"validation_data": (x, y), "callbacks": made.callbacks}
    losses = model.fit(x, y, epochs=25, verbose=0, **data).history["val_loss"]
    assert min(losses) < losses[0]
    program = re.match(r"optlab \w+|python benchmarks/(\w+\.py)", made.study)
    assert program[1] is None or (ROOT / "benchmarks" / program[1]).exists()
    assert made.why.endswith(".")


def test_the_rates_of_fine_tuning_fall_from_the_last_block_to_the_first():
    _, model = rows_and_model()
    first, normal, last = model.layers
    lower, upper = recipes.fine_tuning(model, factor=0.5).optimizer.groups
    assert (lower.learning_rate, upper.learning_rate) == (0.5, 1.0)
    assert all(map(lower.matches, [*first.weights, normal.gamma, normal.beta]))
    assert all(map(upper.matches, last.weights))


@pytest.mark.parametrize("peak", [0, -1.0, float("nan")])
def test_the_peak_is_above_0(peak):
    with pytest.raises(ValueError, match=r"`peak`.* > 0. Received: peak="):
        recipes.tabular(peak=peak)


@pytest.mark.slow
def test_low_memory_has_a_momentum_of_two_bytes_for_each_weight():
    x, model = rows_and_model()
    recipe = recipes.low_memory()
    model.compile(**recipe.compile, loss="mse")
    model.fit(x, x[:, :1], verbose=0)
    slots = [v for v in recipe.optimizer.variables if v.dtype == "bfloat16"]
    each = [p.slots for p in recipe.optimizer.plan.parameters]
    counts = [len(slots) for slots in each]  # of a matrix, and of AdamW's moments
    assert set(counts) == {1, 2}
    weights = [np.prod(v.shape) for v in model.trainable_variables]
    assert sum(np.prod(v.shape) for v in slots) == np.dot(counts, weights)


@pytest.mark.parametrize("recipe", [recipes.image_classification, recipes.text])
def test_the_last_layer_is_needed(recipe):
    with pytest.raises(TypeError, match="expected a Keras model. Received: model='a'"):
        recipe("a")
    flat = keras.Sequential([keras.Input((4,)), layers.Flatten()])
    with pytest.raises(ValueError, match="a Dense layer at its end"):
        recipe(flat)


def test_fine_tuning_needs_a_built_model():
    with pytest.raises(ValueError, match="needs a built model"):
        recipes.fine_tuning(keras.Sequential([layers.Dense(1)]))
