"""On TensorFlow: ours, Keras' and TensorFlow's own fused kernels.

Steps are made in a loop within the graph, as `steps_per_execution` does: to hand
hundreds of tensors to a graph takes longer than a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from workloads import touched_rows

from contenders.ours import Shapes, Step, arrays, copying, ours, twin

raw = tf.raw_ops

AT_ONCE = 5  # steps


def steps(name: str, shapes: Shapes) -> dict[str, Callable[[], Step]]:
    """Return what makes the step of each contender."""
    entries = {
        "ours": lambda: applied(ours(name), shapes),
        "ours, unguarded": lambda: applied(ours(name, skip_non_finite=False), shapes),
    }
    if twin(name):
        entries["keras"] = lambda: applied(twin(name), shapes)
    if name in KERNELS:
        entries["TF kernels"] = lambda: fused(*KERNELS[name], shapes)
    return entries | {"copy": copying(name, shapes)}


def embedding(name: str, shapes: Shapes) -> dict[str, Callable[[], Step]]:
    """The same for a table and a gradient of some of its rows."""
    at, rows = map(tf.Variable, touched_rows(shapes[0]))  # no constants to fold

    def gradients() -> list[Any]:
        return [tf.IndexedSlices(rows + 0.0, at + 0, tf.constant(shapes[0]))]

    entries = {
        "ours": lambda: applied(ours(name, sparse="lazy"), shapes, gradients),
        "ours, dense": lambda: applied(ours(name), shapes, gradients),
    }
    if twin(name):
        entries["keras"] = lambda: applied(twin(name), shapes, gradients)
    return entries


def applied(optimizer: Any, shapes: Shapes, gradients: Any = None) -> Step:
    """Return the compiled step of a Keras optimizer."""
    weights = [keras.Variable(w, name=f"w{i}") for i, w in enumerate(arrays(shapes, 0))]
    whole = [] if gradients else [tf.constant(g) for g in arrays(shapes, 1)]
    gradients = gradients or (lambda: list(whole))
    optimizer.build(weights)
    return looped(lambda: optimizer.apply(gradients(), weights))


def fused(slots: int, kernel: Callable[..., Any], shapes: Shapes) -> Step:
    """Return the compiled step of a kernel for each weight."""
    weights = [tf.Variable(w) for w in arrays(shapes, 0)]
    states = [[tf.Variable(tf.zeros(s)) for _ in range(slots)] for s in shapes]
    gradients = [tf.constant(g) for g in arrays(shapes, 1)]
    t = tf.Variable(0.0)

    def apply() -> None:
        now = t.assign_add(1.0)
        powers = tf.pow(0.9, now), tf.pow(0.999, now)
        for w, state, g in zip(weights, states, gradients, strict=True):
            kernel(w.handle, *(s.handle for s in state), g, powers)

    return looped(apply)


def looped(apply: Callable[[], None]) -> Step:
    """Return several steps in one execution."""

    @tf.function
    def graph() -> None:
        for _ in tf.range(AT_ONCE):
            apply()

    def step() -> int:
        graph()
        return AT_ONCE

    step()
    return step


def adam(w: Any, m: Any, v: Any, g: Any, powers: Any) -> None:
    raw.ResourceApplyAdam(
        var=w,
        m=m,
        v=v,
        beta1_power=powers[0],
        beta2_power=powers[1],
        lr=0.001,
        beta1=0.9,
        beta2=0.999,
        epsilon=1e-7,
        grad=g,
    )


def adamax(w: Any, m: Any, v: Any, g: Any, powers: Any) -> None:
    raw.ResourceApplyAdaMax(
        var=w,
        m=m,
        v=v,
        beta1_power=powers[0],
        lr=0.001,
        beta1=0.9,
        beta2=0.999,
        epsilon=1e-7,
        grad=g,
    )


def sgd(w: Any, accum: Any, g: Any, _: Any) -> None:
    raw.ResourceApplyKerasMomentum(var=w, accum=accum, lr=0.01, grad=g, momentum=0.9)


def adagrad(w: Any, accum: Any, g: Any, _: Any) -> None:
    raw.ResourceApplyAdagradV2(var=w, accum=accum, lr=0.001, epsilon=1e-7, grad=g)


def adadelta(w: Any, accum: Any, update: Any, g: Any, _: Any) -> None:
    raw.ResourceApplyAdadelta(
        var=w,
        accum=accum,
        accum_update=update,
        lr=0.001,
        rho=0.95,
        epsilon=1e-7,
        grad=g,
    )


def ftrl(w: Any, accum: Any, linear: Any, g: Any, _: Any) -> None:
    raw.ResourceApplyFtrlV2(
        var=w,
        accum=accum,
        linear=linear,
        grad=g,
        lr=0.001,
        l1=0.0,
        l2=0.0,
        l2_shrinkage=0.0,
        lr_power=-0.5,
    )


def rmsprop(w: Any, ms: Any, mom: Any, g: Any, _: Any) -> None:
    raw.ResourceApplyRMSProp(
        var=w, ms=ms, mom=mom, lr=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, grad=g
    )


# Each entry: the number of slots, and the kernel.
KERNELS: dict[str, tuple[int, Callable[..., Any]]] = {
    "adadelta": (2, adadelta),
    "adagrad": (1, adagrad),
    "adam": (2, adam),
    "adamax": (2, adamax),
    "ftrl": (2, ftrl),
    "rmsprop": (2, rmsprop),
    "sgd": (1, sgd),
}
