"""The names of an optimizer that `dir` and completion show."""

from __future__ import annotations

import functools
import inspect

import keras

from keras_optlab.engine.contract import BuiltOptimizer

# Names for users. Other names in the bases of an optimizer are for the engine and for
# authors of rules.
PUBLIC = {
    "adjust",
    "attach",
    "current",
    "current_learning_rate",
    "drive",
    "evaluation_weights",
    "release",
    "skipped_steps",
    "span",
    "training_weights",
    "updates",
}


def is_public(name: str, base: type) -> bool:
    """Return whether `dir` shows a name: an argument, or one of Keras or a subclass.

    Args:
        name: The name.
        base: `Optimizer`; its other names are for the engine.
    """
    return name not in _internal(base)


@functools.cache
def _internal(base: type) -> set[str]:
    keras_names = set(dir(keras.optimizers.Optimizer))
    ours = [
        c for c in (*base.__mro__, BuiltOptimizer) if "keras_optlab" in c.__module__
    ]
    names = {k for c in ours for k in (*vars(c), *inspect.get_annotations(c))}
    shown = {*PUBLIC, *base.fields, "built"}  # pyright: ignore[reportAttributeAccessIssue]
    return {k for k in names - keras_names - shown if not k.startswith("_")}
