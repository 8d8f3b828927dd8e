"""Warnings about the weights that an optimizer is built for."""

from __future__ import annotations

import warnings

from keras_optlab.core.errors import shown
from keras_optlab.engine.contract import BuiltOptimizer


def warn_of_large_weights(optimizer: BuiltOptimizer) -> None:
    """Warn of weights that exceed a rule's `max_size` and get a simpler update."""
    found = [
        f"{p.path!r} {tuple(p.variable.shape)}"
        for p in optimizer.plan.trainable
        if optimizer.is_too_large(tuple(p.variable.shape), optimizer.values_of(p.group))
    ]
    if found:
        warnings.warn(
            f"{type(optimizer).__name__} uses a simpler update for weights that exceed "
            f"`max_size`: {', '.join(found)}. See its documentation. Raise `max_size` "
            "if you have the memory and time.",
            stacklevel=3,
        )


def warn_of_no_exclusion(optimizer: BuiltOptimizer) -> None:
    """Warn if `exclude_from_weight_decay` has left nothing out."""
    if optimizer.exclude and all(
        optimizer.decays(p.variable) for p in optimizer.plan.parameters
    ):
        names = sorted({p.variable.name for p in optimizer.plan.parameters})
        given = [f"{k}={shown(v)}" for k, v in optimizer.exclude.keywords.items()]
        warnings.warn(
            "exclude_from_weight_decay found no weight. Received: "
            f"{', '.join(given)}. The weights are named: {', '.join(names)}.",
            stacklevel=3,
        )
