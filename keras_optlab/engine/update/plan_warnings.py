"""Warnings about the weights that an optimizer is built for."""

from __future__ import annotations

import re
import warnings

from keras_optlab.core.errors import shown
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.weights.master import MASTER


def warn_of_weights(optimizer: BuiltOptimizer) -> None:
    """Warn of weights that get another update than the arguments say."""
    _warn_of_no_exclusion(optimizer)
    _warn_of_no_master_weights(optimizer)


def warn_of_large_weights(name: str, weights: list[str]) -> None:
    """Warn of weights that exceed a rule's `max_size` and get a simpler update."""
    warnings.warn(
        f"{name} uses a simpler update for weights that exceed `max_size`: "
        f"{', '.join(weights)}. See its documentation. Raise `max_size` if you have "
        "the memory and time.",
        stacklevel=5,
    )


def _warn_of_no_exclusion(optimizer: BuiltOptimizer) -> None:
    """Warn of what `exclude_from_weight_decay` got and found no weight for."""
    if not optimizer.exclude:
        return
    given, parameters = optimizer.exclude.keywords, optimizer.plan.parameters
    names = sorted({p.variable.name for p in parameters})
    patterns = given["var_names"] or ()
    lost = [x for x in patterns if not any(re.search(x, name) for name in names)]
    if lost or all(optimizer.decays(p.variable) for p in parameters):
        what = f"var_names={shown(lost)}" if lost else f"var_list={shown(given)}"
        warnings.warn(
            f"exclude_from_weight_decay found no weight. Received: {what}. The weights "
            f"are named: {', '.join(names)}. To choose by layer, write "
            "groups=[Group('*norm*', weight_decay=0.0)].",
            stacklevel=4,
        )


def _warn_of_no_master_weights(optimizer: BuiltOptimizer) -> None:
    """Warn of `master_weights=True` if no weight has a short dtype."""
    parameters = optimizer.plan.trainable
    if optimizer.master_weights and not any(MASTER.name in p.slots for p in parameters):
        dtypes = sorted({p.short_dtype for p in parameters})
        warnings.warn(
            "master_weights=True has no effect: it copies weights in bfloat16 or "
            f"float16 to float32. Received: weights in {', '.join(dtypes) or 'none'}. "
            "Under the policies mixed_bfloat16 and mixed_float16, weights are float32 "
            "already.",
            stacklevel=4,
        )
