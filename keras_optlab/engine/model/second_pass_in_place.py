"""Second passes on TensorFlow and torch, where variables are written and restored."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.commit import commit, not_inlined
from keras_optlab.engine.backend.gradients import dense
from keras_optlab.engine.backend.keras_adapter import inner_optimizer, loss_scale
from keras_optlab.engine.backend.modules import copied, default_graph, torch_module
from keras_optlab.engine.backend.repeatable import (
    random_numbers,
    replayed_random_numbers,
    twice_differentiable,
)
from keras_optlab.engine.backend.replicas import distributed
from keras_optlab.engine.backend.torch_processes import (
    equal_in_processes,
    mean_over_processes,
    process_count,
)
from keras_optlab.engine.backend.variables import Pairs, raw, read
from keras_optlab.engine.model.rewind import record
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

_shares_gradients: weakref.WeakSet[Any] = weakref.WeakSet()  # models, once checked


def run(model: Any, train_step: Callable[..., Any], data: Any) -> Any:
    """Run a train step with second passes for the model's optimizer."""
    rule = type(inner_optimizer(model.optimizer)).__name__
    if distributed():
        raise ValueError(
            f"{rule} looks at each batch more than once, which is "
            "not possible under a `tf.distribute` strategy. Received: training "
            "under a strategy. Train on one device, on JAX with "
            "`keras.distribution`, or on torch with `DistributedDataParallel`."
        )
    layout = keras.distribution.distribution()
    if isinstance(layout, keras.distribution.ModelParallel):
        raise ValueError(
            f"{rule} looks at each batch more than once, which on "
            f"{keras.backend.backend()} is not possible with weights that several "
            "processes share. Expected: `DataParallel` or no distribution. Received: "
            f"{type(layout).__name__}. Train with `DataParallel`, or on JAX."
        )
    return _Step(model, train_step, data).run()


def hand_out(gradients: Any, weights: Any = None) -> None:  # noqa: ARG001
    """End a second pass with these gradients; it runs in place of `apply`."""
    raise StopAtApply(list(gradients))


