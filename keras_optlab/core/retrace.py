"""Making a Keras model trace its compiled steps again."""

from __future__ import annotations

import keras


def retrace(model: keras.Model, *steps: str) -> None:
    """Have a model trace steps again when it next runs them, also in a running `fit`.

    Args:
        model: The model.
        *steps: Of `"train"`, `"test"` and `"predict"`. A step that the model has not
            made yet needs nothing.
    """
    for step in steps:
        if getattr(model, f"{step}_function", None) is not None:
            getattr(model, f"make_{step}_function")(force=True)
