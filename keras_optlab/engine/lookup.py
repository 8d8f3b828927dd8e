"""Finding an optimizer of ours in what a model was compiled with."""

from __future__ import annotations

from typing import Any

from keras_optlab.engine.backend.keras_adapter import inner_optimizer
from keras_optlab.engine.optimizer import Optimizer


def find_optimizer(optimizer: Any) -> Optimizer | None:
    """Return our optimizer, also from inside a `LossScaleOptimizer`, or `None`."""
    optimizer = inner_optimizer(optimizer)
    return optimizer if isinstance(optimizer, Optimizer) else None


def optimizer_of(model_or_optimizer: Any, who: str) -> Optimizer:
    """Return our optimizer of a compiled model, or raise what `who` needs.

    Raises:
        TypeError: if the optimizer is not one of keras_optlab.
    """
    optimizer = getattr(model_or_optimizer, "optimizer", model_or_optimizer)
    engine = find_optimizer(optimizer)
    if engine is None:
        name = type(optimizer).__name__
        raise TypeError(
            f"{who} needs an optimizer of keras_optlab. Received: {optimizer!r}. "
            f"Compile the model with one, such as keras_optlab.optimizers.{name}, "
            "if it exists there; see keras_optlab.optimizers.names()."
        )
    return engine
