"""The data of a finder: arrays, or data in batches that can be read again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
from keras import tree

from keras_optlab.core.errors import shown


def is_in_arrays(x: Any) -> bool:
    """Return whether this is an array, a tensor or a table, or a structure of them."""
    if hasattr(x, "element_spec") or isinstance(x, keras.utils.PyDataset):
        return False
    leaves = [leaf for leaf in tree.flatten(x) if leaf is not None]
    return bool(leaves) and all(len(getattr(leaf, "shape", ())) for leaf in leaves)


def check_arrays(
    who: str, model: Any, x: Any, y: Any, sample_weight: Any = None
) -> None:
    """Raise for `who` if arrays hold no numbers, or the loss lacks its targets."""
    if not is_in_arrays(x):
        check_is_data(who, x)
        return
    for name, part in {"x": x, "y": y, "sample_weight": sample_weight}.items():
        if part is not None and not is_in_arrays(part):
            raise TypeError(
                f"{who} takes `{name}` as an array beside `x` in arrays. "
                f"Received: {name}={shown(part)}"
            )
        kinds = {str(getattr(leaf, "dtype", "")) for leaf in tree.flatten(part)}
        if "object" in kinds:
            raise TypeError(
                f"{who} takes arrays of numbers. Received: {name} of dtype object, as "
                "of a table with words in it. Encode the words, and convert it: "
                f"{name}.astype('float32')."
            )
    if y is None and model.loss is not None and not has_own_step(model):
        raise ValueError(
            f"{who} needs the targets `y`, as the model was compiled with a loss. "
            "Received: y=None."
        )


def has_own_step(model: Any) -> bool:
    """Return whether a model's class trains in its own way."""
    own = type(model)
    return any(
        getattr(own, name) is not getattr(keras.Model, name)
        for name in ("train_step", "compute_loss")
    )


def check_is_data(who: str, x: Any) -> None:
    """Raise unless a value may be data: arrays, or an iterable of batches."""
    scalar = hasattr(x, "shape") and not len(x.shape)
    batches = hasattr(x, "__iter__") or hasattr(x, "__len__")
    if scalar or not batches or isinstance(x, str | bytes | type | set):
        raise TypeError(
            f"{who} takes arrays, a tf.data.Dataset, a keras.utils.PyDataset or a "
            f"DataLoader of torch. Received: x={shown(x)}"
        )


class Arrays:
    """Inputs, targets and sample weights in arrays.

    Args:
        x: An array, or a structure of arrays; the first axis is the example.
        y: The same, or `None`.
        sample_weight: The same, or `None`.

    Attributes:
        size: Number of examples.

    Raises:
        ValueError: if the numbers of examples differ.
    """

    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None) -> None:
        self._parts = {"x": x, "y": y, "sample_weight": sample_weight}
        counts = {
            name: sorted({int(leaf.shape[0]) for leaf in leaves})
            for name, part in self._parts.items()
            if (leaves := [v for v in tree.flatten(part) if v is not None])
        }
        sizes = {n for ns in counts.values() for n in ns}
        if len(sizes) != 1 or 0 in sizes:
            found = ", ".join(f"{k}: {v}" for k, v in counts.items())
            raise ValueError(
                "`x`, `y` and `sample_weight` must have the same number of examples, "
                f"at least one. Received: numbers of examples {found}"
            )
        self.size = sizes.pop()

    def first(self, n: int) -> dict[str, Any]:
        """Return the first n examples as arguments of `fit`."""
        return {
            name: tree.map_structure(lambda v: None if v is None else v[:n], part)
            for name, part in self._parts.items()
            if part is not None
        }

    def batch(self, n: int) -> tuple[Any, ...]:
        """Return the first n examples as a batch."""
        parts = self.first(n)
        return keras.utils.pack_x_y_sample_weight(
            parts["x"], parts.get("y"), parts.get("sample_weight")
        )


def check_batched(finder: str, x: Any, **alone: Any) -> None:
    """Raise unless data in batches can be read again and again.

    Args:
        finder: Name of the function, for the message.
        x: The data.
        **alone: Arguments that such data must not be given with, by name.
    """
    if isinstance(x, Iterator):
        raise TypeError(
            f"`{finder}` reads the data several times: it takes arrays, a "
            "tf.data.Dataset, a keras.utils.PyDataset or a DataLoader of torch, and no "
            f"generator, which it would use up. Received: x={shown(x)}"
        )
    given = {name: v for name, v in alone.items() if v is not None}
    if given:
        raise ValueError(
            f"Data in batches have their own {', '.join(given)}. Received: "
            f"{type(x).__name__} and {', '.join(f'`{k}`' for k in given)}. Leave these "
            "out."
        )


def first_batch(x: Any) -> Any:
    """Return the first batch of data in batches."""
    return x[0] if isinstance(x, keras.utils.PyDataset) else next(iter(x))


def length(x: Any) -> int | None:
    """Return the number of batches, `None` if it is not known."""
    try:
        return len(x) or None
    except (TypeError, NotImplementedError):
        return None
