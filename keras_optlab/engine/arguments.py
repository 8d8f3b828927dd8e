"""Checks of the arguments that every optimizer has."""

from __future__ import annotations

from typing import Any

from keras_optlab.transforms import Transform


def check_mask(value: Any) -> Any:
    """Return `None`, `"matrices"` or a function of the variable."""
    if value is None or value == "matrices" or callable(value):
        return value
    raise ValueError(
        'expected None, "matrices" or a function of the variable. '
        f"Received: decay_mask={value!r}"
    )


def check_transforms(value: Any, side: str) -> tuple[Transform, ...]:
    """Return transforms of one side as copies that no one else holds.

    An optimizer keeps a transform's numbers, so two optimizers cannot share one.
    """
    if value is None:
        return ()
    transforms = value if isinstance(value, list | tuple) else [value]
    for transform in transforms:
        if isinstance(transform, type) or not isinstance(transform, Transform):
            raise TypeError(
                f"expected a list of transforms. Received: {transform!r}. "
                "See keras_optlab.transforms."
            )
        if side not in transform.sides:
            raise ValueError(
                f"{transform!r} belongs among the {transform.sides[0]}_transforms. "
                f"Received: {side}_transforms=[{transform!r}]"
            )
    return tuple(type(x).from_config(x.get_config()) for x in transforms)


def check_gradient_transforms(value: Any) -> tuple[Transform, ...]:
    """Return the gradient transforms as a tuple."""
    return check_transforms(value, "gradient")


def check_update_transforms(value: Any) -> tuple[Transform, ...]:
    """Return the update transforms as a tuple."""
    return check_transforms(value, "update")
