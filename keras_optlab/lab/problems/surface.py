"""Functions of two numbers as problems: `Surface`, and the layer that is minimized."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

Pair = tuple[float, float]


@dataclass(frozen=True)
class Surface:
    """A function of two numbers, to be minimized and drawn.

    Attributes:
        function: `function(x, y)`; also takes NumPy arrays, for contours. Its third
            argument `xp` is the module of its mathematics: `numpy`, or `keras.ops`
            while it is minimized.
        start: `(x, y)` where every training begins.
        minimum: `(x, y)` of its smallest value.
        domain: `((x_low, x_high), (y_low, y_high))` to draw.

    >>> def bowl(x, y, xp=np):
    ...     return xp.square(x) + 10 * xp.square(y)
    >>> surface = Surface(bowl, (1.0, 1.0), (0.0, 0.0), ((-2.0, 2.0), (-2.0, 2.0)))
    >>> x, y, height = surface.grid(3)
    >>> height[:, 0].tolist()
    [44.0, 4.0, 44.0]
    """

    function: Callable[..., Any]
    start: Pair
    minimum: Pair
    domain: tuple[Pair, Pair]

    def grid(self, points: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return x, y and the function on a square grid over the domain.

        Args:
            points: Points along each axis; integer >= 2.

        Returns:
            Three arrays of shape `(points, points)`, as `contour` of matplotlib takes
            them: rows have the same y.
        """
        x, y = np.meshgrid(*(np.linspace(*ends, points) for ends in self.domain))
        return x, y, self.function(x, y)

    def model(self) -> keras.Model:
        """Return a model whose only weight is `(x, y)`, at the start."""
        return point_model(self.start)

    def loss(self, y_true: Any, y_pred: Any) -> Any:  # noqa: ARG002 (Keras passes it)
        """Return the function at the model's point, for each row: `(batch,)`."""
        return self.function(y_pred[:, 0], y_pred[:, 1], ops)


@keras.saving.register_keras_serializable(package="keras_optlab.lab")
class Point(layers.Layer):
    """One weight that is the output for every row, whatever the input.

    Args:
        start: Its first value; a sequence of numbers.

    Shapes: input `(batch, 1)`, output `(batch, len(start))`.
    """

    def __init__(self, start: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = tuple(map(float, start))

    def build(self, input_shape: Any) -> None:  # noqa: ARG002
        """Make the weight."""
        self.point = self.add_weight(
            shape=(len(self.start),),
            initializer=lambda shape, dtype: ops.reshape(
                ops.convert_to_tensor(self.start, dtype), shape
            ),
            name="point",
        )

    def call(self, inputs: Any) -> Any:
        """Return the weight, once for each row."""
        return self.point + ops.zeros_like(inputs)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "start": self.start}


def point_model(start: Sequence[float]) -> keras.Model:
    """Return a model of one `Point`, to be trained on rows of shape `(1,)`."""
    return keras.Sequential([keras.Input((1,)), Point(start)])
