"""What differs between TensorFlow, JAX and torch: gradients in, values out.

Choosing between outcomes must cost nothing. TensorFlow takes one branch around the
commit, except under a strategy, where a commit crosses replicas and may not stand
inside a condition. torch on a CPU takes a Python `if`. JAX on a CPU takes one branch
around the computation and commits after it. Everything else computes both and selects
by value, which never waits for a device.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.engine.backend.keras_adapter import held

Tensor = Any
Variable = Any
Pairs = list[tuple[Variable, Tensor]]
Case = tuple[Tensor | bool, Callable[[], Pairs]]


class View:
    """What is read by `value` and written by `assign`, but holds nothing itself."""

    @property
    def value(self) -> Tensor:
        """The present value."""
        raise NotImplementedError

    def assign(self, value: Tensor) -> None:
        """Write a value."""
        raise NotImplementedError


def holds_state(x: Any) -> bool:
    """Return whether this is a variable of TensorFlow, or a tensor of torch."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return isinstance(x, tf.Variable)
    return keras.backend.backend() == "torch" and torch_module().is_tensor(x)


def modules() -> tuple[type, ...]:
    """Return the backend's own class of what holds variables, if it has one."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return (tf.Module,)
    return (torch_module().nn.Module,) if keras.backend.backend() == "torch" else ()


def raw(variable: Variable) -> Variable:
    """Return the backend's own variable inside one of Keras, or the value of a view."""
    wrapped = isinstance(variable, keras.Variable | View)
    return variable.value if wrapped else variable


def read(variable: Variable) -> Tensor:
    """Return a variable's value as a plain tensor of its own type."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Keras leaves a variable unread until it is used, but not one that is made
        # within the function; their graphs would round differently
        return tf.convert_to_tensor(raw(variable))
    return ops.convert_to_tensor(raw(variable))


def to_numpy(variable: Variable) -> np.ndarray:
    """Return a variable's value as an array, also within a strategy's scope.

    There NumPy knows nothing of TensorFlow's variables that are one on each device.
    """
    return ops.convert_to_numpy(read(variable))


def has_value(variable: Variable) -> bool:
    """Return whether a variable can be read, outside of what TensorFlow traces."""
    if keras.backend.backend() != "tensorflow":
        return True
    return bool(raw(variable).is_initialized())


def in_place(variable: Variable) -> bool:
    """Return whether a variable of Keras is what is updated.

    It is not on JAX, nor anywhere within `stateless_apply`: there values are handed in
    and out, and only `value` and `assign` know of them.
    """
    return keras.backend.backend() != "jax" and variable.value is held(variable)


def cast(x: Tensor, dtype: str) -> Tensor:
    """Return a tensor in this type; Keras takes longer to find that it is."""
    return x if str(x.dtype).endswith(dtype) else ops.cast(x, dtype)


def write(variable: Variable, at: slice, value: Tensor) -> None:
    """Write a part of a vector, a variable of Keras."""
    if not in_place(variable):
        x = variable.value
        variable.assign(ops.concatenate([x[: at.start], value, x[at.stop :]]))
    elif keras.backend.backend() == "torch":
        with torch_module().no_grad():
            held(variable)[at] = value
    else:
        held(variable)[at].assign(value)


def on_cpu(variable: Variable) -> bool:
    """Return whether a variable of TensorFlow or torch lives on a CPU."""
    device = raw(variable).device
    return "cpu" in str(device).lower()


def flat(xs: Sequence[Tensor]) -> Tensor:
    """Return all entries of some tensors as one vector."""
    if keras.backend.backend() == "torch":  # a call for each takes longer than the work
        return torch_module()._utils._flatten_dense_tensors(xs)
    return ops.concatenate([ops.reshape(x, (-1,)) for x in xs])


def pieces(x: Tensor, like: Sequence[Variable]) -> list[Tensor]:
    """Undo `flat`, given tensors of the same shapes."""
    if keras.backend.backend() == "torch":
        return list(torch_module()._utils._unflatten_dense_tensors(x, values_of(like)))
    shapes = [tuple(y.shape) for y in like]
    ends = list(accumulate(map(math.prod, shapes)))
    x = ops.reshape(x, (ends[-1],))  # TensorFlow may not know the length
    parts = ops.split(x, ends[:-1])
    return [ops.reshape(y, shape) for y, shape in zip(parts, shapes, strict=True)]


def values_of(variables: Sequence[Variable]) -> list[Tensor]:
    """Return the values of variables of Keras."""
    if in_place(variables[0]):
        return [held(v) for v in variables]  # as `value` would, many calls later
    return [v.value for v in variables]


def assign_each(variables: Sequence[Variable], values: Sequence[Tensor]) -> None:
    """Write a value of its own shape to each variable of Keras."""
    on_torch = keras.backend.backend() == "torch"
    if on_torch and variables and in_place(variables[0]):
        torch = torch_module()
        with torch.no_grad():
            torch._foreach_copy_([held(v) for v in variables], list(values))
        return
    for variable, x in zip(variables, values, strict=True):
        variable.assign(x)


def sum_over_replicas(gradients: list[Tensor]) -> list[Tensor]:
    """Add up the replicas' gradients under a `tf.distribute` strategy."""
    context = _replica_context()
    if context is None or not gradients:
        return gradients
    import tensorflow as tf

    return list(context.all_reduce(tf.distribute.ReduceOp.SUM, gradients))


