"""Attaching regularizers and constraints to the weights of a built model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras

from keras_optlab.core.declared import Declared
from keras_optlab.core.errors import shown
from keras_optlab.core.paths import path_matches, path_of
from keras_optlab.core.retrace import retrace
from keras_optlab.core.types import Variable

Role = Literal["regularizer", "constraint"]
Globs = str | Sequence[str]


@dataclass(frozen=True)
class Attached:
    """A regularizer or constraint that one weight was given.

    Attributes:
        path: Path of the weight.
        value: The regularizer or constraint.
        replaced: The previous regularizer or constraint, if it was another one.
        trainable: Whether the weight is trainable; a frozen weight ignores the value.
        saved: Whether the model's config contains the value, so that saving and loading
            the whole model restores it.
    """

    path: str
    value: Any
    replaced: Any
    trainable: bool
    saved: bool

    def __str__(self) -> str:
        notes = (
            []
            if self.replaced is None
            else [f"replaces {_display_name(self.replaced)}"]
        )
        notes += [] if self.trainable else ["frozen now"]
        notes += [] if self.saved else ["not saved with the model"]
        also = f"  ({', '.join(notes)})" if notes else ""
        return f"{self.path}  {_display_name(self.value)}{also}"


class Attachments(tuple[Attached, ...]):
    """Everything that one call attached; prints one line per weight."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(str, self))


@dataclass(frozen=True)
class _SetArgument:
    """A layer argument that was set to the value of the weights it covers."""

    layer: str
    argument: str
    value: Any
    weights: list[int]


def select(
    model: keras.Layer, rules: dict[str, Any], match: Globs, skip: Globs
) -> list[tuple[Variable, Any]]:
    """Return the weights that `rules` selects, each with its value.

    Args:
        model: A built model or layer.
        rules: The regularizer or constraint for each name of a weight (the last
            component of its path).
        match: Globs on the path of a weight, one of which must match.
        skip: Globs on the path of a weight, none of which may match.

    Raises:
        TypeError: if `model` is not a Keras model or layer, or `match` or `skip` is not
            a glob or a list of globs.
        ValueError: if the model has no weights, `rules` is empty, or a rule or a glob
            of `skip` matches no weight.
    """
    if not isinstance(model, keras.Layer):
        raise TypeError(f"expected a Keras model. Received: {shown(model)}")
    for argument, globs in {"match": match, "skip": skip}.items():
        listed = [globs] if isinstance(globs, str) else globs
        if not isinstance(listed, list | tuple) or not all(
            isinstance(g, str) for g in listed
        ):
            raise TypeError(
                f"`{argument}` must be a glob on the paths of weights, or a list of "
                f"them. Received: {argument}={shown(globs)}"
            )
    paths = {id(v): path_of(v) for v in model.weights}
    if not paths:
        raise ValueError(
            f"The model has no weights yet. Received: {model!r}. Build it first, with "
            "an Input layer or model.build."
        )
    listed = "The weights are:\n  " + "\n  ".join(paths.values())
    if not rules:
        raise ValueError(f"Name a weight, as in kernel=... Received: none. {listed}")
    for glob in [skip] if isinstance(skip, str) else skip:
        if not any(path_matches(path, glob) for path in paths.values()):
            raise ValueError(
                f"A glob finds nothing. Received: skip={shown(glob)}. {listed}"
            )
    found = [
        (v, rules[_name(v)])
        for v in model.weights
        if _name(v) in rules
        and path_matches(paths[id(v)], match)
        and not path_matches(paths[id(v)], skip)
    ]
    names = {_name(v) for v, _ in found}
    for name, value in rules.items():
        if name not in names:
            raise ValueError(
                "No weight has this name, or `match` and `skip` exclude all that do. "
                f"Received: {name}={_display_name(value)}, match={shown(match)}, "
                f"skip={shown(skip)}. {listed}"
            )
    return found


