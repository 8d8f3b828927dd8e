"""Calls of an optimizer for a part of its weights, where Keras expects all of them.

On JAX, Keras passes the values of the trainable weights, without their variables. If
some weights are frozen for a while, it passes fewer values than `build` saw weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from keras_optlab.core.types import Tensor, Variable


class PartialCalls:
    """The methods of a Keras optimizer that take the values of all weights.

    Only weights that count their own updates may be missing, while they are frozen.
    """

    built: Any
    plan: Any
    variables: Any
    weights: Any
    averages: Any
    use_ema: Any
    apply: Any
    indices_of: Any

    def stateless_apply(
        self, optimizer_variables: Any, grads: Any, trainable_variables: Any
    ) -> Any:
        """Return the weights and the state after a step, on JAX."""
        state, values = optimizer_variables, list(trainable_variables)
        weights = self.weights_of(values)
        if len(weights) == len(self.weights):
            return super().stateless_apply(state, grads, values)  # pyright: ignore[reportAttributeAccessIssue]
        own = list(self.variables)
        held = [*zip(weights, values, strict=True), *zip(own, state, strict=True)]
        with keras.StatelessScope(state_mapping=held) as scope:
            self.apply(list(grads), weights)
        return tuple(
            [scope.get_current_value(v) for v in several] for several in (weights, own)
        )

    def weights_of(self, values: Sequence[Tensor]) -> list[Variable]:
        """Return the weights that these are the values of, in order.

        Raises:
            ValueError: if their number or a shape differs from those of the weights
                that `build` saw, for example after some layers have been unfrozen.
        """
        every = list(self.weights)
        received = _shapes(values)
        if not self.built or _shapes(every) == received:
            return every
        rows = zip(every, self.plan.parameters, strict=True)
        live = [v for v, p in rows if p.section is None or v.trainable]
        if _shapes(live) == received:
            return live
        raise ValueError(
            "Unknown variables: this optimizer can only be called for the weights it "
            "was originally built with. When working with a new set of weights, as "
            "after unfreezing or freezing layers, recreate the optimizer. "
            f"Built with: {len(every)} weights of shapes {_shapes(every)}. "
            f"Received: {len(received)} of shapes {received}."
        )

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Write the moving averages of `use_ema` into these weights."""
        if not self.use_ema or len(var_list) == len(self.weights):
            super().finalize_variable_values(var_list)  # pyright: ignore[reportAttributeAccessIssue]
            return
        for i, variable in zip(self.indices_of(var_list), var_list, strict=True):
            if self.averages[i] is not None:
                variable.assign(self.averages[i])


def _shapes(values: Sequence[Any]) -> list[tuple[int, ...]]:
    return [tuple(x.shape) for x in values]
