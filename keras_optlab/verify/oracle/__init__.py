"""Update rules in float64 NumPy, each transcribed from its paper.

One file per rule, one function per file: `rule(w, g, s, t, lr, **hyper)` returns the
new weights from the old weights, the gradient, the rule's state (a dict that the rule
fills; before the first step it holds the initial weights as "start"), the step counted
from 1, and the learning rate. Hyperparameters have the names and defaults of the
classes in `keras_optlab.optimizers`. A rule that needs all weights at once takes lists,
`ws` and `gs`, and returns a list.

A wrapper takes one more argument, the first: `inner(ws, gs)` takes a step of the
wrapped rule and returns the new weights.
"""

from importlib import import_module
from inspect import signature

import numpy as np

from keras_optlab import optimizers

DEFAULT_DECAY = {"adamw": 0.004, "nadamw": 0.01, "tiger": 0.01, "stableadamw": 0.01}
# Wrappers whose inner steps include decay.
DECAYING = "mechanic", "schedulefree", "hyperball"


OTHERS = {}  # rules of classes outside of the package, by name


def rule(name):
    """Return the function of a rule, which has the name of its class' file."""
    if name in OTHERS:
        return OTHERS[name]
    stem = optimizers.info(name).cls.__module__.rpartition(".")[2]
    return getattr(import_module(f"{__name__}.{stem}"), stem)


def run(name, ws, grads, learning_rate, weight_decay=None, wrappers=(), **hyper):
    """Return all weights after all steps of a rule in `wrappers`, the innermost first.

    The learning rate, the weight decay and every hyperparameter may be functions of the
    step, counted from 0. Weight decay is decoupled: it shrinks the old weights before
    the rule's step, unless the rule has a `weight_decay` argument.
    """
    if weight_decay is None:
        weight_decay = DEFAULT_DECAY.get(name, 0.0)
    step_of = for_all(rule(name))
    decays_itself = "weight_decay" in signature(rule(name)).parameters
    for wrapper in wrappers:
        if wrapper in DECAYING and not decays_itself:
            step_of, decays_itself = decayed(step_of), True
        step_of = around(step_of, rule(wrapper))
    ws = [np.asarray(w, "float64") for w in ws]
    state = {"start": ws}
    for step, gs in enumerate(grads):
        lr, decay = at(step, learning_rate), at(step, weight_decay)
        now, here = {key: at(step, value) for key, value in hyper.items()}, ws
        if decays_itself:
            now["weight_decay"] = decay
        else:
            ws = [w - lr * decay * w for w in ws]
        gs = [np.asarray(g, "float64") for g in gs]
        state["here"] = here  # the weights that the gradients belong to
        ws = step_of(ws, gs, state, step + 1, lr, **now)
    return ws


def for_all(function):
    """Return a rule as a function of all weights, if it is not one already."""
    if "ws" in signature(function).parameters:
        return function

    def step_of(ws, gs, state, t, lr, **hyper):
        own = state.setdefault("own", [{"start": w} for w in state["start"]])
        return [
            function(w, g, s, t, lr, **now)
            for w, g, s, now in zip(ws, gs, own, by_weight(hyper, ws), strict=True)
        ]

    return step_of


def by_weight(hyper, ws):
    """Return the hyperparameters of each weight; a list has one value for each."""
    return [
        {key: v[i] if isinstance(v, list) else v for key, v in hyper.items()}
        for i in range(len(ws))
    ]


def at(step, value):
    """Return a number, or a function's value at a step."""
    return value(step) if callable(value) else value


def around(step_of, wrapper):
    """Return a wrapped rule as a rule."""
    takes = signature(wrapper).parameters

    def wrapped(ws, gs, state, t, lr, **hyper):
        own = {key: hyper.pop(key) for key in takes if key in hyper}
        s = state.setdefault(wrapper.__name__, {"start": state["start"]})
        s["here"] = state["here"]

        def inner(ws, gs, scale=1.0, **changes):
            return step_of(ws, gs, state, t, lr * scale, **hyper | changes)

        inner.rate = lr
        return wrapper(inner, ws, gs, s, t, **own)

    return wrapped


def decayed(step_of):
    """Return a rule with decoupled weight decay as part of its steps."""

    def decaying(ws, gs, state, t, lr, *, weight_decay, **hyper):
        new = step_of(ws, gs, state, t, lr, **hyper)
        decays = [row["of"] for row in by_weight({"of": weight_decay}, ws)]
        return [x - lr * d * w for x, w, d in zip(new, ws, decays, strict=True)]

    return decaying
