"""Access to the optimizer of a compiled model, if it is one of this package."""

from __future__ import annotations

from typing import Any

from keras_optlab.engine.backend.keras_adapter import inner_optimizer
from keras_optlab.engine.optimizer import Optimizer


def find_optimizer(optimizer: Any) -> Optimizer | None:
    """Return this package's optimizer, also in a `LossScaleOptimizer`, or `None`."""
    optimizer = inner_optimizer(optimizer)
    return optimizer if isinstance(optimizer, Optimizer) else None


def optimizer_of(model_or_optimizer: Any, who: str) -> Optimizer:
    """Return this package's optimizer of a model; if it has none, raise for `who`.

    Raises:
        TypeError: if the optimizer is not one of keras_optlab.
    """
    optimizer = getattr(model_or_optimizer, "optimizer", model_or_optimizer)
    engine = find_optimizer(optimizer)
    if engine is None:
        name = type(optimizer).__name__
        raise TypeError(
            f"{who} needs an optimizer of keras_optlab. Received: {optimizer!r}. "
            f"Compile the model with one, such as keras_optlab.optimizers.{name} if it "
            "exists. keras_optlab.optimizers.names() lists all."
        )
    return engine
