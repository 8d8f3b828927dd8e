"""Checks of the arguments that every optimizer has."""

from __future__ import annotations

from typing import Any

from keras_optlab.core.errors import advise, shown
from keras_optlab.core.patterns import check_patterns
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.transforms import Transform

CLIPPINGS = ("clipnorm", "clipvalue", "global_clipnorm", "adaptive_clipnorm")

# Arguments that a group cannot set: one value applies to all weights.
UNGROUPED = {*CLIPPINGS, "learning_rate_scale"}


def check_mask(value: Any) -> Any:
    """Return `None`, `"matrices"` or a function of the variable."""
    words = value is None or (isinstance(value, str) and value == "matrices")
    if words or (callable(value) and not isinstance(value, type)):
        return value
    error = ValueError if isinstance(value, str) else TypeError
    raise error(
        'expected None, "matrices" or a function of the variable. '
        f"Received: decay_mask={shown(value)}"
    )


def check_decay_schedule(value: Any) -> Any:
    """Return `None` or `"corrected"`."""
    if value is None or (isinstance(value, str) and value == "corrected"):
        return value
    error = ValueError if isinstance(value, str) else TypeError
    raise error(
        f'expected None or "corrected". Received: decay_schedule={shown(value)}. '
        "For a schedule of the decay itself, pass it as `weight_decay`."
    )


def check_name(value: Any) -> str | None:
    """Return `None` or a non-empty string."""
    if value is None or (isinstance(value, str) and value):
        return value
    raise TypeError(f"expected None or a name. Received: name={shown(value)}")


def check_slot_dtype(value: Any) -> Any:
    """Return `None`, `"bfloat16"` or `"int8"`."""
    if value is None or (isinstance(value, str) and value in ("bfloat16", "int8")):
        return value
    error = ValueError if isinstance(value, str) else TypeError
    raise error(
        f'expected None, "bfloat16" or "int8". Received: slot_dtype={shown(value)}. '
        "Squares of gradients can underflow in float16."
    )


def check_arguments(optimizer: BuiltOptimizer) -> None:
    """Check the values of groups, and whether state in 8 bits is possible."""
    check_group_fields(optimizer)
    _check_elementwise(optimizer)


def _check_elementwise(optimizer: BuiltOptimizer) -> None:
    """Raise if state in 8 bits is requested of a rule that is not elementwise."""
    if optimizer.slot_dtype == "int8" and not optimizer.elementwise:
        raise ValueError(
            'slot_dtype="int8" stores state in blocks of 256 entries, which only '
            "elementwise rules allow: those whose entries do not affect each other. "
            f'Received: slot_dtype="int8" of {type(optimizer).__name__}, which is not '
            'elementwise. Use slot_dtype="bfloat16" or an elementwise rule such as '
            "AdamW or Lion."
        )


def check_transforms(value: Any, side: str) -> tuple[Transform, ...]:
    """Return copies of the transforms of one side, `"gradient"` or `"update"`.

    A transform's numbers are variables of one optimizer, so others cannot share it.
    """
    if value is None:
        return ()
    transforms = value if isinstance(value, list | tuple) else [value]
    received = f"Received: {side}_transforms={shown(value)}"
    for transform in transforms:
        if isinstance(transform, type) and issubclass(transform, Transform):
            raise TypeError(
                f"expected a list of transforms. {received}. This is the class; make "
                f"an object of it: {transform.__name__}()."
            )
        if not isinstance(transform, Transform):
            raise TypeError(
                f"expected a list of transforms. {received}. "
                "See keras_optlab.transforms."
            )
        if side not in transform.sides:
            raise ValueError(
                f"{transform!r} can only be one of {transform.sides[0]}_transforms. "
                f"{received}"
            )
    return tuple(type(x)(**{k: getattr(x, k) for k in x.fields}) for x in transforms)


def check_exclusion(var_list: Any, var_names: Any) -> tuple[list[Any], list[str]]:
    """Return variables and regular expressions as lists; raise if one is invalid."""
    variables, names = _listed(var_list), _listed(var_names)
    for variable in variables:
        if isinstance(variable, str) or not hasattr(variable, "shape"):
            raise TypeError(
                "`var_list` must be a list of variables. "
                f"Received: var_list={shown(var_list)}"
            )
    check_patterns("var_names", names, var_names)
    return variables, names


def check_gradient_transforms(value: Any) -> tuple[Transform, ...]:
    """Return the gradient transforms as a tuple."""
    return check_transforms(value, "gradient")


def check_update_transforms(value: Any) -> tuple[Transform, ...]:
    """Return the update transforms as a tuple."""
    return check_transforms(value, "update")


def _listed(x: Any) -> list[Any]:
    if isinstance(x, list | tuple | set):
        return list(x)
    return [] if x is None else [x]


NOT_LAZY = (
    "adaptive_clipnorm",
    "use_ema",
    "gradient_accumulation_steps",
    "gradient_transforms",
    "update_transforms",
)


def check_lazy(values: Any) -> None:
    """Raise if an argument is set that needs all rows of a weight."""
    given = {k: getattr(values, k) for k in NOT_LAZY}
    wrong = {k: v for k, v in given.items() if v not in (None, False, ())}
    if wrong:
        raise not_lazy(", ".join(f"{k}={v!r}" for k, v in wrong.items()))


def not_lazy(what: str) -> ValueError:
    """Return the error for something that needs more than the touched rows."""
    return ValueError(
        'sparse="lazy" updates only the rows of a weight that have a gradient, and '
        f'this must see all of it. Received: {what}. Use sparse="dense".'
    )


def check_group_fields(optimizer: BuiltOptimizer) -> None:
    """Validate the values that groups set; replace each by its canonical type."""
    of_the_whole = {s.when for s in optimizer.slots} | UNGROUPED
    fields = {
        k: f
        for k, f in optimizer.fields.items()
        if (f.adjustable or f.by_group) and k not in of_the_whole
    }
    for group in optimizer.groups:
        for name, value in group.hyperparameters.items():
            if name not in fields:
                raise TypeError(
                    f"A Group of {type(optimizer).__name__} cannot set this argument. "
                    f"Received: {name}={shown(value)}. {advise(name, value, fields)}"
                )
            group.hyperparameters[name] = fields[name].validate(value)
