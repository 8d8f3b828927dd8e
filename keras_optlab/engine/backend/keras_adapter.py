"""Uses of Keras' private API, except of its trainers: see `trainer_adapter.py`.

Checked in Keras 3.12 to 3.16. All trainers reach an optimizer through `apply`, which
builds it, drops missing gradients, unscales, calls `_backend_apply_gradients`, applies
the constraints and counts. This one method is overridden. `update_step`, which Keras'
version of it would call, raises, so that a rename in Keras fails loudly.

Private names used, and why no public name suffices:

- `_backend_apply_gradients`: the method that is overridden.
- `_iterations`: counts micro-batches; the public `iterations` counts windows of them.
- `_get_variable_index`: gradients arrive filtered, and under a TensorFlow strategy with
  other variable objects than those that `build` saw.
- `_check_variables_are_known`: raises Keras' error for weights `build` did not see.
- `_trainable_variables`, `_model_variables_moving_average`, `_accumulated_gradients`:
  state that the base class creates in `build`; `SwapEMAWeights` reads the first two.
- `_save_model`, `_should_save_model`, `_get_file_path` and `_set_monitor_op` of
  `ModelCheckpoint`: no public method encloses a save or changes its path.
- `_swap_variables` and `_finalize_ema_values` of `SwapEMAWeights`: it knows only
  weights, and swaps in several of its public methods.
- `_use_weight_decay`: honours `exclude_from_weight_decay`.
- `_overwrite_variable_with_gradient`: marks float8 weights, which no rule may update.
- `_distribution_strategy`: places a slot beside its weight (TensorFlow).
- `_learning_rate`: tells a number from a schedule.
- `_layout` of a variable: how it is divided over devices, which its slots follow.
- `_layout_map` of a distribution: a layout that is meant for a slot alone.
- `_value` of a variable: `None` while JAX' trainer holds the state. Also read because
  the lookups in `value` take longer than the update of a small weight.
- `_variables`, `_untrack_variable`, `_trainable_variables_indices`: undo a failed
  `build`, and list an outer optimizer's own variables.
- `_flatten_layers` of a model: finds models within wrappers, lists and attributes.
- `_unpickle_model`: Keras' function to unpickle; pickle finds its class by name.
- `_seed_generators` of a model: adds state to its step without adding a weight.
- `in_stateless_scope`: whether variables are read as values of a step.
- `_symbolic_build` of a model, `JAXEpochIterator`, `TorchEpochIterator`: build what
  `fit` builds, without a step.
- `_compile_config` of a model: what `save` writes of the arguments of `compile`.
- `global_seed_generator`: the generator of layers and functions without a seed.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import stateless_scope

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.partial_calls import PartialCalls
from keras_optlab.engine.backend.torch_habits import TorchHabits


def constant(value: float) -> Callable[..., Tensor]:
    """Return a constant initializer, exact in float64, unlike Keras' on TensorFlow."""

    def fill(shape: tuple[int, ...], dtype: str) -> Tensor:
        number = keras.ops.convert_to_tensor(value, dtype)
        return keras.ops.ones(shape, dtype) * number

    return fill


