"""Update rules in float64 NumPy, each transcribed from its paper.

One file a rule, one function a file: `rule(w, g, s, t, lr, **hyper)` returns the new
weights from the old ones, the gradient, the rule's state (a dict that the rule fills,
empty before the first step), the step counted from 1, and the learning rate. Names and
defaults of hyperparameters are those of the classes in `keras_optlab.optimizers`.
"""

from importlib import import_module

import numpy as np

DEFAULT_DECAY = {"adamw": 0.004}


def rule(name):
    """Return the function of a rule by the name of its file."""
    return getattr(import_module(f"{__name__}.{name}"), name)


def run(name, w, grads, learning_rate, weight_decay=None, **hyper):
    """Return the weights after each step.

    The learning rate, the decay and every hyperparameter may be functions of the step,
    counted from 0. The decay is decoupled: it shrinks the old weights before the rule
    sees them.
    """
    if weight_decay is None:
        weight_decay = DEFAULT_DECAY.get(name, 0.0)
    w, state, path = np.asarray(w, "float64"), {}, []
    for step, g in enumerate(grads):
        lr = at(step, learning_rate)
        w = w - lr * at(step, weight_decay) * w
        now = {key: at(step, value) for key, value in hyper.items()}
        w = rule(name)(w, np.asarray(g, "float64"), state, step + 1, lr, **now)
        path.append(w)
    return path


def at(step, value):
    """Return a number, or a function's value at a step."""
    return value(step) if callable(value) else value
