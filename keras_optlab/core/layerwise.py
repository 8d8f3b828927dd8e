"""`layerwise_decay`: learning rates that fall from the last block to the first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from keras_optlab.core.errors import shown
from keras_optlab.core.groups import Group, Match, check_match, path_of
from keras_optlab.core.number_checks import Interval, as_number

FACTOR = Interval("(0, 1]")
# conv2_block1_1_conv, block_3_expand_BN, block2a_dwconv, stage_0_block_1_layer_scale
WORDS = "block|stage|stack|layer|cell|unit|module|encoder|decoder|expanded_conv"
NUMBERED = re.compile(rf"(.*(?:{WORDS})_?\d+[a-z]?)(?![a-z\d])", re.IGNORECASE)


@dataclass
class Piece:
    """Weights that always share a block.

    Attributes:
        weights: The trainable ones.
        name: The parent's id and the numbered block in the layer's name, or `None`.
        is_block: Whether it is a whole block.
        joins_last: Whether it joins the block of the piece before it.
        joins_next: Whether the piece after it joins its block.
    """

    weights: list[Any]
    name: tuple[int, str] | None = None
    is_block: bool = False
    joins_last: bool = False
    joins_next: bool = False


def layerwise_decay(
    model: keras.Layer, factor: float, *, blocks: Sequence[Match] | None = None
) -> list[Group]:
    r"""Make groups whose learning rate falls from the last block to the first.

    A block that is $k$ blocks before the last one with trainable weights gets the
    multiplier $\text{factor}^k$ (Howard and Ruder, 2018, arXiv:1801.06146, as
    discriminative fine-tuning; with one factor for every layer, Clark et al., 2020,
    arXiv:2003.10555; by blocks, Bao et al., 2021, arXiv:2106.08254). Every trainable
    weight is in one group.

    Without `blocks`, the blocks are found like this:

    - Layers of a model whose names begin with the same numbered block are one block:
      `block_3_expand`, `block_3_expand_BN`, ...; `conv2_block1_1_conv`, ...
    - Several sibling layers or models of one class of your own
      (`self.blocks = [Block() for _ in range(12)]`) are one block each, with all
      nested layers.
    - If there are blocks of these two kinds, everything before the first one is one
      block, the stem: for example, an embedding with its positions and class token.
    - Any other layer is one block, with all nested layers. But a layer that has only
      vectors, such as a normalization, joins the layer before it, and so does `PReLU`;
      the layer after a depthwise convolution joins it; and the first layer of a model
      joins the weights that the model created itself.

    Nested models are split into their layers, and so are layers that contain several
    blocks of your own. The order is the order of `model.layers`; in a subclassed model,
    the order in which the layers were created.

    Args:
        model: A built model or layer.
        factor: Ratio of the learning rates of a block and the next one, in (0, 1].
        blocks: The blocks from first to last, each as `Group` takes it: a layer, a
            model, a glob, or a list of these. A weight belongs to the first block that
            matches it.

    Returns:
        One `Group` for each block with trainable weights, first block first.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if the factor is out of range, the model has no trainable weights
            yet, or `blocks` leaves some out.

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2),
    ...     keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    >>> [g.learning_rate for g in layerwise_decay(model, 0.5)]
    [0.5, 1.0]
    """
    number = as_number(factor)
    if number is None or number not in FACTOR:
        raise (TypeError if number is None else ValueError)(
            f"`factor` must be in (0, 1]. Received: factor={shown(factor)}"
        )
    if not isinstance(model, keras.Layer):
        raise TypeError(f"expected a Keras model. Received: model={shown(model)}")
    if not model.trainable_variables:
        raise ValueError(
            "layerwise_decay needs a built model with trainable weights. "
            f"Received: {model!r}. Build it first, with an Input layer or model.build."
        )
    found = find_blocks(model) if blocks is None else check_blocks(model, blocks)
    depths = range(len(found))[::-1]
    groups = [
        Group(block, learning_rate=number**depth)
        for depth, block in zip(depths, found, strict=True)
    ]
    for group in groups:
        group.of_all = True
    return groups


def check_list(blocks: Any) -> None:
    """Raise unless blocks are a list of what a `Group` matches."""
    try:
        if not isinstance(blocks, list | tuple):
            raise TypeError("It is no list.")
        for block in blocks:
            check_match(block)
    except TypeError as error:
        raise TypeError(
            "`blocks` must be a list of blocks, from first to last, or None. "
            f"Received: blocks={shown(blocks)}. {error}"
        ) from None


def check_blocks(model: Any, blocks: Any) -> list[Match]:
    """Return the blocks with trainable weights; raise if a weight is in no block."""
    check_list(blocks)
    finders = [Group(block).finder() for block in blocks]
    left = {id(v): v for v in model.trainable_variables}
    kept = []
    for block, finds in zip(blocks, finders, strict=True):
        here = [i for i, v in left.items() if finds(v, path_of(v))]
        kept += [block] if here else []
        for i in here:
            del left[i]
    if left:
        paths = "\n  ".join(path_of(v) for v in left.values())
        raise ValueError(
            f"`blocks` leaves weights out. Received: blocks={shown(blocks)}. "
            f"Those left out are:\n  {paths}"
        )
    return kept


def find_blocks(model: Any) -> list[list[Any]]:
    """Return the trainable weights of a model by block, first to last."""
    pieces = [p for p in pieces_of(model, is_block=False) if p.weights]
    several = Counter(p.name for p in pieces)
    blocks: list[Piece] = []
    by_name: dict[Any, Piece] = {}
    last: Piece | None = None
    for piece in pieces:
        name = piece.name if several[piece.name] > 1 else None
        if name in by_name:
            block = by_name[name]
        elif last and not (piece.is_block or name) and _belong(last, piece):
            block = last
        else:
            block = Piece([], joins_next=piece.joins_last and name is None)
            blocks.append(block)
        block.weights += piece.weights
        block.is_block |= piece.is_block or name is not None
        block.joins_next = piece.joins_next or (block.joins_next and piece.joins_last)
        if name is not None:
            by_name[name] = block
        last = block
    first = next((i for i, b in enumerate(blocks) if b.is_block), 0)
    stem = [[w for b in blocks[:first] for w in b.weights]] if first else []
    return _each_once(stem + [b.weights for b in blocks[first:]])


def _belong(block: Piece, piece: Piece) -> bool:
    return block.joins_next or piece.joins_last


def pieces_of(layer: Any, is_block: bool, parent: int = 0) -> list[Piece]:
    """Return a layer's trainable weights in pieces, in order.

    Args:
        layer: The layer.
        is_block: Whether the layer is one block, which is not split.
        parent: The id of the layer that contains it, 0 for the outermost one.
    """
    parts = parts_of(layer)
    own_classes = Counter(type(p) for p in parts if is_own_block(p))
    stack = max(own_classes.values(), default=0) > 1
    if is_block or not parts or not (parent == 0 or is_model(layer) or stack):
        found = NUMBERED.match(layer.name)
        weights = list(layer.trainable_variables)
        return [
            Piece(
                weights,
                name=(parent, found[1]) if found else None,
                is_block=is_block,
                joins_last=isinstance(layer, keras.layers.PReLU)
                or all(len(w.shape) < 2 for w in weights),
                joins_next="DepthwiseConv" in type(layer).__name__,
            )
        ]
    held = {id(w) for part in parts for w in part.variables}
    own = [w for w in layer.trainable_variables if id(w) not in held]
    return [
        Piece(own, joins_next=True),
        *(
            piece
            for part in parts
            for piece in pieces_of(part, own_classes[type(part)] > 1, id(layer))
        ),
    ]


def parts_of(layer: Any) -> list[Any]:
    """Return a layer's direct sublayers, in the order they were created."""
    if is_model(layer):
        return list(layer.layers)
    held = [
        part
        for value in vars(layer).values()
        for part in (value if isinstance(value, list | tuple) else [value])
    ]
    return list({id(p): p for p in held if isinstance(p, keras.Layer)}.values())


def is_model(layer: Any) -> bool:
    """Return whether a layer is a model."""
    return isinstance(layer, keras.Model)


def is_own_block(layer: Any) -> bool:
    """Return whether a layer has sublayers and a class that is not from Keras."""
    return not type(layer).__module__.startswith("keras.") and bool(parts_of(layer))


def _each_once(blocks: list[list[Any]]) -> list[list[Any]]:
    """Return the non-empty blocks, with each weight only in its first block."""
    seen: set[int] = set()
    result = []
    for block in blocks:
        new = {id(w): w for w in block if id(w) not in seen}
        seen |= new.keys()
        result += [list(new.values())] if new else []
    return result