class KerasAdapter(TorchHabits, PartialCalls, keras.optimizers.Optimizer):
    """`keras.optimizers.Optimizer` with one abstract method, `update_weights`."""

    def update_weights(self, gradients: list[Tensor], indices: list[int]) -> None:
        """Update the weights with these indices by their gradients."""
        raise NotImplementedError

    def _backend_apply_gradients(
        self, grads: list[Tensor], trainable_variables: list[Variable]
    ) -> None:
        indices = [self._get_variable_index(v) for v in trainable_variables]
        self.update_weights(list(grads), indices)

    def update_step(
        self,
        gradient: Tensor,  # noqa: ARG002
        variable: Variable,  # noqa: ARG002
        learning_rate: Tensor,  # noqa: ARG002
    ) -> None:
        """Raise: Keras' per-variable hook must never run here."""
        raise RuntimeError(
            "keras_optlab's engine was bypassed. Expected a call of `apply`, which "
            "updates all weights together. Received: a call of `update_step`. If your "
            f"code does not call it, Keras {keras.__version__} calls optimizers in a "
            "way that is not supported yet: please report it, and install an earlier "
            "version of Keras."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as Keras does, without naming the class, which may be generated."""
        _, arguments = super().__reduce__()
        return KerasAdapter._unpickle_model, arguments

    @property
    def micro_steps(self) -> Variable:
        """Number of gradients received; the public `iterations` counts windows."""
        return self._iterations

    @property
    def weights(self) -> list[Variable]:
        """The trainable variables that the optimizer was built with."""
        return list(self._trainable_variables)

    @property
    def averages(self) -> list[Variable]:
        """Moving averages of the weights, or `None`s; empty without `use_ema`."""
        return list(self._model_variables_moving_average) if self.use_ema else []

    @property
    def accumulators(self) -> list[Variable]:
        """Gradient sums; empty without gradient accumulation."""
        return list(self._accumulated_gradients) if self.accumulates else []

    @property
    def accumulates(self) -> bool:
        """Whether gradients are accumulated over several micro-batches."""
        return bool(self.gradient_accumulation_steps)

    def build(self, variables: list[Variable]) -> None:
        """Create Keras' state, and gradient sums that Keras does not create."""
        super().build(variables)
        if self.accumulates and not self.gradient_accumulation_steps:
            self._accumulated_gradients = [
                self.add_variable_from_reference(v, name="gradient_accumulator")
                for v in variables
            ]

    @property
    def base_learning_rate(self) -> Any:
        """The learning rate's source: a variable, a schedule or a callable."""
        return self._learning_rate

    def decays(self, variable: Variable) -> bool:
        """Return whether `exclude_from_weight_decay` does not exclude this weight."""
        return self._use_weight_decay(variable)

    def indices_of(self, variables: Sequence[Variable]) -> list[int]:
        """Return the positions of weights among those that `build` saw."""
        self._check_variables_are_known(variables)
        return [self._get_variable_index(v) for v in variables]

    def is_overwritten(self, variable: Variable) -> bool:
        """Return whether Keras overwrites the variable by its gradient (float8)."""
        return self._overwrite_variable_with_gradient(variable)

    def add_beside(
        self,
        weight: Variable,
        name: str,
        shape: Any,
        dtype: str,
        init: Any,
        layout: Any,
    ) -> Variable:
        """Create a variable on the device of a weight."""
        with self._beside(weight):
            return self.add_variable(
                shape=shape, initializer=init, dtype=dtype, layout=layout, name=name
            )

    def _beside(self, weight: Variable) -> contextlib.AbstractContextManager[Any]:
        if keras.backend.backend() != "tensorflow":
            return contextlib.nullcontext()
        raw = weight.value if isinstance(weight, keras.Variable) else weight
        return self._distribution_strategy.extended.colocate_vars_with(raw)


def layouts_of(variables: Sequence[Variable]) -> list[Any]:
    """Return how variables are divided over devices, `None` for each that is not."""
    return [getattr(v, "_layout", None) for v in variables]


def asked_layout(path: str, weight: Variable) -> Any:
    """Return the layout in a `LayoutMap` for a variable of the state alone, or `None`.

    A pattern that also matches the path of the weight is meant for the weight.
    """
    layouts = getattr(keras.distribution.distribution(), "_layout_map", None)
    asked = layouts[path] if layouts else None
    return None if not layouts or asked is layouts[weight.path] else asked


def as_keras_variable(variable: Variable) -> keras.Variable:
    """Return a Keras variable; a raw TensorFlow variable is wrapped, not copied."""
    if isinstance(variable, keras.Variable):
        return variable
    return keras.Variable(variable, name="weight")


def add_step_state(model: keras.Model, variable: Variable) -> None:
    """Add a variable to the state of a model's compiled step, not to its weights."""
    model._seed_generators.append(types.SimpleNamespace(state=variable))


@contextlib.contextmanager
def unbuilt_if_it_fails(optimizer: Any) -> Iterator[None]:
    """Undo a `build` that fails, so that the optimizer can be built later."""
    before = {id(v) for v in optimizer._variables}
    try:
        yield
    except BaseException:
        for variable in list(optimizer._variables):
            if id(variable) not in before:
                optimizer._untrack_variable(variable)
        optimizer._trainable_variables, optimizer.built = [], False
        optimizer._trainable_variables_indices = {}
        raise


def own_variables(optimizer: Any) -> list[Variable]:
    """Return an outer optimizer's variables, without those of its inner optimizers."""
    return list(optimizer._variables)


def sublayers(layer: keras.Layer) -> list[keras.Layer]:
    """Return all layers within a model or layer at any depth, without itself."""
    return list(layer._flatten_layers(include_self=False))


def own_weights(layer: keras.Layer) -> list[Variable]:
    """Return a layer's trainable weights, without those of layers within it."""
    return list(layer._trainable_variables)


def inner_optimizer(optimizer: Any) -> Any:
    """Return the optimizer inside a `LossScaleOptimizer`, or else the optimizer."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def trained_by(optimizer: Any) -> list[Any]:
    """Return the weights that an optimizer was built with."""
    return list(optimizer._trainable_variables)


def optimizers_of(model: keras.Model) -> list[Any]:
    """Return this package's optimizers of a model, compiled in or in its attributes."""
    waiting = [getattr(model, "optimizer", None), *vars(model).values()]
    found: dict[int, Any] = {}
    while waiting:
        x = inner_optimizer(waiting.pop(0))
        if isinstance(x, list | tuple):
            waiting.extend(x)  # `+=` fails on a tuple as TensorFlow wraps it
        elif isinstance(x, dict):
            waiting.extend(x.values())
        elif isinstance(x, KerasAdapter):
            found[id(x)] = x
        elif isinstance(x, keras.optimizers.Optimizer):
            waiting.extend(getattr(x, "optimizers", []))
    return list(found.values())


def schedule_of(optimizer: Any) -> Any:
    """Return the schedule that drives an optimizer's rate, or `None`."""
    rate = getattr(optimizer, "_learning_rate", None)
    is_schedule = isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
    return rate if is_schedule else None


def loss_scale(optimizer: Any, dtype: str) -> Tensor:
    """Return the loss scale, by which the optimizer divides the gradients again."""
    if hasattr(optimizer, "dynamic_scale"):
        return keras.ops.cast(optimizer.dynamic_scale, dtype)
    return keras.ops.cast(optimizer.loss_scale_factor or 1.0, dtype)


def gradients_received(optimizer: Any) -> int:
    """Return how many micro-batches an optimizer has received; 0 for `None`.

    On TensorFlow, the end of data of unknown length counts as one more.
    """
    if optimizer is None:
        return 0
    return int(keras.ops.convert_to_numpy(inner_optimizer(optimizer)._iterations))


def progress(optimizer: Any) -> tuple[float, ...] | None:
    """Return numbers that change at every micro-batch; `None` without an optimizer."""
    if optimizer is None:
        return None
    scale = getattr(optimizer, "dynamic_scale", 0.0)  # changes if a step is skipped
    return gradients_received(optimizer), float(keras.ops.convert_to_numpy(scale))


class Checkpoint(keras.callbacks.ModelCheckpoint):
    """`keras.callbacks.ModelCheckpoint` with hooks around a save and for the save."""

    def saving(self) -> contextlib.AbstractContextManager[None]:
        """Return a context to enter around one save; a subclass implements this."""
        raise NotImplementedError

    def write(self, save: Callable[..., None], path: str) -> None:
        """Save the model to a path by `save`; a subclass implements this."""
        raise NotImplementedError

    def _save_model(self, epoch: int, batch: int | None, logs: Any) -> None:
        logs = logs or {}
        path = self._get_file_path(epoch, batch, logs)
        if self.save_best_only and self.monitor_op is None:
            self._set_monitor_op()
        best = self.best
        with self.saving():
            if not self._should_save_model(epoch, batch, logs, path):
                return
            model = self.model
            save = model.save_weights if self.save_weights_only else model.save
            try:
                self.write(save, path)
            except BaseException:
                self.best = best  # no file was written
                raise
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: finished saving model to {path}")


def extend_swaps(swap: Callable[[Any], None], end: Callable[[Any], None]) -> None:
    """Call functions of the model when `SwapEMAWeights` swaps and when it ends."""
    cls: Any = keras.callbacks.SwapEMAWeights
    for name, hook in (("_swap_variables", swap), ("_finalize_ema_values", end)):
        method = getattr(cls, name)
        if not hasattr(method, "hook"):  # else this package was imported before

            def extended(self: Any, method: Any = method, hook: Any = hook) -> None:
                method(self)
                hook(self.model)

            extended.hook = hook  # pyright: ignore[reportFunctionMemberAccess]
            setattr(cls, name, extended)


def averages_of(optimizer: Any) -> list[tuple[Variable, Variable]] | None:
    """Return each averaged weight with its average, `None` without `use_ema`.

    Args:
        optimizer: Any Keras optimizer, also one with inner optimizers.
    """
    optimizer = inner_optimizer(optimizer)
    several = getattr(optimizer, "optimizers", [optimizer])
    averaging = [x for x in several if getattr(x, "use_ema", False)]
    if not averaging:
        return None
    return [
        (weight, average)
        for x in averaging
        if x.built
        for weight, average in zip(
            x._trainable_variables, x._model_variables_moving_average, strict=True
        )
        if average is not None
    ]


def in_stateless_scope() -> bool:
    """Return whether this runs within a `keras.StatelessScope`."""
    return stateless_scope.in_stateless_scope()


def is_purged(variable: Variable) -> bool:
    """Return whether JAX' trainer holds the value, so that a write would be lost."""
    return variable._value is None


def raw_value(variable: Variable) -> Any:
    """Return the variable's own value, also within a `StatelessScope`."""
    return variable._value


def concrete(variable: Variable) -> np.ndarray | None:
    """Return the value as an array, `None` in a trace or if JAX' trainer holds it."""
    if is_purged(variable):
        return None
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if not tf.executing_eagerly():
            return None
        return tf.convert_to_tensor(variable._value).numpy()  # mirrored too
    return keras.ops.convert_to_numpy(variable._value)


def state_variables(model: keras.Model) -> list[Variable]:
    """Return what a forward pass may write: statistics, seeds, states of layers."""
    layers = [model, *sublayers(model)]
    weights = {id(v) for layer in layers for v in layer._trainable_variables}  # frozen
    return [v for v in model.non_trainable_variables if id(v) not in weights]


def rate_source(optimizer: Any) -> Any:
    """Return the variable, schedule or function of any optimizer's rate."""
    return optimizer._learning_rate


def remove_variable(optimizer: Any, variable: Variable) -> None:
    """Remove a variable that was added to an optimizer."""
    optimizer._untrack_variable(variable)
