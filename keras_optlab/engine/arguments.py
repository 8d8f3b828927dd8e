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


def check_slot_dtype(value: Any) -> Any:
    """Return `None` or `"bfloat16"`."""
    if value in (None, "bfloat16"):
        return value
    raise ValueError(
        f'expected None or "bfloat16". Received: slot_dtype={value!r}. '
        "float16 is too narrow for squares of gradients."
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
    return tuple(type(x)(**{k: getattr(x, k) for k in x.fields}) for x in transforms)


def check_gradient_transforms(value: Any) -> tuple[Transform, ...]:
    """Return the gradient transforms as a tuple."""
    return check_transforms(value, "gradient")


def check_update_transforms(value: Any) -> tuple[Transform, ...]:
    """Return the update transforms as a tuple."""
    return check_transforms(value, "update")


NOT_LAZY = (
    "adaptive_clipnorm",
    "use_ema",
    "gradient_accumulation_steps",
    "gradient_transforms",
    "update_transforms",
)


def check_lazy(values: Any) -> None:
    """Raise if something that was asked for must see all rows of a weight."""
    given = {k: getattr(values, k) for k in NOT_LAZY}
    wrong = {k: v for k, v in given.items() if v not in (None, False, ())}
    if wrong:
        raise not_lazy(", ".join(f"{k}={v!r}" for k, v in wrong.items()))


def not_lazy(what: str) -> ValueError:
    """Return an error that tells what cannot do with the touched rows alone."""
    return ValueError(
        'sparse="lazy" updates only the rows of a weight that have a gradient, and '
        f'this must see all of it. Received: {what}. Use sparse="dense".'
    )
