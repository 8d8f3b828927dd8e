"""`Form`: what the ways to update a weight at once have in common."""

from __future__ import annotations

from typing import Any

from keras_optlab.core.types import Tensor
from keras_optlab.engine.weights.parameter import Parameter

WORTH_IT = 2**14  # entries of a weight; below, to start compiled code costs more
FEW = 8  # weights of a rule with a kernel for one; to join them would take longer


class Form:
    """One that leaves all to the plain form; a backend that knows better overrides it.

    Args:
        update: The `Update` whose weights these are.
    """

    def __init__(self, update: Any) -> None:
        self.update = update

    def advance(self, p: Parameter, g: Tensor) -> bool:  # noqa: ARG002
        """Take a weight and its slots to their new values, by `finish` at the latest.

        Returns:
            Whether that was done; where it does not pay, nothing is.
        """
        return False

    def finish(self) -> None:
        """Do what was put off to be done for many weights together."""