class _Step:
    """One run of a train step, with second passes within its call of `apply`.

    Args:
        model: The model that is trained.
        train_step: Its step, of the batch alone.
        data: The batch.
    """

    def __init__(self, model: Any, train_step: Callable[..., Any], data: Any) -> None:
        self.model, self.outer = model, model.optimizer
        self.optimizer = inner_optimizer(self.outer)
        self._run = partial(train_step, data)
        self._graph, self._numbers = default_graph(), random_numbers()
        self._recording = record([model, train_step], [self.outer, self.optimizer])
        self._apply, self._scale_loss = self.outer.apply, self.outer.scale_loss
        self._seen_loss: Tensor | None = None
        self._applied = False

    def run(self) -> Any:
        """Return what the train step returns."""
        try:
            with patched(self.outer, apply=self.apply, scale_loss=self.scale_loss):
                logs = self._run()
        finally:
            self._recording.stop()
        if not self._applied and self.model.trainable_variables:
            raise no_apply_error(self.model)
        return logs

    def scale_loss(self, loss: Tensor) -> Tensor:
        """Keep the loss of the first pass; return it scaled."""
        if not self._applied:
            self._seen_loss = ops.stop_gradient(loss)
        return self._scale_loss(loss)

    def apply(self, gradients: Any, weights: Any = None) -> None:
        """Run the second passes, and apply the resulting gradients."""
        if self._applied:
            raise second_apply_error(self.model)
        if default_graph() is not self._graph:
            where = "calls it within a `tf.cond`, a `tf.while_loop` or a `tf.function`"
            raise unsupported_step_error(self.model, where)
        self._applied = True
        self._recording.stop()
        if not self.outer.built:
            self.outer.build(list(weights or self.model.trainable_variables))
        weights = list(weights or self.optimizer.weights)
        gradients = list(gradients)
        parameters = self.optimizer.parameters_of(weights)
        self._rows = trainable_rows(gradients, parameters)
        self._variables = [weights[i] for i in self._rows]
        with _no_grad():
            if self._rows:
                given = dense([gradients[i] for i in self._rows], self._variables)
                given = self._shared(given)
                live = [parameters[i] for i in self._rows]
                batch = Batch(
                    self._gradients_at,
                    self._hessian_times,
                    self._loss,
                    lambda: loss_scale(self.outer, "float32"),
                )
                given = second_pass(self.optimizer, batch, live, given)
                for i, g in zip(self._rows, given, strict=True):
                    gradients[i] = g
            with self.optimizer.second_pass_done():
                self._apply(gradients, weights)

    @contextlib.contextmanager
    def _again(self) -> Iterator[None]:
        """Restore the state at the start of the step; at exit, the state at `apply`."""
        with (
            self._recording.rewound(),
            replayed_random_numbers(self._numbers),
            patched(self.outer, apply=hand_out),
            _fresh_gradients(self.model),
        ):
            yield

    def _loss(self) -> Tensor:
        if self._seen_loss is None:
            raise no_loss_error(self.model)
        return mean_over_processes([self._seen_loss])[0]

    def _shared(self, gradients: Tensors) -> Tensors:
        """Check that all processes of torch have these gradients; return them.

        They are copied: `DistributedDataParallel` may write those of the next pass into
        the same memory.
        """
        if process_count() == 1:
            return gradients
        if self.model not in _shares_gradients:
            if not equal_in_processes(gradients):
                raise _gradients_differ_error(self.model)
            _shares_gradients.add(self.model)
        return [copied(g) for g in gradients]

    def _gradients(self) -> Tensors:
        """Run the step up to `apply`; return the gradients it passes there."""
        try:
            self._run()
        except StopAtApply as found:
            gradients = [found.gradients[i] for i in self._rows]
            return dense(gradients, self._variables)
        raise no_apply_error(self.model)

    def _gradients_at(self, ws: Tensors) -> Tensors:
        here = [ops.copy(read(v)) for v in self._variables]
        with self._again():
            commit(self._pairs(ws))
            try:
                return self._gradients()
            finally:
                commit(self._pairs(here))

    def _pairs(self, values: Tensors) -> Pairs:
        """Return the weights with these values in their types."""
        rows = zip(self._variables, values, strict=True)
        return [(v, ops.cast(x, v.dtype)) for v, x in rows]

    def _hessian_times(self, zs: Tensors) -> Tensors:
        on_torch = keras.backend.backend() == "torch"
        times = self._hessian_times_on_torch if on_torch else self._hessian_times_on_tf

        def again() -> Tensors:
            with self._again():
                return times(zs)

        return not_inlined(again)

    def _hessian_times_on_tf(self, zs: Tensors) -> Tensors:
        import tensorflow as tf

        with tf.GradientTape() as tape, twice_differentiable():
            gs = self._gradients()
        zs = [ops.cast(z, g.dtype) for z, g in zip(zs, gs, strict=True)]
        try:
            products = tape.gradient(
                gs,
                [raw(v) for v in self._variables],
                zs,
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
        except LookupError as error:
            raise _no_second_derivative(self.model, error) from error
        products = dense(products, self._variables)
        return [p / loss_scale(self.outer, p.dtype) for p in products]

    def _hessian_times_on_torch(self, zs: Tensors) -> Tensors:
        torch = torch_module()
        ws = [raw(v) for v in self._variables]

        products: Tensors = []

        def differentiate(loss: Tensor) -> None:
            grad = partial(torch.autograd.grad, materialize_grads=True)
            gs = grad(loss, ws, create_graph=True)
            pairs = zip(zs, gs, strict=True)
            products.extend(grad(gs, ws, [z.to(g.dtype) for z, g in pairs]))
            raise StopAtApply([])

        with (
            contextlib.suppress(StopAtApply),
            patched(self.outer, scale_loss=differentiate),
            twice_differentiable(),
        ):
            self._run()
        if not products:
            raise no_apply_error(self.model)
        return mean_over_processes(products)  # not by `backward`


def _gradients_differ_error(model: Any) -> RuntimeError:
    return RuntimeError(
        f"{type(inner_optimizer(model.optimizer)).__name__} looks at each batch more "
        f"than once. Expected: at `apply`, the same gradients in all {process_count()} "
        "processes of torch's process group. Received: others in each. Call the model "
        "through `DistributedDataParallel` in `train_step`, or average the gradients "
        "before `apply`; to train a model in each process, leave the group first "
        "(`torch.distributed.destroy_process_group()`)."
    )


def _no_second_derivative(model: Any, error: Exception) -> RuntimeError:
    return RuntimeError(
        f"A layer of {model.name!r} has no second derivative in TensorFlow, which "
        f"{type(inner_optimizer(model.optimizer)).__name__} needs: {error} Use an "
        "optimizer without a Hessian, or another backend."
    )


def _no_grad() -> contextlib.AbstractContextManager[Any]:
    on_torch = keras.backend.backend() == "torch"
    return torch_module().no_grad() if on_torch else contextlib.nullcontext()


@contextlib.contextmanager
def _fresh_gradients(model: Any) -> Iterator[None]:
    """Have torch compute gradients into new `.grad` tensors; restore the old ones."""
    if keras.backend.backend() != "torch":
        yield
        return
    tensors = [raw(v) for v in model.trainable_variables]
    filled = [x.grad for x in tensors]
    for x in tensors:
        x.grad = None
    try:
        with torch_module().enable_grad():
            yield
    finally:
        for x, g in zip(tensors, filled, strict=True):
            x.grad = g
