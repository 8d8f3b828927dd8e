"""Switching a model between training and evaluation weights by one compiled call.

An optimizer keeps one compiled call for each direction. Hyperparameters are read from
variables at each call. If a number is replaced by something else, such as a schedule,
the call is recompiled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import keras
from keras import ops

from keras_optlab.core import Values
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.commit import commit
from keras_optlab.engine.backend.modules import jax_module, torch_module
from keras_optlab.engine.backend.variables import Pairs, assign_each, read, unflatten
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.hyperparameters.per_step import StepHyperparameters
from keras_optlab.engine.hyperparameters.variables import as_tensor
from keras_optlab.engine.weights.parameter import Parameter
from keras_optlab.engine.weights.views import Joined

Call = Callable[[], Pairs]  # returns the previous values, if asked for


class Moves:
    """The compiled calls that switch the weights of one optimizer.

    Args:
        optimizer: The optimizer, which creates a new `Moves` in each `build`.
    """

    def __init__(self, optimizer: BuiltOptimizer) -> None:
        self.optimizer = optimizer
        self.reset()

    def reset(self) -> None:
        """Read the plan again, whose buckets may have changed."""
        optimizer = self.optimizer
        self.calls: dict[tuple[str, bool], tuple[list[Any], Call]] = {}
        bundled = {p.index for b in optimizer.plan.buckets for p in b.members}
        alone = [p for p in optimizer.plan.trainable if p.index not in bundled]
        self.parameters: list[Parameter] = [*optimizer.plan.buckets, *alone]

    def move(self, direction: str, keep: bool) -> Pairs:
        """Switch all weights, and their slots, by a method of the rule.

        Args:
            direction: The method, `"to_training"` or `"to_evaluation"`.
            keep: Whether to return the variables with copies of their previous values.
        """
        form = _form(self.optimizer)
        before, call = self.calls.get((direction, keep), ([], None))
        same = len(before) == len(form) and all(map(_same_object, before, form))
        if call is None or not same:
            make = _COMPILE[keras.backend.backend()]
            call = make(self, direction, keep)
            self.calls[direction, keep] = form, call
        return call()

    def traced(self, direction: str, flag: Variable, value: bool) -> Callable[[], Any]:
        """Return a `tf.function` that switches the weights and sets a flag."""
        import tensorflow as tf

        def move() -> None:
            commit(self.pairs(direction))
            flag.assign(value)

        return tf.function(move, autograph=False)

    def pairs(self, direction: str) -> Pairs:
        """Return variables with their new values, buckets split into single weights."""
        rule = getattr(self.optimizer, direction)
        found: Pairs = []
        for p in self.parameters:
            w = ops.cast(read(p.variable), p.dtype)
            s = _Slots(p, self.optimizer.other_set)
            was = dict(s.items())
            new_w, new_s = rule(w, s, _Values(self.optimizer, p))
            pairs = [(p.variable, new_w)]
            pairs += [(p.slots[k], x) for k, x in new_s.items() if was.get(k) is not x]
            for variable, x in pairs:
                found += _split_bucket(variable, x)
        if self.optimizer.evaluation_statistics is not None:
            found += self.optimizer.evaluation_statistics.swapped()
        return [(v, ops.cast(x, v.dtype)) for v, x in found]

    def variables(self) -> list[Variable]:
        """Return all variables that a switch may read."""
        own = [v for p in self.parameters for v in (p.variable, *p.slots.values())]
        apart = [x for v in own for x in getattr(v, "variables", [v])]
        optimizer = self.optimizer
        once = [*optimizer.scalars.variables.values(), optimizer.updates]
        once += [v for s in optimizer.plan.shared.values() for v in s.values()]
        once += [s.updates for s in optimizer.plan.sections.values()]
        rate = optimizer.base_learning_rate
        once += [rate] if isinstance(rate, keras.Variable) else []
        if optimizer.evaluation_statistics is not None:
            once += optimizer.evaluation_statistics.variables
        return [*apart, *once]


class _Slots(Values):
    """A weight's slots: the other set of weights; others are read only on access."""

    __slots__ = ("_others",)

    def __init__(self, p: Parameter, names: Collection[str]) -> None:
        object.__setattr__(self, "_others", p)
        super().__init__(**{k: self._read(k) for k in p.slots if k in names})

    def _read(self, name: str) -> Tensor:
        p: Parameter = self._others
        return ops.cast(read(p.slots[name]), p.dtype)

    def __getattr__(self, name: str) -> Any:
        known = name in self._others.slots
        return self._read(name) if known else super().__getattr__(name)


