"""Constraints for a built model."""

from __future__ import annotations

from typing import Any

import keras

from keras_optlab.core.attach import Attachments, Globs, attach, check, select


def constrain(
    model: keras.Layer, *, match: Globs = "*", skip: Globs = (), **rules: Any
) -> Attachments:
    """Attach constraints to the weights of a built model.

    Each keyword is the name of a weight (the last component of its path: `kernel`,
    `bias`, `recurrent_kernel`, `embeddings`, `gamma`, ...). Its value is the constraint
    of all weights with this name, also in nested models and nested layers. Each update
    then ends with

        w ← constraint(w)

    inside the compiled step, also in a model that was trained before. The trainable
    weights are also projected at once, so they satisfy the constraint from now on;
    Keras alone does not project the initial weights before their first update. A frozen
    weight is not changed; its constraint acts once it is trainable again.

    An existing constraint is replaced, and the result says so. The notes of
    `keras_optlab.regularizers.regularize` on saving, on steps compiled outside of the
    model, and on when to call it hold here too.

    Args:
        model: A built model, or layer.
        match: Glob, or list of globs, on the path of a weight; only matching weights
            get a constraint. A glob matches whole components anywhere in the path; the
            name of a layer matches all its weights, as in `Group`. Defaults to all.
        skip: Glob, or list of globs, on the path of weights to leave unchanged.
            Defaults to none.
        **rules: A constraint for each weight name: any callable from a tensor to a
            tensor of the same shape. A norm needs another `axis` for a matrix than for
            the kernel of a convolution.

    Returns:
        A tuple with one entry per constrained weight, in the order of `model.weights`,
        with the attributes `path`, `value`, `replaced`, `trainable` and `saved`. It
        prints as one line per weight.

    Raises:
        ValueError: if the model has no weights yet, a rule or a glob of `skip` matches
            no weight, or a constraint refuses its weight. Nothing is attached then.
        TypeError: if a value is not a constraint.

    Example:
        >>> model = keras.Sequential([keras.Input((8, 8, 1)),
        ...                           keras.layers.Conv2D(4, 3, name="conv"),
        ...                           keras.layers.Flatten(),
        ...                           keras.layers.Dense(1, name="head")], name="net")
        >>> from keras_optlab.constraints import MaxNorm, constrain
        >>> constrain(model, kernel=MaxNorm(3.0), skip="conv")
        net/head/kernel  MaxNorm(max_value=3.0, axis=0)
        >>> constrain(model, kernel=MaxNorm(3.0, axis=[0, 1, 2]), match="conv")
        net/conv/kernel  MaxNorm(max_value=3.0, axis=[0, 1, 2])
    """
    found = select(model, rules, match, skip)
    check(found, "constraint", fits=lambda result, shape: result == shape)
    for variable, constraint in found:
        if variable.trainable:
            variable.assign(constraint(variable))
    return attach(model, found, "constraint")
