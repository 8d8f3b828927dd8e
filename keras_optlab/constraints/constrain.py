"""Constraints for a model that is built already."""

from __future__ import annotations

from typing import Any

import keras

from keras_optlab.core.attach import Attachments, Globs, attach, check, select


def constrain(
    model: keras.Layer, *, match: Globs = "*", skip: Globs = (), **rules: Any
) -> Attachments:
    """Give weights of a built model their constraints, as if constructed with them.

    Each keyword is the name of a weight (the last component of its path: `kernel`,
    `bias`, `recurrent_kernel`, `embeddings`, `gamma`, ...) and its value the
    constraint of all weights of this name, in nested models and in layers of layers
    too. Each update then ends with

        w ← constraint(w)

    inside the compiled step, also of a model that was trained before. The trainable
    weights are projected at once as well, so that they obey from now on; Keras alone
    leaves the initial weights as they are until their first update. A frozen weight
    stays as it is, and its constraint acts once it is trainable again.

    A weight that has another constraint gets the new one, and the result says so. What
    `keras_optlab.regularizers.regularize` says of saving, of what was compiled outside
    of the model, and of when to call it is true here too.

    Args:
        model: A built model, or layer.
        match: Glob, or list of globs, on the path of a weight; only those that are
            found get a constraint. A glob matches whole components anywhere in the
            path, and the name of a layer all its weights, as in `Group`. Defaults to
            all.
        skip: Glob, or list of globs, on the path of weights to leave as they are.
            Defaults to none.
        **rules: For each name of a weight a constraint: any callable from a tensor to
            one of the same shape. Mind the `axis` of a norm, which is not the same for
            a matrix and the kernel of a convolution.

    Returns:
        What was attached, in the order of `model.weights`: a tuple of `path`, `value`,
        `replaced`, `trainable` and `saved`, which prints as a line for each weight.

    Raises:
        ValueError: if the model has no weights yet, a rule or a glob of `skip` finds
            none, or a constraint refuses its weight. Nothing is attached then.
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
