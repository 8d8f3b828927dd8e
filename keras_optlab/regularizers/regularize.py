"""Regularizers for a built model."""

from __future__ import annotations

from typing import Any

import keras

from keras_optlab.core.attach import Attachments, Globs, attach, check, select


def regularize(
    model: keras.Layer, *, match: Globs = "*", skip: Globs = (), **rules: Any
) -> Attachments:
    """Attach regularizers to the weights of a built model.

    Each keyword is the name of a weight (the last component of its path: `kernel`,
    `bias`, `recurrent_kernel`, `embeddings`, `gamma`, ...). Its value is the
    regularizer of all weights with this name, also in nested models and nested layers.
    The effect is the same as passing the regularizers to the layers' constructors. From
    the next step on, also in a model that was trained before, the loss contains

        Σ regularizer(w) over the trainable weights w

    An existing regularizer is replaced, and the result says so. The regularizer of a
    frozen weight acts once the weight is trainable again.

    The layers store the regularizers too, so they survive saving and loading the model.
    Some layers cannot store one: `RMSNormalization`, a subclassed model without a
    configuration, or some of the kernels of a `MultiHeadAttention`, which has one
    argument for all of them. The result then says that it is not saved; call this
    function again after loading. A larger model that contains this one, or a custom
    compiled step, must be compiled again to see the change. Call this function before
    or between calls of `fit`, or in a callback at the beginning of an epoch.

    Args:
        model: A built model, or layer.
        match: Glob, or list of globs, on the path of a weight; only matching weights
            get a regularizer. A glob matches whole components anywhere in the path; the
            name of a layer matches all its weights, as in `Group`. Defaults to all.
        skip: Glob, or list of globs, on the path of weights to leave unchanged.
            Defaults to none.
        **rules: A regularizer for each weight name: any callable from a tensor to a
            scalar.

    Returns:
        A tuple with one entry per regularized weight, in the order of `model.weights`,
        with the attributes `path`, `value`, `replaced`, `trainable` and `saved`. It
        prints as one line per weight.

    Raises:
        ValueError: if the model has no weights yet, or a rule or a glob of `skip`
            matches no weight. Nothing is attached then.
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