class _Values:
    """The hyperparameters of a weight, each computed only on access."""

    def __init__(self, optimizer: BuiltOptimizer, p: Parameter) -> None:
        self._optimizer, self._p = optimizer, p

    def __getattr__(self, name: str) -> Any:
        optimizer, p = self._optimizer, self._p
        field = optimizer.fields.get(name)
        if field is None or field.keras_owned:  # also what `prepare` derives
            return getattr(StepHyperparameters(optimizer).cast[p.scalars], name)
        moment = optimizer.moment(read(optimizer.updates))
        group = optimizer.groups[p.group].hyperparameters if p.group >= 0 else {}
        if name in group:
            value = as_tensor(field, group[name], moment)
        else:
            value = optimizer.scalars.tensor(field, moment)
        return Values(value=value).cast(p.dtype).value


def _form(optimizer: BuiltOptimizer) -> list[Any]:
    """Return the values that a compiled call takes as constants: all but numbers."""
    values = optimizer.scalars.values.values()
    return [None if isinstance(x, float | int) else x for x in values]


def _same_object(a: Any, b: Any) -> bool:
    return a is b


def _split_bucket(variable: Variable, x: Tensor) -> Pairs:
    """Return the variables of a bucket, or one variable, each with its value."""
    if not isinstance(variable, Joined):
        return [(variable, x)]
    parts = unflatten(x, variable.variables)
    return list(zip(variable.variables, parts, strict=True))


def _on_tensorflow(moves: Moves, direction: str, keep: bool) -> Call:
    import tensorflow as tf

    variables: list[Variable] = []

    def move() -> list[Tensor]:
        pairs = moves.pairs(direction)  # all reads before all writes
        variables[:] = [v for v, _ in pairs]
        old = [tf.identity(read(v)) for v in variables] if keep else []
        commit(pairs)
        return old

    # one concrete function per optimizer: TensorFlow warns of frequent retracing
    traced = tf.function(move, autograph=False).get_concrete_function()
    return lambda: list(zip(variables, traced(), strict=False))


def _on_jax(moves: Moves, direction: str, keep: bool) -> Call:
    jax, held = jax_module(), moves.variables()
    variables: list[Variable] = []

    def compute(values: list[Tensor]) -> list[Tensor]:
        with keras.StatelessScope(list(zip(held, values, strict=True))):
            pairs = moves.pairs(direction)
        variables[:] = [v for v, _ in pairs]
        return [x for _, x in pairs]

    graph = jax.make_jaxpr(compute)([v.value for v in held]).jaxpr
    read_too = {id(x) for equation in graph.eqns for x in equation.invars}
    used = {id(x) for x in graph.outvars} | read_too
    places = {id(x): i for i, x in enumerate(x for x in graph.invars if id(x) in used)}
    held = [v for v, x in zip(held, graph.invars, strict=True) if id(x) in used]
    if graph.eqns or keep or len({id(x) for x in graph.outvars}) < len(variables):
        new_values = jax.jit(compute)  # copies inputs that it returns unchanged
    else:  # values only change places, without copies
        order = [places[id(x)] for x in graph.outvars]

        def new_values(values: list[Tensor]) -> list[Tensor]:
            return [values[i] for i in order]

    def move() -> Pairs:
        new = new_values([v.value for v in held])
        old = [(v, v.value) for v in variables] if keep else []
        for v, x in zip(variables, new, strict=True):
            v.assign(x)
        return old

    return move


def _on_torch(moves: Moves, direction: str, keep: bool) -> Call:
    torch = torch_module()

    def move() -> Pairs:
        with torch.no_grad():
            pairs = [(v, x.clone()) for v, x in moves.pairs(direction)]
            old = [(v, read(v).clone()) for v, _ in pairs] if keep else []
            assign_each([v for v, _ in pairs], [x for _, x in pairs])
        return old

    return move


_COMPILE = {"tensorflow": _on_tensorflow, "jax": _on_jax, "torch": _on_torch}
