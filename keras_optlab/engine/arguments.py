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


def check_transforms(value: Any, side: str) -> list[Transform]:
    """Return transforms of one side as a list of copies that no one else holds.

    An optimizer keeps a transform's numbers, so two optimizers cannot share one.
    """
    transforms = list(value) if isinstance(value, list | tuple) else [value]
    for transform in transforms if value else []:
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
    copies = transforms if value else []
    return [type(x).from_config(x.get_config()) for x in copies]


def check_gradient_transforms(value: Any) -> list[Transform]:
    """Return the gradient transforms as a list."""
    return check_transforms(value, "gradient")


def check_update_transforms(value: Any) -> list[Transform]:
    """Return the update transforms as a list."""
    return check_transforms(value, "update")
