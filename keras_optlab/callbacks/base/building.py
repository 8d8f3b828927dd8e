"""Building a model at the start of `fit`, for callbacks that need its weights."""

from __future__ import annotations

from typing import Any

from keras_optlab.engine import fit_arguments
from keras_optlab.engine.backend.datasets import batches_again, comes_once
from keras_optlab.engine.backend.trainer_adapter import symbolic_build


def build_for_fit(model: Any) -> None:
    """Build a model for the data of the running `fit`, which does so later.

    It stays as it is where the data give each batch only once.
    """
    told = fit_arguments()
    x = told.get("x")
    if model.built or x is None or comes_once(x):
        return
    names = "x", "y", "sample_weight", "batch_size"
    data = {name: told[name] for name in names if told.get(name) is not None}
    symbolic_build(model, next(batches_again(**data, shuffle=False)()))
