"""The matrices of a model's weights, as its layers use them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import keras
from keras import layers

from keras_optlab.core.axes import (
    Matrices,
    depthwise,
    from_path,
    last_is_output,
    of_cell,
    positions_of,
)
from keras_optlab.core.types import Variable
from keras_optlab.engine.backend.keras_adapter import own_weights, sublayers

Shape = tuple[int, ...]
Found = dict[int, Matrices | None]  # by id of a weight

DEPTHWISE = layers.DepthwiseConv1D, layers.DepthwiseConv2D
SEPARABLE = layers.SeparableConv1D, layers.SeparableConv2D
CONVOLUTIONS = layers.Conv1D, layers.Conv2D, layers.Conv3D
TRANSPOSED = layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose
ATTENTIONS = layers.MultiHeadAttention, layers.GroupQueryAttention
# Layers that leave the outputs of the one before them as they are, in another form.
PASSING = (
    layers.Activation,
    layers.Dropout,
    layers.Flatten,
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.Identity,
    layers.LeakyReLU,
    layers.ReLU,
    layers.Reshape,
    layers.Softmax,
)


def find_matrices(models: Iterable[keras.Model]) -> Found:
    """Return the matrices of the weights of models, by id of a weight.

    Vectors, and what a layer of Keras uses as a vector, have `None`.
    """
    found: Found = {}
    for model in models:
        parts = [model, *sublayers(model)]
        in_heads = {id(v) for layer in heads_of(model) for v in layer.weights}
        attentions = [x for x in parts if isinstance(x, ATTENTIONS)]
        attention = {id(x) for one in attentions for x in sublayers(one)}
        for layer in parts:
            for v in own_weights(layer):
                seen = of_weight(layer, v, id(layer) in attention)
                if seen is not None and id(v) in in_heads and seen.role == "hidden":
                    seen = replace(seen, role="head")
                found[id(v)] = seen
    return found


def of_weight(layer: keras.Layer, v: Variable, in_attention: bool) -> Matrices | None:
    """Return the matrices of a layer's weight."""
    shape, name = tuple(v.shape), v.name
    if len(shape) < 2:
        return None
    if isinstance(layer, layers.Embedding):
        return last_is_output(shape, role="embedding")
    if isinstance(layer, layers.EinsumDense):
        return from_equation(layer, shape, in_attention) if name == "kernel" else None
    if hasattr(layer, "recurrent_kernel"):
        return of_cell(shape, gates_of(layer)) if "kernel" in name else None
    if isinstance(layer, DEPTHWISE) or name == "depthwise_kernel":
        return depthwise(shape) if "kernel" in name else None
    if isinstance(layer, TRANSPOSED):
        last = len(shape) - 1
        inputs, outputs = (*range(last - 1), last), (last - 1,)
        return Matrices(shape, inputs, outputs, positions=positions_of(shape))
    if isinstance(layer, CONVOLUTIONS) and layer.groups > 1:
        return of_groups(shape, layer.groups)
    if isinstance(layer, (layers.Dense, *CONVOLUTIONS, *SEPARABLE)):
        return last_is_output(shape)
    return from_path(v.path, shape)


def from_equation(
    layer: layers.EinsumDense, shape: Shape, in_attention: bool
) -> Matrices | None:
    """Return the matrices of a kernel by the letters of its equation.

    A letter of the kernel that the output has, and the input has not, is an output.
    One that both have counts matrices. The others are summed over: inputs.
    """
    operands, output = layer.equation.replace(" ", "").split("->")
    given, kernel = operands.split(",")
    places = list(enumerate(kernel.replace(".", "")))
    outputs = tuple(i for i, x in places if x in output and x not in given)
    inputs = tuple(i for i, x in places if x not in output)
    if not inputs or not outputs:
        return None
    heads = None
    if in_attention and len(shape) == 3:
        heads = inputs[0] if len(inputs) > 1 else outputs[0]
    return Matrices(shape, inputs, outputs, heads=heads)


def gates_of(cell: Any) -> int:
    """Return the number of gates of a recurrent cell: 4 for an LSTM."""
    units = getattr(cell, "units", None) or getattr(cell, "filters", None)
    return cell.recurrent_kernel.shape[-1] // units if units else 1


def of_groups(shape: Shape, groups: int) -> Matrices:
    """Return the matrices of a grouped convolution, one for each group."""
    last = len(shape) - 1
    parts = (*shape[:-1], groups, shape[-1] // groups)
    inputs = tuple(range(last))
    return Matrices(
        shape, inputs, (last + 1,), split=parts, positions=positions_of(shape)
    )


def heads_of(model: keras.Layer) -> Iterator[keras.Layer]:
    """Return the layers whose outputs are the model's; none for a subclassed model."""
    if isinstance(model, keras.Sequential):
        last = [x for x in model.layers if not isinstance(x, PASSING)][-1:]
        for layer in last:
            yield from heads_of(layer)
    elif isinstance(model, keras.Model) and hasattr(model, "operations"):
        for output in keras.tree.flatten(model.outputs):
            yield from _makers(output)
    elif not isinstance(model, keras.Model):
        yield model


def _makers(tensor: Any) -> Iterator[keras.Layer]:
    """Return the layer that makes a symbolic tensor, before layers that pass it on."""
    maker = tensor._keras_history.operation
    node = maker._inbound_nodes[tensor._keras_history.node_index]
    if isinstance(maker, PASSING):
        for before in node.input_tensors:
            yield from _makers(before)
    elif isinstance(maker, keras.Layer):
        yield from heads_of(maker)
