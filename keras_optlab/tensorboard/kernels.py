"""An image of the first kernel of a model."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

TILES = 64
SIDE = 56  # pixels that a tile is enlarged to
LINE = 3  # pixels between two tiles, enough to be seen when scaled down
SMALLEST = 8  # side of a square image that flat inputs may be


def kernel_image(model: keras.Model) -> tuple[str, np.ndarray] | None:
    """Return the path and an image of the model's first kernel.

    Each of the first 64 units is a tile. Blue is negative, white zero and red positive.
    A kernel on three channels is shown in RGB, where grey is zero. All tiles have one
    scale, so units can be compared.

    A convolution is shown if it has one or three input channels. A dense kernel is
    shown if its inputs are the pixels of the model's input, or if their number is that
    of a square image of 8 by 8 pixels or larger.

    Returns:
        The path, and pixels of shape `(height, width, 3)` and type uint8; `None` if
        there is no such kernel.
    """
    kernel = next((w for w in model.weights if w.name == "kernel"), None)
    if kernel is None:
        return None
    entries = keras.ops.convert_to_numpy(keras.ops.cast(kernel, "float32"))
    units = _units(entries, getattr(model, "input_shape", None))
    return None if units is None else (kernel.path, tiles(units[:TILES]))


def tiles(units: np.ndarray) -> np.ndarray:
    """Return images of shape `(n, height, width, 1 or 3)` side by side, in RGB.

    >>> tiles(np.array([-1.0, 0.0, 1.0]).reshape(3, 1, 1, 1)).shape
    (121, 121, 3)
    """
    pixels = np.uint8(255 * _colours(units))
    n, *sides, _ = units.shape
    factor = max(1, SIDE // max(sides))
    pixels = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    height, width = pixels.shape[1] + LINE, pixels.shape[2] + LINE
    grid = np.full((rows * height + LINE, columns * width + LINE, 3), 192, "uint8")
    for i, tile in enumerate(pixels):
        top, left = i // columns * height + LINE, i % columns * width + LINE
        grid[top : top + height - LINE, left : left + width - LINE] = tile
    return grid


def _units(kernel: np.ndarray, input_shape: Any) -> np.ndarray | None:
    """Return the kernel as `(units, height, width, channels)` if it is on pixels."""
    if kernel.ndim == 4 and kernel.shape[2] in (1, 3):
        return np.moveaxis(kernel, -1, 0)
    if kernel.ndim != 2:
        return None
    shape = _pixels(kernel.shape[0], input_shape)
    return None if shape is None else kernel.T.reshape(-1, *shape)


def _pixels(inputs: int, input_shape: Any) -> tuple[int, int, int] | None:
    """Return height, width and channels of a dense layer's inputs, if pixels."""
    if isinstance(input_shape, tuple) and len(input_shape) in (3, 4):
        height, width, channels = (*input_shape[1:], 1)[:3]
        known = None not in (height, width) and channels in (1, 3)
        if known and height * width * channels == inputs:
            return height, width, channels
    side = math.isqrt(inputs)
    return (side, side, 1) if side >= SMALLEST and side**2 == inputs else None


def _colours(units: np.ndarray) -> np.ndarray:
    """Return red, green and blue in [0, 1] for every pixel."""
    finite = np.nan_to_num(units, posinf=0.0, neginf=0.0)
    x = finite / max(np.abs(finite).max(initial=0.0), 1e-30)
    if units.shape[-1] == 3:
        return (x + 1) / 2
    red, blue = 1 - np.maximum(-x, 0), 1 - np.maximum(x, 0)
    return np.concatenate([red, 1 - np.abs(x), blue], axis=-1)
