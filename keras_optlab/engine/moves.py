"""Moving a model between two sets of weights, as one compiled call.

The calls are kept by the optimizer, one for each direction. They hold its variables,
but no number: what a rule reads of the hyperparameters is read when it is called. Where
something else takes the place of a number, such as a schedule, they are compiled anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_optlab.core import Record
from keras_optlab.engine.backends import (
    Pairs,
    assign_each,
    commit,
    jax_module,
    pieces,
    read,
    torch_module,
)
from keras_optlab.engine.hyperparameters import Hyperparameters
from keras_optlab.engine.parameter import Parameter
from keras_optlab.engine.scalars import as_tensor
from keras_optlab.engine.views import Joined

Tensor = Any
Variable = Any
Call = Callable[[], Pairs]  # returns what was there before, if that was asked for


class Moves:
    """The compiled moves of one optimizer.

    Args:
        optimizer: The optimizer, which makes this anew with each `build`.
    """

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.calls: dict[tuple[str, bool], tuple[list[Any], Call]] = {}
        bundled = {p.index for b in optimizer.plan.buckets for p in b.members}
        alone = [p for p in optimizer.plan.live if p.index not in bundled]
        self.parameters: list[Parameter] = [*optimizer.plan.buckets, *alone]

    def move(self, direction: str, keep: bool) -> Pairs:
        """Write what a rule makes of each weight and its slots.

        Args:
            direction: The method of the rule, `"to_training"` or `"to_evaluation"`.
            keep: Whether to return copies of what was there before, with the variables.
        """
        form = _form(self.optimizer)
        before, call = self.calls.get((direction, keep), ([], None))
        same = len(before) == len(form) and all(map(_is, before, form))
        if call is None or not same:
            make = _COMPILE[keras.backend.backend()]
            call = make(self, direction, keep)
            self.calls[direction, keep] = form, call
        return call()

    def pairs(self, direction: str) -> Pairs:
        """Return variables, which are none of a bucket's but their own, and values."""
        rule = getattr(self.optimizer, direction)
        found: Pairs = []
        for p in self.parameters:
            w = ops.cast(read(p.variable), p.dtype)
            was = {k: ops.cast(read(v), p.dtype) for k, v in p.slots.items()}
            new_w, new_s = rule(w, Record(**was), _Values(self.optimizer, p))
            pairs = [(p.variable, new_w)]
            pairs += [(p.slots[k], x) for k, x in new_s.items() if x is not was[k]]
            for variable, x in pairs:
                found += _apart(variable, x)
        return [(v, ops.cast(x, v.dtype)) for v, x in found]

    def variables(self) -> list[Variable]:
        """Return everything that a move may read."""
        own = [v for p in self.parameters for v in (p.variable, *p.slots.values())]
        apart = [x for v in own for x in getattr(v, "variables", [v])]
        optimizer = self.optimizer
        once = [*optimizer.live.variables.values(), optimizer.updates]
        once += [v for s in optimizer.plan.shared.values() for v in s.values()]
        rate = optimizer.base_learning_rate
        once += [rate] if isinstance(rate, keras.Variable) else []
        return [*apart, *once]


class _Values:
    """The hyperparameters of a weight, each made when the rule asks for it."""

    def __init__(self, optimizer: Any, p: Parameter) -> None:
        self._optimizer, self._p = optimizer, p

    def __getattr__(self, name: str) -> Any:
        optimizer, p = self._optimizer, self._p
        field, step = optimizer.fields.get(name), read(optimizer.updates)
        if field is None or field.keras_owned:  # the rate, and what `prepare` derives
            return getattr(Hyperparameters(optimizer).cast[p.group, p.dtype], name)
        group = optimizer.groups[p.group].hyperparameters if p.group >= 0 else {}
        if name in group:
            value = as_tensor(field, group[name], step)
        else:
            value = optimizer.live.tensor(field, step)
        return Record(value=value).cast(p.dtype).value


def _form(optimizer: Any) -> list[Any]:
    """Return what a compiled call takes for constant: all values that are no numbers."""
    return [
        None if isinstance(x, float | int) else x for x in optimizer.live.values.values()
    ]


def _is(a: Any, b: Any) -> bool:
    return a is b


def _apart(variable: Variable, x: Tensor) -> Pairs:
    """Return the variables of a bucket, each with its value."""
    if not isinstance(variable, Joined):
        return [(variable, x)]
    parts = pieces(x, variable.variables)
    return list(zip(variable.variables, parts, strict=True))


def _on_tensorflow(moves: Moves, direction: str, keep: bool) -> Call:
    import tensorflow as tf

    variables: list[Variable] = []

    @tf.function(autograph=False)
    def move() -> list[Tensor]:
        pairs = moves.pairs(direction)
        variables[:] = [v for v, _ in pairs]
        old = [tf.identity(read(v)) for v in variables] if keep else []
        with tf.control_dependencies([*(x for _, x in pairs), *old]):
            commit(pairs)
        return old

    return lambda: list(zip(variables, move(), strict=False))


def _on_jax(moves: Moves, direction: str, keep: bool) -> Call:
    held, variables = moves.variables(), []

    @jax_module().jit
    def compute(values: list[Tensor]) -> list[Tensor]:
        with keras.StatelessScope(list(zip(held, values, strict=True))):
            pairs = moves.pairs(direction)
        variables[:] = [v for v, _ in pairs]
        return [x for _, x in pairs]

    def move() -> Pairs:
        new = compute([v.value for v in held])
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
