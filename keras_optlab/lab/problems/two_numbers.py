"""Functions of two numbers: valleys, local minima and a saddle, to draw paths on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keras_optlab.lab.problems.problem import Data, Problem, Target
from keras_optlab.lab.problems.surface import Surface

UPDATES_PER_EPOCH = 200


def rosenbrock() -> Problem:
    """Return a narrow, bent valley: (1 - x)^2 + 100 (y - x^2)^2.

    Source: Rosenbrock, 1960, "An automatic method for finding the greatest or least
    value of a function".
    """

    def function(x: Any, y: Any, xp: Any = np) -> Any:
        return xp.square(1 - x) + 100 * xp.square(y - xp.square(x))

    surface = Surface(function, (-1.2, 1.0), (1.0, 1.0), ((-2.0, 2.0), (-1.0, 3.0)))
    return _problem(surface, target=1e-2, summary="Rosenbrock's narrow, bent valley")


def beale() -> Problem:
    """Return a plain with steep corners: a sum of three squares of polynomials.

    (1.5 - x + xy)^2 + (2.25 - x + xy^2)^2 + (2.625 - x + xy^3)^2

    Source: Beale, 1958, "On an iterative method for finding a local minimum of a
    function of more than one variable".
    """

    def function(x: Any, y: Any, xp: Any = np) -> Any:
        return sum(
            xp.square(constant - x + x * y**power)
            for power, constant in enumerate((1.5, 2.25, 2.625), 1)
        )

    surface = Surface(function, (1.0, 1.0), (3.0, 0.5), ((-4.5, 4.5), (-4.5, 4.5)))
    return _problem(surface, target=1e-3, summary="Beale's flat plain between cliffs")


def rastrigin() -> Problem:
    """Return a bowl full of local minima: 20 + sum of x_i^2 - 10 cos(2 pi x_i).

    Most settings end in the local minimum nearest to the start, of 12.9. SGD with
    momentum 0.9 and a constant rate of 5e-3 reaches one of 1.0, beside the lowest.

    Source: Rastrigin, 1974, "Systems of extremal control".
    """

    def function(x: Any, y: Any, xp: Any = np) -> Any:
        return 20 + sum(
            xp.square(axis) - 10 * xp.cos(2 * math.pi * axis) for axis in (x, y)
        )

    surface = Surface(function, (-2.4, 3.4), (0.0, 0.0), ((-5.12, 5.12),) * 2)
    return _problem(surface, target=2.0, summary="Rastrigin's bowl of local minima")


def saddle() -> Problem:
    """Return a saddle at (0, 0) between two minima: x^2 + (y^2 - 1)^2 / 4.

    The start is close to the line from which plain gradient descent runs into the
    saddle.
    """

    def function(x: Any, y: Any, xp: Any = np) -> Any:
        return xp.square(x) + xp.square(xp.square(y) - 1) / 4

    surface = Surface(function, (1.5, 1e-3), (0.0, 1.0), ((-2.0, 2.0), (-1.75, 1.75)))
    return _problem(surface, target=1e-3, summary="a saddle between two minima")


def _problem(surface: Surface, target: float, summary: str) -> Problem:
    nothing = np.zeros((UPDATES_PER_EPOCH, 1), "float32")  # the loss needs no data
    return Problem(
        model=surface.model,
        data=Data((nothing, nothing), (nothing[:1], nothing[:1])),
        loss=surface.loss,
        target=Target("loss", target),
        batch_size=1,
        epochs=5,
        evaluate_every=5,
        summary=f"a function of two numbers, {summary}",
        surface=surface,
    )
