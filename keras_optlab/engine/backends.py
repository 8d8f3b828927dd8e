"""What differs between TensorFlow, JAX and torch: gradients in, values out.

Choosing between outcomes must cost nothing. TensorFlow takes one branch around the
commit, except under a strategy, where a commit crosses replicas and may not stand
inside a condition. torch on a CPU takes a Python `if`. Everything else computes both
and selects by value, which a compiler fuses and which never waits for a device.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any
Variable = Any
Pairs = list[tuple[Variable, Tensor]]
Case = tuple[Tensor | bool, Callable[[], Pairs]]


def raw(variable: Variable) -> Variable:
    """Return the backend's own variable inside one of Keras."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def read(variable: Variable) -> Tensor:
    """Return a variable's value as a plain tensor of its own type."""
    return ops.convert_to_tensor(raw(variable))


def dense(gradient: Tensor) -> Tensor:
    """Return a sparse gradient in full; rows that occur twice are summed."""
    return ops.convert_to_tensor(gradient, sparse=False)


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


def all_finite(xs: Sequence[Tensor]) -> Tensor:
    """Return whether no entry is a NaN or an infinity.

    A sum is finite only if all its terms are, and takes one pass without a temporary.
    If it is not, it may have overflowed, so TensorFlow then looks at each entry.
    """

    def each() -> Tensor:
        return ops.all(ops.stack([ops.all(ops.isfinite(x)) for x in xs]))

    if keras.backend.backend() != "tensorflow" or in_replica():
        return each()
    import tensorflow as tf

    sums = [tf.cast(tf.reduce_sum(x), "float32") for x in xs]
    return tf.cond(tf.math.is_finite(tf.add_n(sums)), lambda: tf.constant(True), each)


def norm(x: Tensor) -> Tensor:
    """Return the Euclidean norm of all entries, in one pass over them."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.sqrt(2 * tf.nn.l2_loss(x))  # a square of its own would be a copy
    return ops.sqrt(ops.sum(ops.square(x)))


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


def unshare(variables: Sequence[Variable]) -> None:
    """Give every variable a buffer of its own.

    JAX assigns without copying, and its trainer donates every buffer once.
    """
    if keras.backend.backend() == "jax":
        for variable in variables:
            variable.assign(ops.copy(variable.value))


def _done(_: None) -> int:
    return 0  # both branches of a condition must return the same structure


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
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context() if tf.distribute.has_strategy() else None
