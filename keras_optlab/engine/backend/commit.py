"""Writing new values to variables, and choosing between outcomes (update or skip).

The choice must not slow a step down:

- TensorFlow: one branch around the computation and the writes. Not under a strategy,
  where writes cross replicas and cannot be inside a condition.
- torch on a CPU: a Python `if`.
- JAX on a CPU: one `lax.cond` around the computation; the writes follow it.
- Otherwise: compute both outcomes and select by `where`, which never waits for a
  device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.keras_adapter import in_stateless_scope
from keras_optlab.engine.backend.layouts import laid_out
from keras_optlab.engine.backend.modules import jax_module
from keras_optlab.engine.backend.replicas import in_replica, replica_context
from keras_optlab.engine.backend.variables import (
    Pairs,
    View,
    on_cpu,
    on_host,
    raw,
    read,
)

Case = tuple[Tensor | bool, Callable[[], Pairs]]


def commit(pairs: Pairs) -> None:
    """Write every new value to its variable, in all replicas if there are several."""
    context = replica_context()
    if context is None:
        for variable, value in _on_devices(pairs):
            variable.assign(value)
        return
    variables = [raw(v) for v, _ in pairs]

    def write(strategy: Any, values: Sequence[Tensor]) -> None:
        for variable, value in zip(variables, values, strict=True):
            strategy.extended.update(
                variable, lambda v, x: v.assign(x), args=(value,), group=False
            )

    context.merge_call(write, args=([value for _, value in pairs],))


def _on_devices(pairs: Pairs) -> Pairs:
    """Return the pairs with values divided over devices as their variables are.

    A value that is written outside a compiled step is divided as it is assigned.
    """
    if keras.backend.backend() != "jax" or not in_stateless_scope():
        return pairs
    stored = [v.stored(x) if isinstance(v, View) else (v, x) for v, x in pairs]
    return [(v, laid_out(v, x)) for v, x in stored]


def commit_first(cases: list[Case]) -> None:
    """Compute and write the first case whose condition holds; the last one is `True`.

    If `can_branch` is false for the first condition, there are at most two cases.
    """
    forms = [form for _, form in cases]
    if len(cases) == 1:
        commit(forms[0]())
    elif keras.backend.backend() == "jax":
        yes, no = (lambda form=form: _on_devices(form()) for form in forms)
        commit(_select_on_jax(cases[0][0], yes, no))
    elif not can_branch(cases[0][0]):
        yes, no = forms
        commit(_select(cases[0][0], yes(), no()))
    elif keras.backend.backend() == "torch":
        commit(next(form for condition, form in cases if condition)())
    else:
        _commit_on_tensorflow(cases)


def _commit_on_tensorflow(cases: list[Case]) -> Any:
    """Branch by `tf.cond`, as XLA aborts at a `tf.switch_case` with another in it."""
    import tensorflow as tf

    (condition, form), *others = cases
    if not others:
        return _done(commit(form()))
    return tf.cond(
        condition, lambda: _done(commit(form())), lambda: _commit_on_tensorflow(others)
    )


def can_branch(condition: Tensor) -> bool:
    """Return whether to branch on a condition instead of computing both outcomes."""
    backend = keras.backend.backend()
    if backend == "torch":
        return on_host(condition)
    return backend == "tensorflow" and not in_replica()


def waits_to_branch(condition: Tensor) -> bool:
    """Return whether Python would wait for a device to branch on a tensor of torch."""
    return keras.backend.backend() == "torch" and not on_host(condition)


def writes_at_once(variable: Variable) -> bool:
    """Return whether a new value may be written as soon as it is computed.

    It may where a step branches, since then no other outcome needs the old value.
    """
    return keras.backend.backend() != "jax" and not in_replica() and on_cpu(variable)


def cond_rare(
    condition: Tensor | bool, change: Callable[[Tensor], Tensor], value: Tensor
) -> Tensor:
    """Return `change(value)` if a condition holds, which is seldom, else `value`.

    TensorFlow lowers a `tf.cond` to single operations and then visits each operation of
    the branch not taken. A function that is not called costs nothing.
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


def not_inlined(compute: Callable[[], list[Tensor]]) -> list[Tensor]:
    """Compute tensors in a separate function, so that a step's rounding is unchanged.

    TensorFlow's rewrites of a graph's arithmetic depend on the other uses of a value.
    They do not look into a function marked as not inlined.
    """
    if keras.backend.backend() != "tensorflow":
        return compute()
    import tensorflow as tf

    if tf.executing_eagerly():
        return compute()
    attributes = {"_noinline": True}
    return tf.function(compute, autograph=False, experimental_attributes=attributes)()


def _done(_: None) -> int:
    return 0  # both branches of a condition must return the same structure


def _select_on_jax(
    condition: Tensor, yes: Callable[[], Pairs], no: Callable[[], Pairs]
) -> Pairs:
    """Return the new values of one of two outcomes, on JAX."""
    jax = jax_module()
    if not isinstance(condition, jax.core.Tracer):
        return (yes if condition else no)()
    if jax.default_backend() != "cpu":
        return _select(condition, yes(), no())
    variables = {id(v): v for v, _ in no()}  # only to list its variables

    def values(pairs: Pairs) -> list[Tensor]:
        new = {id(v): ops.cast(x, v.dtype) for v, x in pairs}
        return [new.get(key, read(v)) for key, v in variables.items()]

    def if_yes() -> list[Tensor]:
        pairs = yes()
        variables.update((id(v), v) for v, _ in pairs)
        return values(pairs)

    # `if_yes` is traced first, so that both branches return all variables.
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