def check(
    found: list[tuple[Variable, Any]],
    role: Role,
    fits: Callable[[tuple[int, ...], tuple[int, ...]], bool],
) -> None:
    """Raise unless every value can be called on its weight and returns a right shape.

    Args:
        found: What `select` returned.
        role: What the values must be.
        fits: Returns whether a result's shape is right for a weight's shape.
    """
    for variable, value in found:
        if isinstance(value, type) or not callable(value):
            raise TypeError(
                f"expected a {role}, such as those of keras_optlab.{role}s. "
                f"Received: {_name(variable)}={value!r}"
            )
        try:
            result = keras.ops.shape(value(variable))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{path_of(variable)}: {error}") from error
        if not fits(tuple(result), tuple(variable.shape)):
            raise TypeError(
                f"expected a {role}. "
                f"Received: {_name(variable)}={_display_name(value)}, which returns "
                f"shape {tuple(result)} for {path_of(variable)} of shape "
                f"{tuple(variable.shape)}"
            )


def attach(
    model: keras.Layer, found: list[tuple[Variable, Any]], role: Role
) -> Attachments:
    """Set the attribute of the weights and the layers' configs; rebuild compiled steps.

    Args:
        model: The model.
        found: What `select` returned.
        role: Which attribute of a weight to set.
    """
    before = [getattr(v, role) for v, _ in found]
    for variable, value in found:
        setattr(variable, role, value)
    told = _set_layer_arguments(model, {id(v): value for v, value in found}, role)
    saved = _saved(model, told)
    retrace(model, "train", "test")
    return Attachments(
        Attached(
            path=path_of(v),
            value=value,
            replaced=None if old is value else old,
            trainable=bool(v.trainable),
            saved=id(v) in saved,
        )
        for (v, value), old in zip(found, before, strict=True)
    )


def _set_layer_arguments(
    model: Any, given: dict[int, Any], role: Role
) -> list[_SetArgument]:
    """Set the constructor arguments that layers keep, and return those that were set.

    A layer has one argument (such as `kernel_regularizer`) for all of its weights of a
    name, including weights of inner layers. The argument is set only if all of these
    weights were given the same value.
    """
    told = []
    for layer in _layers(model):
        for name in {_name(v) for v in layer.weights}:
            weights = [id(v) for v in layer.weights if _name(v) == name]
            value = given.get(weights[0])
            attribute = _argument(layer, name, role)
            told_all = value is not None and all(given.get(w) is value for w in weights)
            if attribute and told_all:
                with contextlib.suppress(AttributeError):  # its cell's property
                    setattr(layer, attribute, value)
                told.append(
                    _SetArgument(layer.name, attribute.lstrip("_"), value, weights)
                )
    return told


def _saved(model: Any, told: list[_SetArgument]) -> set[int]:
    """Return the ids of the weights whose values are in the model's config."""
    try:
        configs = list(_dicts(model.get_config()))
        wanted = [keras.saving.serialize_keras_object(t.value) for t in told]
    except (NotImplementedError, TypeError):  # Keras cannot save this model
        return set()
    return {
        weight
        for t, value in zip(told, wanted, strict=True)
        for config in configs
        if config.get("name") == t.layer and config.get(t.argument) == value
        for weight in t.weights
    }


def _argument(layer: Any, name: str, role: Role) -> str | None:
    """Return the attribute that holds a layer's argument for weights of this name."""
    stems = [name, name.removesuffix("_kernel")]  # recurrent_kernel, depthwise_kernel
    stems += ["depthwise"] if name == "kernel" else []  # of DepthwiseConv
    attributes = [f"{dash}{stem}_{role}" for stem in stems for dash in ("", "_")]
    return next((a for a in attributes if hasattr(layer, a)), None)


def _layers(root: Any) -> list[Any]:
    """Return a layer and all layers nested in it, at any depth."""
    found = {id(root): root}
    waiting = [root]
    while waiting:
        for held in vars(waiting.pop()).values():
            for x in held if isinstance(held, list | tuple) else [held]:
                if isinstance(x, keras.Layer) and id(x) not in found:
                    found[id(x)] = x
                    waiting.append(x)
    return list(found.values())


def _dicts(config: Any) -> Iterator[dict[str, Any]]:
    if isinstance(config, dict):
        yield config
        config = list(config.values())
    if isinstance(config, list | tuple):
        for part in config:
            yield from _dicts(part)


def _name(variable: Variable) -> str:
    return path_of(variable).rpartition("/")[2]


def _display_name(x: Any) -> str:
    if isinstance(x, Declared):
        return repr(x)
    return getattr(x, "__name__", None) or type(x).__name__