def commit(pairs: Pairs) -> None:
    """Write every new value, once."""
    context = _replica_context()
    if context is None:
        for variable, value in pairs:
            variable.assign(value)
        return
    variables = [raw(v) for v, _ in pairs]

    def write(strategy: Any, values: Sequence[Tensor]) -> None:
        for variable, value in zip(variables, values, strict=True):
            strategy.extended.update(
                variable, lambda v, x: v.assign(x), args=(value,), group=False
            )

    context.merge_call(write, args=([value for _, value in pairs],))


def commit_first(cases: list[Case]) -> None:
    """Write what the first case computes whose condition holds; the last one's is True.

    Where `branches` is not true of the first condition, there are at most two cases.
    """
    forms = [form for _, form in cases]
    if len(cases) == 1:
        commit(forms[0]())
    elif keras.backend.backend() == "jax":
        yes, no = forms
        commit(_chosen(cases[0][0], yes, no))
    elif not branches(cases[0][0]):
        yes, no = forms
        commit(_select(cases[0][0], yes(), no()))
    elif keras.backend.backend() == "torch":
        commit(next(form for condition, form in cases if condition)())
    else:
        import tensorflow as tf

        holds = tf.stack([tf.cast(condition, "int32") for condition, _ in cases])
        bodies = [lambda form=form: _done(commit(form())) for form in forms]
        tf.switch_case(tf.argmax(holds, output_type="int32"), bodies)


def branches(condition: Tensor) -> bool:
    """Return whether to branch on a condition, which elsewhere selects by value."""
    backend = keras.backend.backend()
    if backend == "torch":
        return condition.device.type == "cpu"
    return backend == "tensorflow" and not in_replica()


def writes_at_once(variable: Variable) -> bool:
    """Return whether a new value may be written as soon as it is known.

    It may where `branches` chooses, since then no other outcome needs the old one.
    """
    return keras.backend.backend() != "jax" and not in_replica() and on_cpu(variable)


def distributed() -> bool:
    """Return whether a `tf.distribute` strategy makes the variables now."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.distribute.has_strategy()


def is_distributed(model: Any) -> bool:
    """Return whether a `tf.distribute` strategy trains a model."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return (
        distributed() or model.distribute_strategy is not tf.distribute.get_strategy()
    )


def in_replica() -> bool:
    """Return whether this is one replica of several of a `tf.distribute` strategy."""
    return _replica_context() is not None


