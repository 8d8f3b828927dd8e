"""Uses of the private API of Keras' attention layers: their logits and projections.

Checked in Keras 3.15. Private names used, and why no public name suffices:

- `_compute_attention`: the only method that gets the projected queries and keys with
  the complete mask. It is wrapped on single layers, and runs as it is.
- `_query_dense`, `_key_dense`: the layers with the kernels and biases.
- `_dot_product_equation`, `_attention_axes`: which axes of the logits are which.
- `_inverse_sqrt_key_dim`, `_inverse_sqrt_head_dim`: the factor on the logits.
- `_compute_causal_mask`: the mask, where Keras leaves it to a kernel.
- `_flash_attention`: whether the layer was asked for flash attention.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from keras_optlab.core.numerics import maximum
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.replicas import max_over_replicas

ATTENTIONS = layers.MultiHeadAttention, layers.GroupQueryAttention
METHOD = "_compute_attention"


def attends_by_itself(layer: keras.Layer) -> bool:
    """Return whether a subclass of Keras' attention layers overrides the attention."""
    own = getattr(type(layer), METHOD)
    return not any(own is getattr(kind, METHOD) for kind in ATTENTIONS)


def asks_for_flash_attention(layer: Any) -> bool:
    """Return whether an attention layer insists on flash attention."""
    return bool(layer._flash_attention)


def projections(layer: Any) -> tuple[Any, Any]:
    """Return the layers that compute queries and keys; `None`s before `build`."""
    return getattr(layer, "_query_dense", None), getattr(layer, "_key_dense", None)


def query_heads(layer: Any) -> int:
    """Return the number of heads of the queries."""
    grouped = isinstance(layer, layers.GroupQueryAttention)
    return layer.num_query_heads if grouped else layer.num_heads


def shares_keys(layer: Any) -> bool:
    """Return whether several heads of the queries use one head of the keys."""
    return isinstance(layer, layers.GroupQueryAttention) and layer.num_repeats > 1


def logit_scale(layer: Any) -> float:
    """Return the factor on the products of queries and keys."""
    grouped = isinstance(layer, layers.GroupQueryAttention)
    return layer._inverse_sqrt_head_dim if grouped else layer._inverse_sqrt_key_dim


def watch_logits(layer: Any, largest: Variable, seen: Callable[[], None]) -> None:
    """Have a layer store the largest logit of each head in training.

    Args:
        layer: The attention layer.
        largest: Variable; the largest logits so far, of shape `(heads,)`.
        seen: Called where the layer computes its attention in training.
    """
    method = getattr(layer, METHOD)

    def watched(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None = None,
        training: bool | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if training:
            seen()
            causal = kwargs.get("use_causal_mask", False)
            new = largest_products(layer, query, key, attention_mask, causal)
            new = ops.cast(new, largest.dtype) * logit_scale(layer)
            # a step with NaN is skipped, or has failed: its logits say nothing
            new = ops.where(ops.isfinite(new), new, -math.inf)
            new = max_over_replicas(new)
            largest.assign(maximum(ops.convert_to_tensor(largest), new))
        return method(query, key, value, attention_mask, training, *args, **kwargs)

    vars(layer)[METHOD] = watched  # on this object, without Keras' tracking


def unwatch_logits(layer: Any) -> None:
    """Undo `watch_logits`."""
    vars(layer).pop(METHOD, None)


def largest_products(
    layer: Any, query: Tensor, key: Tensor, mask: Tensor | None, causal: bool
) -> Tensor:
    """Return the largest product that is not masked, for each head of the queries.

    Args:
        layer: The attention layer.
        query: The projected queries, with the axes heads and dimension last.
        key: The projected keys, with as many heads.
        mask: Boolean; `False` masks. Its last axes are those of queries and keys.
        causal: Whether the layer masks later keys, beside `mask`.
    """
    products = _products(layer, query, key)
    grouped = isinstance(layer, layers.GroupQueryAttention)
    sequences = 2 * (1 if grouped else len(layer._attention_axes))
    if causal and mask is None:
        mask = layer._compute_causal_mask(query, key)
    if mask is not None:
        allowed: Any = ops.cast(mask, "bool")
        for _ in range(len(products.shape) - len(allowed.shape)):
            allowed = ops.expand_dims(allowed, -sequences - 1)
        if allowed.shape[0] == 1:  # the same for the whole batch
            products = ops.max(products, axis=0, keepdims=True)
        products = ops.where(allowed, products, ops.cast(-math.inf, products.dtype))
    # the last axes first: TensorFlow reduces others by moving them
    by_row = ops.max(products, axis=tuple(range(-sequences, 0)))
    return ops.max(by_row, axis=tuple(range(len(by_row.shape) - 1)))


def _products(layer: Any, query: Tensor, key: Tensor) -> Tensor:
    """Return the products of queries and keys, without gradients.

    On TensorFlow by the operation that Keras uses without dropout: the graph runs two
    equal operations once.
    """
    fused = len(query.shape) == 4 and not layer.dropout
    if keras.backend.backend() == "tensorflow" and fused:
        import tensorflow as tf

        products = tf.einsum("BTNH,BSNH->BNTS", query, key, optimize="optimal")
        return tf.stop_gradient(products)
    query, key = ops.stop_gradient(query), ops.stop_gradient(key)
    grouped = isinstance(layer, layers.GroupQueryAttention)
    operands = (query, key) if grouped else (key, query)
    return ops.einsum(layer._dot_product_equation, *operands)
