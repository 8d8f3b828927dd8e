"""`recommend`: an optimizer for a model, found in minutes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import keras

from keras_optlab.core.arguments import number, optional_function
from keras_optlab.core.errors import shown
from keras_optlab.core.number_checks import as_number
from keras_optlab.engine.backend.trainer_adapter import compile_as
from keras_optlab.lab.problem_files import as_problem
from keras_optlab.lab.problems import Problem
from keras_optlab.lab.race import Progress, Race
from keras_optlab.lab.recommendation import Recommendation
from keras_optlab.lab.trials import parsed

CONTESTANTS = ("adamw", "muon", "lion", "schedulefreeadamw", "prodigy", "sgd")
UNITS = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


def recommend(
    model: Any,
    data: Any,
    *,
    budget: str | float = "5min",
    batch_size: int = 32,
    epochs: float = 10,
    optimizers: Sequence[Any] = CONTESTANTS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Recommendation:
    """Recommend an optimizer and a learning rate for a model.

    1. `find_rate` finds a rate for each optimizer, in a third of the time.
    2. *Race*: each trains a copy of the model with this rate and three times of it, for
       the same time. The better half goes on, from the start, for twice the time, until
       one is left (successive halving).

    The model is not changed. The result is a good setting, found with one seed. Whether
    it is better than the others, `compare` can tell.

    Args:
        model: A compiled Functional or Sequential model; or a function that returns a
            new compiled model, of any kind.
        data: `(x, y)`, of which the lab takes 15 % for validation, or `lab.Data`.
        budget: Time, such as `"90s"`, `"5min"`, `"1h"`, or seconds; > 0.
        batch_size: Rows in a batch, as in the training to come; integer >= 1.
        epochs: Length of the training to come; no trial is longer; > 0.
        optimizers: What to try, as in `compare`.
        seed: Seed; integer >= 0.
        progress: Called after each trial with its record, the seconds that have passed,
            and those of the budget.

    Returns:
        A `Recommendation`. `print` it for code to paste, and the results of the race.

    Raises:
        TypeError: if `model` is neither a compiled model that can be copied nor a
            function.
        ValueError: if `budget` is no time, or no optimizer could be trained.

    Source: Jamieson and Talwalkar, 2015, arXiv:1502.07943, for successive halving.

    Example:
        >>> from keras_optlab import lab
        >>> found = lab.recommend(model, (x, y), budget="5min")  # doctest: +SKIP
        >>> print(found)  # doctest: +SKIP
    """
    seconds = seconds_of(budget)
    seed = number("seed", seed, f"[0, {2**31}]", "seed of the race", integer=True)
    problem = _problem(model, data).with_changes(batch_size=batch_size, epochs=epochs)
    optional_function("progress", progress)
    candidates = parsed(optimizers)
    race = Race(problem, candidates, seconds, seed, progress)
    race.run()
    return Recommendation(problem, race.rounds)


def seconds_of(budget: Any) -> float:
    """Return a time in seconds.

    >>> seconds_of("5min"), seconds_of("1.5h"), seconds_of(30)
    (300.0, 5400.0, 30.0)
    """
    units = "|".join(UNITS)
    text = budget if isinstance(budget, str) else ""
    found = re.fullmatch(rf"\s*([\d.]+)\s*({units})\s*", text)
    try:
        seconds = (
            float(found[1]) * UNITS[found[2]] if found else as_number(budget) or 0.0
        )
    except (TypeError, ValueError, OverflowError):
        seconds = 0.0
    if isinstance(budget, bool) or not 0 < seconds < math.inf:
        raise ValueError(
            "`budget` must be a time such as '90s', '5min' or '1h', or seconds > 0. "
            f"Received: budget={shown(budget)}"
        )
    return seconds


def _problem(model: Any, data: Any) -> Problem:
    if not isinstance(model, keras.Model):
        return as_problem(model, data)
    if not isinstance(model, keras.Sequential) and not hasattr(model, "operations"):
        raise TypeError(
            "a subclassed model cannot be copied. Received: "
            f"model={shown(model)}. Pass a function that returns a new compiled model."
        )
    if not model.compiled:
        raise TypeError(
            "expected a compiled model. Received: a model that is not compiled. Call "
            "`compile` with a loss, and any optimizer."
        )

    def copy() -> keras.Model:
        made = keras.models.clone_model(model)
        if model.built:
            made.set_weights(model.get_weights())
        compile_as(made, model, "sgd")
        return made

    return as_problem(copy, data)