def seldom(
    condition: Tensor | bool, change: Callable[[Tensor], Tensor], value: Tensor
) -> Tensor:
    """Return `change(value)` where the condition holds, which is seldom, else `value`.

    TensorFlow takes a `tf.cond` apart and then passes through each operation of the
    branch that is not taken. A function costs nothing when it is not called.
    """
    if condition is True:
        return change(value)
    backend = keras.backend.backend()
    if backend != "tensorflow" or in_replica():
        return ops.cond(condition, lambda: change(value), lambda: value)
    import tensorflow as tf

    if tf.executing_eagerly():
        return change(value) if condition else value

    def function(body: Callable[..., Tensor], inputs: Sequence[Tensor]) -> Any:
        specs = [tf.TensorSpec(x.shape, x.dtype) for x in inputs]
        return tf.function(body, autograph=False).get_concrete_function(*specs)

    yes = function(change, [value])
    inputs = [value, *yes.captured_inputs]
    no = function(lambda kept, *others: tf.identity(kept), inputs)  # noqa: ARG005
    return tf.raw_ops.StatelessIf(
        cond=condition,
        input=inputs,
        Tout=[value.dtype],
        output_shapes=[value.shape],
        then_branch=yes,
        else_branch=no,
    )[0]


def apart(compute: Callable[[], list[Tensor]]) -> list[Tensor]:
    """Compute tensors beside a step, so that its own rounding stays as it is.

    TensorFlow rewrites the arithmetic of a graph by who else uses a value. It does not
    look into a function that may not be inlined.
    """
    if keras.backend.backend() != "tensorflow":
        return compute()
    import tensorflow as tf

    if tf.executing_eagerly():
        return compute()
    attributes = {"_noinline": True}
    return tf.function(compute, autograph=False, experimental_attributes=attributes)()


def count_each(x: Tensor, n: int) -> Tensor:
    """Return how often each of the numbers 0 to n - 1 occurs in a vector of them."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # `tf.math.bincount` measures the size of its result, which XLA cannot compile
        size, each_once = tf.constant(n, x.dtype), tf.constant([], "int32")
        return tf.raw_ops.DenseBincount(input=x, size=size, weights=each_once)
    if backend == "jax":
        import jax

        return jax.numpy.bincount(x, length=n)
    return ops.bincount(x, minlength=n)


def eagerly() -> contextlib.AbstractContextManager[Any]:
    """Run what follows now, also while TensorFlow traces a function that builds."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.init_scope()


def default_graph() -> Any:
    """Return the graph that TensorFlow adds operations to, `None` if it runs them."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()


def unshare(variables: Sequence[Variable]) -> None:
    """Give every variable a buffer of its own.

    JAX assigns without copying, and its trainer donates every buffer once.
    """
    if keras.backend.backend() == "jax":
        for variable in variables:
            variable.assign(ops.copy(variable.value))


def jax_module() -> Any:
    """Return `jax`, imported only where it is the backend."""
    import jax

    return jax


def torch_module() -> Any:
    """Return `torch`, imported only where it is the backend."""
    import torch

    return torch


def _done(_: None) -> int:
    return 0  # both branches of a condition must return the same structure


def _chosen(
    condition: Tensor, yes: Callable[[], Pairs], no: Callable[[], Pairs]
) -> Pairs:
    """Return what one of two forms computes, on JAX."""
    jax = jax_module()
    if not isinstance(condition, jax.core.Tracer):
        return (yes if condition else no)()
    if jax.default_backend() != "cpu":
        return _select(condition, yes(), no())
    variables = {id(v): v for v, _ in no()}  # for the variables alone

    def values(pairs: Pairs) -> list[Tensor]:
        new = {id(v): ops.cast(x, v.dtype) for v, x in pairs}
        return [new.get(key, read(v)) for key, v in variables.items()]

    def if_yes() -> list[Tensor]:
        pairs = yes()
        variables.update((id(v), v) for v, _ in pairs)
        return values(pairs)

    # The first is traced first, so that both know of all variables.
    new = jax.lax.cond(condition, if_yes, lambda: values(no()))
    return list(zip(variables.values(), new, strict=True))


def _select(condition: Tensor, yes: Pairs, no: Pairs) -> Pairs:
    variables = {id(v): v for v, _ in yes + no}
    if_yes, if_no = ({id(v): x for v, x in pairs} for pairs in (yes, no))

    def choose(key: int, variable: Variable) -> Tensor:
        kept = read(variable)
        chosen = ops.where(condition, if_yes.get(key, kept), if_no.get(key, kept))
        return ops.cast(chosen, kept.dtype)

    return [(v, choose(key, v)) for key, v in variables.items()]


def _replica_context() -> Any:
    """Return TensorFlow's context if it is one replica of several, else `None`."""
    if not distributed():
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context()
