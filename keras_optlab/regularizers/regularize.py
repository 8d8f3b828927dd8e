"""Regularizers for a model that is built already."""

from __future__ import annotations

from typing import Any

import keras

from keras_optlab.core.attach import Attachments, Globs, attach, check, select


def regularize(
    model: keras.Layer, *, match: Globs = "*", skip: Globs = (), **rules: Any
) -> Attachments:
    """Give weights of a built model their regularizers, as if constructed with them.

    Each keyword is the name of a weight (the last component of its path: `kernel`,
    `bias`, `recurrent_kernel`, `embeddings`, `gamma`, ...) and its value the
    regularizer of all weights of this name, in nested models and in layers of layers
    too. From the next step on, also of a model that was trained before, the loss
    contains

        Σ regularizer(w) over the weights w that are trainable

    A weight that has another regularizer gets the new one, and the result says so. A
    frozen weight gets one that acts once the weight is trainable again.

    The layers are told too, so that a regularizer is there after saving the model and
    loading it. Where a layer does not keep one (`RMSNormalization`, a subclassed model
    without a configuration, a part of the kernels of a `MultiHeadAttention`, which has
    one argument for all), the result says that it is not saved; call again after
    loading. What was compiled outside of this model, such as a larger model that
    contains it or a step of one's own, does not see the change until it is compiled
    again. Call it before or between calls of `fit`, or in a callback when an epoch
    begins.

    Args:
        model: A built model, or layer.
        match: Glob, or list of globs, on the path of a weight; only those that are
            found get a regularizer. A glob matches whole components anywhere in the
            path, and the name of a layer all its weights, as in `Group`. Defaults to
            all.
        skip: Glob, or list of globs, on the path of weights to leave as they are.
            Defaults to none.
        **rules: For each name of a weight a regularizer: any callable from a tensor to
            a scalar.

    Returns:
        What was attached, in the order of `model.weights`: a tuple of `path`, `value`,
        `replaced`, `trainable` and `saved`, which prints as a line for each weight.

    Raises:
        ValueError: if the model has no weights yet, or a rule or a glob of `skip` finds
            none. Nothing is attached then.
        TypeError: if a value is not a regularizer.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)),
        ...                           keras.layers.Dense(4, name="hidden"),
        ...                           keras.layers.Dense(1, name="head")], name="net")
        >>> from keras_optlab.regularizers import L1, L2, regularize
        >>> regularize(model, kernel=L2(1e-4), skip="head")
        net/hidden/kernel  L2(l2=0.0001)
        >>> regularize(model, kernel=L1(1e-5), bias=L1(1e-5), match="hidden")
        net/hidden/kernel  L1(l1=1e-05)  (replaces L2(l2=0.0001))
        net/hidden/bias  L1(l1=1e-05)
    """
    found = select(model, rules, match, skip)
    check(found, "regularizer", fits=lambda result, _: result == ())
    return attach(model, found, "regularizer")
