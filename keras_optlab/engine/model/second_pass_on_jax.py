"""Second passes on JAX, where a step takes and returns values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.gradients import dense
from keras_optlab.engine.backend.keras_adapter import inner_optimizer, loss_scale
from keras_optlab.engine.backend.modules import jax_module
from keras_optlab.engine.backend.repeatable import (
    random_numbers,
    replayed_random_numbers,
)
from keras_optlab.engine.model.second_pass import (
    Batch,
    StopAtApply,
    no_apply_error,
    no_loss_error,
    patched,
    second_apply_error,
    second_pass,
    trainable_rows,
    unsupported_step_error,
)

Tensors = list[Any]


def run(model: Any, train_step: Callable[..., Any], state: Any, data: Any) -> Any:
    """Run a train step with second passes for the model's optimizer."""
    return _Step(model, train_step, state, data).run()


class _Step:
    """One run of a train step, with second passes within its `stateless_apply`.

    Args:
        model: The model that is trained.
        train_step: Its step, of state and batch.
        state: The state that the step receives; its first part is the weights.
        data: The batch.
    """

    def __init__(
        self, model: Any, train_step: Callable[..., Any], state: Any, data: Any
    ) -> None:
        self.model, self.outer = model, model.optimizer
        self.optimizer = inner_optimizer(self.outer)
        self._train_step, self._state, self._data = train_step, state, data
        self._numbers = random_numbers()
        self._apply = self.outer.stateless_apply
        self._scale_loss = self.outer.scale_loss
        self._seen_loss: Tensor | None = None
        self._applied = False

    def run(self) -> Any:
        """Return what the train step returns."""
        with patched(
            self.outer, stateless_apply=self.apply, scale_loss=self.scale_loss
        ):
            ended = self._train_step(self._state, self._data)
        if not self._applied:
            raise no_apply_error(self.model)
        return ended

    def scale_loss(self, loss: Tensor) -> Tensor:
        """Keep the loss of the first pass; return it scaled.

        The step is differentiated here, and the loss of no use outside. The backward
        pass gets its value from the forward pass, and runs outside.
        """
        if self._applied:
            return self._scale_loss(loss)

        def keep(seen: Tensor, slope: Tensor) -> tuple[Tensor]:
            self._seen_loss = seen
            return (slope,)

        same = jax_module().custom_vjp(lambda x: x)
        same.defvjp(lambda x: (x, x), keep)
        return self._scale_loss(same(loss))

    def apply(self, variables: Any, gradients: Any, weights: Any) -> Any:
        """Run the second passes, and apply the resulting gradients."""
        if self._applied:
            raise second_apply_error(self.model)
        self._applied = True
        gradients, own = list(gradients), self.optimizer.weights_of(weights)
        places = self._places(weights)
        parameters = self.optimizer.parameters_of(own)
        self._rows = trainable_rows(gradients, parameters)
        self._at = [places[i] for i in self._rows]
        self._variables = [own[i] for i in self._rows]
        held = [*own, *self.outer.variables]
        held = list(zip(held, [*weights, *variables], strict=True))
        with keras.StatelessScope(state_mapping=held) as scope:
            batch = Batch(
                self._gradients_at,
                self._hessian_times,
                self._loss,
                lambda: loss_scale(self.outer, "float32"),
            )
            given = dense([gradients[i] for i in self._rows], self._variables)
            live = [parameters[i] for i in self._rows]
            given = second_pass(self.optimizer, batch, live, given)
        values = [scope.get_current_value(v) for v in self.outer.variables]
        for i, g in zip(self._rows, given, strict=True):
            gradients[i] = g
        with self.optimizer.second_pass_done():
            return self._apply(values, gradients, weights)

    def _loss(self) -> Tensor:
        if self._seen_loss is None:
            raise no_loss_error(self.model)
        return self._seen_loss

    def _places(self, weights: Any) -> list[int]:
        """Return the positions of the weights to update in the state of the step."""
        known = {id(w): i for i, w in enumerate(self._state[0])}
        if all(id(w) in known for w in weights):
            return [known[id(w)] for w in weights]
        raise unsupported_step_error(
            self.model, "calls it with other weights than it received"
        )

    def _gradients_at(self, xs: Tensors) -> Tensors:
        """Run the step at other weights; return the gradients at `stateless_apply`."""
        weights, *rest = self._state
        weights = list(weights)
        for i, x in zip(self._at, xs, strict=True):
            weights[i] = ops.cast(x, weights[i].dtype)

        def hand_out(_: Any, gradients: Any, __: Any) -> None:
            raise StopAtApply([gradients[i] for i in self._rows])

        try:
            with (
                patched(self.outer, stateless_apply=hand_out),
                replayed_random_numbers(self._numbers),
            ):
                self._train_step((weights, *rest), self._data)
        except StopAtApply as found:
            return dense(found.gradients, self._variables)
        raise no_apply_error(self.model)

    def _hessian_times(self, zs: Tensors) -> Tensors:
        here = [self._state[0][i] for i in self._at]
        gs, pull_back = jax_module().vjp(self._gradients_at, here)
        zs = [ops.cast(z, g.dtype) for z, g in zip(zs, gs, strict=True)]
        (products,) = pull_back(zs)
        return [p / loss_scale(self.outer, p.dtype) for p in products]
