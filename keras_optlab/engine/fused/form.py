"""`Form`: what the ways to update a big weight have in common."""

from __future__ import annotations

from typing import Any

from keras_optlab.engine.parameter import Parameter

Tensor = Any

WORTH_IT = 2**16  # entries of a weight; below, to start compiled code costs more


class Form:
    """The plain form, which pays nowhere; a backend that knows better overrides it.

    Args:
        update: The `Update` whose weights these are.
    """

    def __init__(self, update: Any) -> None:
        self.update = update

    def pays(self, p: Parameter) -> bool:
        """Return whether to update a weight by `advance`."""
        del p
        return False

    def advance(self, p: Parameter, g: Tensor) -> None:
        """Take a weight and its slots to their new values."""
        raise NotImplementedError


def all_float32(p: Parameter) -> bool:
    """Return whether a weight and its slots have the type that kernels know best."""
    return all(v.dtype == "float32" for v in (p.variable, *p.slots.values()))
