"""Warnings about the weights that an optimizer is built for."""

from __future__ import annotations

import re
import warnings

from keras_optlab.core.errors import shown
from keras_optlab.engine.contract import BuiltOptimizer


def warn_of_large_weights(name: str, weights: list[str]) -> None:
    """Warn of weights that exceed a rule's `max_size` and get a simpler update."""
    warnings.warn(
        f"{name} uses a simpler update for weights that exceed `max_size`: "
        f"{', '.join(weights)}. See its documentation. Raise `max_size` if you have "
        "the memory and time.",
        stacklevel=5,
    )


def warn_of_no_exclusion(optimizer: BuiltOptimizer) -> None:
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
            stacklevel=3,
        )
