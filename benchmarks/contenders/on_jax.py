"""On JAX: ours, Keras' and optax', each compiled with its state donated."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import keras
from jax.experimental.sparse import BCOO
from workloads import touched_rows

from contenders.ours import Shapes, Step, arrays, copying, ours, twin

with contextlib.suppress(ImportError):  # then it does not compete
    import optax

OPTAX: dict[str, Callable[[], Any]] = {
    "adadelta": lambda: optax.adadelta(0.001),
    "adagrad": lambda: optax.adagrad(0.001),
    "adam": lambda: optax.adam(0.001),
    "adamax": lambda: optax.adamax(0.001),
    "adamw": lambda: optax.adamw(0.001, weight_decay=0.004),
    "lion": lambda: optax.lion(0.001),
    "nadam": lambda: optax.nadam(0.001),
    "rmsprop": lambda: optax.rmsprop(0.001),
    "sgd": lambda: optax.sgd(0.01, momentum=0.9),
}


def steps(name: str, shapes: Shapes) -> dict[str, Callable[[], Step]]:
    """Return what makes the step of each contender."""
    entries = {
        "ours": lambda: applied(ours(name), shapes),
        "ours, unguarded": lambda: applied(ours(name, skip_non_finite=False), shapes),
    }
    if twin(name):
        entries["keras"] = lambda: applied(twin(name), shapes)
    if name in OPTAX and "optax" in globals():
        entries["optax"] = lambda: transformed(OPTAX[name](), shapes)
    return entries | {"copy": copying(name, shapes)}


def embedding(name: str, shapes: Shapes) -> dict[str, Callable[[], Step]]:
    """The same for a table and a gradient of some of its rows; Keras takes no such."""
    at, rows = touched_rows(shapes[0])
    gradient = BCOO(
        (jax.numpy.array(rows), jax.numpy.array(at)[:, None]), shape=shapes[0]
    )
    return {
        "ours": lambda: applied(ours(name, sparse="lazy"), shapes, [gradient]),
        "ours, dense": lambda: applied(ours(name), shapes, [gradient]),
    }


def applied(optimizer: Any, shapes: Shapes, gradients: Any = None) -> Step:
    """Return the compiled step of a Keras optimizer."""
    weights = [keras.Variable(w, name=f"w{i}") for i, w in enumerate(arrays(shapes, 0))]
    optimizer.build(weights)

    def update(state: Any, weights: Any, gradients: Any) -> Any:
        weights, state = optimizer.stateless_apply(state, gradients, weights)
        return state, weights

    return stepping(
        update,
        [jax.numpy.copy(v.value) for v in optimizer.variables],
        [jax.numpy.copy(v.value) for v in weights],
        gradients or whole(shapes),
    )


def transformed(rule: Any, shapes: Shapes) -> Step:
    """Return the compiled step of a rule of optax."""
    weights = [jax.numpy.array(w) for w in arrays(shapes, 0)]

    def update(state: Any, weights: Any, gradients: Any) -> Any:
        updates, state = rule.update(gradients, state, weights)
        return state, optax.apply_updates(weights, updates)

    return stepping(update, rule.init(weights), weights, whole(shapes))


def whole(shapes: Shapes) -> list[Any]:
    return [jax.numpy.array(g) for g in arrays(shapes, 1)]


def stepping(update: Any, state: Any, weights: Any, gradients: Any) -> Step:
    """Return a step that goes on from the last one."""
    compiled = jax.jit(update, donate_argnums=(0, 1))
    now = [state, weights]

    def step() -> int:
        now[:] = jax.block_until_ready(compiled(*now, gradients))
        return 1

    step()
    return step
