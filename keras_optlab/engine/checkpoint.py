"""Saving and loading of optimizer state, by slot and weight path, not by position.

Counters, the learning rate and hyperparameters exist from construction and are restored
at once. State that belongs to weights is restored in `build`. If the optimizer is saved
before `build`, this state is written again unchanged.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_optlab.engine.backend.variables import to_numpy
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.model import evaluation_weights
from keras_optlab.engine.saving import entries
from keras_optlab.engine.saving.entries import STATISTICS
from keras_optlab.engine.saving.matching import is_strict
from keras_optlab.engine.saving.restoring import (
    FORM,
    Saved,
    read_scalars,
    restore,
    section_counts,
)
from keras_optlab.engine.update import sections
from keras_optlab.engine.weights.quantized import SCALES, from_arrays, to_arrays

# Starts of the keys of state that waits for `build`.
WAITING = "slot|", "kept|", "shared|", "accumulated", STATISTICS, SCALES


def save(optimizer: BuiltOptimizer, store: Any) -> None:
    """Write every variable of the optimizer into a store of arrays."""
    found = {k: to_numpy(v) for k, v in entries.scalars(optimizer).items()}
    waiting, form = optimizer.pending_state, optimizer.at_evaluation_weights
    if optimizer.built:
        kept = [*entries.shared(optimizer), *entries.slots(optimizer)]
        for e in kept:
            found |= to_arrays(e.variable, e.full_key)
    elif waiting is not None:
        form = waiting.at_evaluation
        if waiting.positional:
            names = [k for k in ("iteration", "learning_rate") if k in found]
            found = waiting.arrays | {str(i): found[k] for i, k in enumerate(names)}
        else:
            found |= {k: x for k, x in waiting.arrays.items() if k.startswith(WAITING)}
    if optimizer.has_evaluation_weights and "iteration" in found:
        found[FORM] = np.asarray(form, "int8")
    for key, value in found.items():
        store[key] = value


def load(optimizer: BuiltOptimizer, store: Any) -> None:
    """Restore the state; state that belongs to weights waits for `build`.

    Raises:
        ValueError: within `strict_loading`, if the state does not fit.
    """
    arrays = {key: np.asarray(store[key]) for key in store.keys()}  # noqa: SIM118
    if not arrays:  # saved without an optimizer
        if optimizer.built and not int(to_numpy(optimizer.micro_steps)):
            entries.reset_weight_copies(optimizer)
        return
    # For files without this flag: compiled models save evaluation weights, loops do not
    form = optimizer.at_evaluation_weights or bool(optimizer.models)
    saved = Saved(from_arrays(arrays), is_strict(), form)
    if optimizer.built:
        _restore(optimizer, saved)
    else:
        read_scalars(optimizer, saved)
    optimizer.pending_state = None if optimizer.built else saved
    optimizer.training_span.note_loaded(arrays.get("training_span"))
    optimizer.times_loaded += 1
    if optimizer.has_evaluation_weights:
        optimizer.at_evaluation_weights = saved.at_evaluation


def load_pending(optimizer: BuiltOptimizer) -> None:
    """Restore state that was loaded before the optimizer was built."""
    saved, form = optimizer.pending_state, optimizer.at_evaluation_weights
    if saved is None:
        return
    _restore(optimizer, saved)
    optimizer.pending_state = None
    if optimizer.has_evaluation_weights:
        optimizer.at_evaluation_weights = saved.at_evaluation
        evaluation_weights.move_to(optimizer, form)


def _restore(optimizer: BuiltOptimizer, saved: Saved) -> None:
    """Restore the state of a built optimizer, with its sections."""
    counts = section_counts(optimizer, saved)
    if counts:
        sections.adopt(optimizer, counts)
    restore(optimizer, saved)
    sections.follow(optimizer, counts)
