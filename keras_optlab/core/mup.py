"""muP: rates and initial weights of a wide model from those of a narrow one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_optlab.core.errors import shown
from keras_optlab.core.groups import Group
from keras_optlab.core.layerwise import parts_of
from keras_optlab.core.number_checks import as_number
from keras_optlab.core.paths import unique_paths, unnumbered
from keras_optlab.core.types import Variable

KINDS = "adam", "sgd"


@dataclass(frozen=True)
class WidthRatio:
    """A weight of a model, beside the same weight of its base model.

    Attributes:
        weight: The weight.
        base: That of the base model.
        path: Its unique path.
        fan_in: Ratio of the numbers of inputs that one output sums; 1 for a vector.
        fan_out: Ratio of the numbers of outputs.
    """

    weight: Variable
    base: Variable
    path: str
    fan_in: float
    fan_out: float

    def rate(self, kind: str) -> float:
        """Return the factor on the learning rate."""
        return (1.0 if kind == "adam" else self.fan_out) / self.fan_in

    @property
    def deviation(self) -> float:
        """Standard deviation of the initial weight in units of the base weight's."""
        is_output = self.fan_out == 1
        return 1 / self.fan_in if is_output else 1 / math.sqrt(self.fan_in)


def mup_groups(
    model: keras.Layer,
    base_model: keras.Layer,
    kind: str = "adam",
    *,
    weight_decay: float | None = None,
) -> list[Group]:
    r"""Make groups by which the best learning rate of a narrow model fits a wide one.

    With muP, hyperparameters that were tuned on `base_model` carry over to `model`,
    which has the same layers and other widths. An axis of a weight counts as a width if
    it differs between the two. With $r_{in}$ and $r_{out}$ the ratios of the number of
    inputs and of outputs, the rate is multiplied by

    | weight | `"adam"` | `"sgd"` | standard deviation |
    |---|---|---|---|
    | input and vectors: $r_{in} = 1$ | 1 | $r_{out}$ | 1 |
    | hidden: both change | $1 / r_{in}$ | $r_{out} / r_{in}$ | $1 / \sqrt{r_{in}}$ |
    | output: $r_{out} = 1$ | $1 / r_{in}$ | $1 / r_{in}$ | $1 / r_{in}$ |

    The last column is the initial standard deviation in units of the base model's, and
    is needed too: call `mup_initialize` before training. This is Table 3 of the source,
    which needs no multipliers in the model.

    What Keras computes inside a layer stays as it is: keep `key_dim` of attention and
    change `num_heads`, since the logits are divided by $\sqrt{d}$ and not by $d$ as muP
    asks. Gradients shrink as widths grow: keep Adam's epsilon far below them. Depth,
    batch size and length of the training are not covered, nor are rules whose step
    follows the size of the weights, such as Adafactor and LAMB.

    Muon needs other factors after `mup_initialize`: for hidden matrices none with
    `scaling="jordan"`, and $1 / \sqrt{r_{in}}$ with its default scaling; for the
    output, which takes AdamW's step, $1 / r_{in}$.

    What was measured is the coordinate check of the source, on two hidden layers of 64
    to 1024 tanh units, three updates and five seeds. The change of each layer's output
    is about proportional to $\text{width}^p$, where $p$ is within 0.05 of 0 with Adam
    and these groups, and 0.8 in the second hidden layer and 1.2 in the output without
    them; with SGD within 0.18, and 0.4 and 0.9 without. That the best rate carries over
    is the source's claim, and was not measured here.

    Args:
        model: The model to train, built.
        base_model: The model on which the rate was tuned, built: the same layers in the
            same order. It is only read.
        kind: `"adam"` for elementwise rules whose step does not grow with the gradient:
            Adam and its family, RMSprop, Lion; `"sgd"` for steps that are proportional
            to it: SGD, Momentum.
        weight_decay: Decoupled weight decay $\lambda$ of the optimizer; >= 0. Groups
            then get $\lambda$ divided by their factor, so that rate times decay is that
            of the base model, as in the package `mup`. `None`: the optimizer's decay is
            multiplied by the smaller rate.

    Returns:
        One `Group` for each factor other than 1. They also fit a new model of the same
        structure, such as the models of a study: `lab.Candidate("adam",
        {"groups": mup_groups(...)})`, where the function that returns a model calls
        `mup_initialize`.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if a model is not built, their trainable weights do not correspond,
            or an argument is out of range.

    Source: Yang et al., "Tensor Programs V: Tuning Large Neural Networks via Zero-Shot
    Hyperparameter Transfer", 2022, arXiv:2203.03466, Table 3. The package `mup` has
    Table 8, which trains equally and multiplies the outputs in the model.

    >>> def mlp(width):
    ...     return keras.Sequential([keras.Input((8,)), keras.layers.Dense(width),
    ...         keras.layers.Dense(width), keras.layers.Dense(2)])
    >>> model, base_model = mlp(64), mlp(16)
    >>> [(len(g.match), g.learning_rate) for g in mup_groups(model, base_model)]
    [(2, 0.25)]
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise (ValueError if isinstance(kind, str) else TypeError)(
            f"`kind` must be 'adam' or 'sgd'. Received: kind={shown(kind)}"
        )
    decay = None if weight_decay is None else as_number(weight_decay)
    if weight_decay is not None and (decay is None or not 0 <= decay < float("inf")):
        raise (TypeError if decay is None else ValueError)(
            "`weight_decay` must be a finite number >= 0 or None. "
            f"Received: weight_decay={shown(weight_decay)}"
        )
    by_factor: dict[float, list[Variable]] = {}
    for ratio in width_ratios(model, base_model):
        by_factor.setdefault(ratio.rate(kind), []).append(ratio.weight)
    groups = []
    for factor, weights in sorted(by_factor.items()):
        if factor == 1:
            continue
        group = Group(weights, learning_rate=factor)
        if decay is not None:
            group.hyperparameters["weight_decay"] = decay / factor
        group.find(model.trainable_variables)
        group.restored = True  # a model of the same structure may take its place
        groups.append(group)
    return groups


def mup_initialize(model: keras.Layer, base_model: keras.Layer) -> None:
    r"""Scale the initial weights of a model as muP asks, from those of a narrow one.

    Each trainable weight with two or more axes is multiplied by a number, so that its
    root mean square is that of the base model's weight times the standard deviation in
    the table of `mup_groups`. Initializers may thus be any that are usual; weights that
    are zero stay zero. Call it once, before training, with both models untrained.

    Args:
        model: The model to train, built; its weights change.
        base_model: The narrow model, built and untrained; it is only read.

    Raises:
        TypeError: if an argument is not a Keras model or layer.
        ValueError: if a model is not built, or their weights do not correspond.

    >>> layers = keras.layers
    >>> narrow, wide = (keras.Sequential([keras.Input((width,)),
    ...     layers.Dense(2, kernel_initializer="ones")]) for width in (4, 16))
    >>> mup_initialize(wide, narrow)
    >>> float(wide.get_weights()[0][0, 0])
    0.25
    """
    for ratio in width_ratios(model, base_model):
        now, base = (_root_mean_square(v) for v in (ratio.weight, ratio.base))
        if len(ratio.weight.shape) > 1 and now > 0:
            factor = ratio.deviation * base / now
            ratio.weight.assign(ratio.weight * factor)


def width_ratios(model: Any, base_model: Any) -> list[WidthRatio]:
    """Return each trainable weight of a model beside that of its base model."""
    for name, given in ("model", model), ("base_model", base_model):
        if not isinstance(given, keras.Layer):
            raise TypeError(f"expected a Keras model. Received: {name}={shown(given)}")
        if not given.trainable_variables:
            raise ValueError(
                "muP needs built models with trainable weights. Received: "
                f"{name}={given!r}. Build it first, with an Input layer or model.build."
            )
    weights, others = model.trainable_variables, base_model.trainable_variables
    paths, of_others = unique_paths(weights), unique_paths(others)
    layers = {id(v): x for x in _layers(model) for v in x.trainable_variables}
    if len(weights) != len(others):
        raise _unlike(f"{len(weights)} and {len(others)} trainable weights")
    found = []
    for weight, other, path, base_path in zip(
        weights, others, paths, of_others, strict=True
    ):
        same_name = _name(path) == _name(base_path)
        if not same_name or len(weight.shape) != len(other.shape):
            raise _unlike(
                f"{path} of shape {tuple(weight.shape)} where the base model has "
                f"{base_path} of shape {tuple(other.shape)}"
            )
        inputs = input_axes(layers.get(id(weight)), weight)
        ratios = [a / b for a, b in zip(weight.shape, other.shape, strict=True)]
        fan_in = math.prod(ratios[i] for i in inputs)
        fan_out = math.prod(r for i, r in enumerate(ratios) if i not in inputs)
        found.append(WidthRatio(weight, other, path, fan_in, fan_out))
    return found


def input_axes(layer: Any, weight: Variable) -> Sequence[int]:
    """Return the axes of a weight that its layer sums over.

    They are all but the last one, unless the class of the layer tells others.
    """
    axes, kind = range(len(weight.shape)), type(layer).__name__
    if len(axes) < 2 or weight is getattr(layer, "bias", None):
        return ()
    if isinstance(layer, keras.layers.EinsumDense):
        operands, result = layer.equation.replace("...", "").split("->")
        kernel = operands.split(",")[1]
        return [i for i in axes if kernel[i] not in result]
    if isinstance(layer, keras.layers.Embedding):
        return axes[:1]
    if "DepthwiseConv" in kind or "depthwise" in weight.name:
        return axes[:-2]
    if "Transpose" in kind:
        return [i for i in axes if i != len(axes) - 2]
    return axes[:-1]


def _layers(layer: Any) -> Iterator[Any]:
    """Yield a layer and all layers inside it, the outer ones first."""
    yield layer
    for part in parts_of(layer):
        yield from _layers(part)


def _name(path: str) -> str:
    """Return the last part of a path without numbers, such as `kernel`."""
    return unnumbered(path).rpartition("/")[2]


def _unlike(what: str) -> ValueError:
    return ValueError(
        "`model` and `base_model` must have the same trainable weights in the same "
        f"order, with other widths. Received: {what}. Make both by one function of the "
        "width."
    )


def _root_mean_square(variable: Variable) -> float:
    values = keras.ops.convert_to_numpy(variable).astype("float64")
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
