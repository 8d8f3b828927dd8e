"""Recipes: an optimizer and callbacks in one object, measured by the lab."""

from keras_optlab.core.renamed import show_public_names
from keras_optlab.recipes.fine_tuning import fine_tuning
from keras_optlab.recipes.image_classification import image_classification
from keras_optlab.recipes.low_memory import low_memory
from keras_optlab.recipes.no_tuning import no_tuning, open_end
from keras_optlab.recipes.recipe import Recipe
from keras_optlab.recipes.tabular import tabular
from keras_optlab.recipes.text import text

__all__ = [
    "Recipe",
    "fine_tuning",
    "image_classification",
    "low_memory",
    "no_tuning",
    "open_end",
    "tabular",
    "text",
]

show_public_names(globals())
