"""Normalization statistics computed anew from data."""

from __future__ import annotations

from typing import Any

import keras

from keras_optlab.averaging.batches import NotReadableError, input_batches
from keras_optlab.core.arguments import number
from keras_optlab.core.errors import shown
from keras_optlab.engine import refresh_statistics


def refresh_normalization(
    model: keras.Model, data: Any, steps: int = 100, batch_size: int = 32
) -> None:
    r"""Compute the running statistics of a model's normalization layers from data.

    Weights that no step has trained, such as an average (`SWA`, `LAWA`) or a `soup`,
    have other activations than the weights whose statistics `BatchNormalization` keeps.
    This replaces the statistics by the mean over batches, each batch weighted by its
    number of examples $n_i$:

    $$\mu = \frac{\sum_i n_i \mu_i}{\sum_i n_i}, \qquad
      \sigma^2 = \frac{\sum_i n_i \sigma_i^2}{\sum_i n_i}$$

    with $\mu_i$ and $\sigma_i^2$ as the layer computes them in training: the whole
    model runs forward with `training=True`, so that `Dropout` and augmentation act as
    in training. Weights, seeds, metrics and other state stay as they are. Frozen layers
    are left out. A model without such layers does not change.

    If the model's optimizer has evaluation weights, the statistics are those of the
    evaluation weights; training goes on with its own. `fit` calls this by itself for
    optimizers that need it, with its `x`, before evaluation, prediction and saving, and
    at its end.

    Args:
        model: A built model.
        data: Inputs, as `fit` takes them in `x`: arrays, a `tf.data.Dataset`, a
            `PyDataset`, or an iterable of batches; targets in batches are ignored.
            Arrays are read in a fixed random order.
        steps: Batches to read at most; integer >= 1.
        batch_size: Examples in a batch of arrays; integer >= 1. As in training, small
            batches give a smaller variance.

    Raises:
        TypeError: if `model` is not a Keras model, or the data cannot be read.
        ValueError: if the model is not built, or a number is out of range.

    Source: Izmailov et al., 2018, arXiv:1803.05407, section 3.2; as
    `torch.optim.swa_utils.update_bn`, which counts a smaller last batch as a whole one.

    >>> import numpy as np
    >>> layers = [keras.Input((1,)), keras.layers.BatchNormalization()]
    >>> model = keras.Sequential(layers)
    >>> refresh_normalization(model, np.array([[1.0], [3.0]]))
    >>> [x.tolist() for x in model.get_weights()[2:]]
    [[2.0], [1.0]]
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`refresh_normalization` takes a keras.Model. "
            f"Received: model={shown(model)}"
        )
    if not model.built:
        raise ValueError(
            f"The model has no weights yet. Received: model={shown(model)}. Build it "
            "first, with an Input layer, `model.build`, or `fit`."
        )
    steps, batch_size = check_counts(steps, batch_size)
    try:
        refresh_statistics(model, input_batches(data, batch_size, steps))
    except NotReadableError as error:
        raise TypeError(f"`data`: {error}. Received: data={shown(data)}") from None


def check_counts(steps: Any, batch_size: Any) -> tuple[int, int]:
    """Return the numbers of batches at most, and of examples in one."""
    return (
        number("steps", steps, ">= 1", "batches at most", integer=True),
        number("batch_size", batch_size, ">= 1", "examples in a batch", integer=True),
    )
