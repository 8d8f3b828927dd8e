"""Parameter groups: other hyperparameters for some of the weights."""

from __future__ import annotations

import fnmatch
import glob
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras

Match = str | Sequence[str] | Callable[[Any], bool]


@keras.saving.register_keras_serializable(package="keras_optlab.core")
class Group:
    """Weights that a pattern finds, and what is different for them.

    Args:
        match: A glob on the variable's path (`"embedding/*"`, `"*/bias"`), several of
            them, or a function from the variable to bool. A glob matches whole path
            components anywhere in the path; the name of a layer matches all its
            weights.
        learning_rate: Factor on the optimizer's learning rate, >= 0.
        frozen: If `True` the weights do not change at all, nor count in any norm.
        **hyperparameters: Values that replace the optimizer's own, such as
            `weight_decay=0.0` or `beta_1=0.95`; numbers or schedules.

    Raises:
        TypeError: if `match` is of none of these kinds.
        ValueError: if `learning_rate` is negative.

    >>> Group("head", learning_rate=10.0).matches_path("model/head/kernel")
    True
    """

    def __init__(
        self,
        match: Match,
        *,
        learning_rate: float = 1.0,
        frozen: bool = False,
        **hyperparameters: Any,
    ) -> None:
        globs = [match] if isinstance(match, str) else match
        if not callable(match) and not all(isinstance(g, str) for g in _list(globs)):
            raise TypeError(
                "`match` must be a glob on the variable's path, a list of globs, or a "
                f"function of the variable. Received: match={match!r}"
            )
        if not float(learning_rate) >= 0:
            raise ValueError(
                "`learning_rate` of a Group is a factor >= 0 on the optimizer's. "
                f"Received: learning_rate={learning_rate!r}"
            )
        self.match = match
        self.learning_rate = float(learning_rate)
        self.frozen = bool(frozen)
        self.hyperparameters = hyperparameters

    def matches(self, variable: Any) -> bool:
        """Say whether a variable belongs to the group."""
        if callable(self.match):
            return bool(self.match(variable))
        return self.matches_path(path_of(variable))

    def matches_path(self, path: str) -> bool:
        """Say whether a path is found by one of the globs."""
        return path_matches(path, self.match)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal group."""
        values = {k: v for k, v in self.hyperparameters.items()}
        config = {"match": self.match, "learning_rate": self.learning_rate}
        return keras.saving.serialize_keras_object(
            config | {"frozen": self.frozen} | values
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Group:
        """Make a group from what `get_config` returned."""
        return cls(**keras.saving.deserialize_keras_object(config))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Group({self.match!r}, learning_rate={self.learning_rate})"


def path_of(variable: Any) -> str:
    """Return a variable's path; a raw backend variable has only a name."""
    return getattr(variable, "path", None) or str(variable.name)


def path_matches(path: str, globs: Any) -> bool:
    """Say whether a path is found by a glob, or by one of several.

    A glob matches whole components, anywhere in the path.
    """
    return any(fnmatch.fnmatchcase(f"/{path}/", f"*/{g}/*") for g in _list(globs))


def check_groups(groups: Any) -> tuple[Group, ...]:
    """Return groups as a tuple, or raise if one is something else."""
    groups = tuple(_list(groups or []))
    for group in groups:
        if not isinstance(group, Group):
            raise TypeError(f"expected a list of Group. Received: {group!r}")
    return groups


def assign_groups(groups: Sequence[Group], variables: Sequence[Any]) -> list[int]:
    """Return for each variable the index of the first group it matches, or -1.

    Raises:
        ValueError: if a group matches no variable.
    """
    table = [[g.matches(v) for v in variables] for g in groups]
    for group, row in zip(groups, table, strict=True):
        if variables and not any(row):
            paths = "\n  ".join(path_of(v) for v in variables)
            raise ValueError(
                "A group matches no trainable weight (those of frozen layers are not "
                f"seen by an optimizer). Received: match={group.match!r}. "
                f"The weights are:\n  {paths}"
            )
    columns = zip(*table, strict=True) if groups else ([] for _ in variables)
    return [next((i for i, hit in enumerate(c) if hit), -1) for c in columns]


def layerwise_decay(model: keras.Model, factor: float) -> list[Group]:
    r"""Make groups whose learning rate falls from the last layer to the first.

    A layer that is $k$ layers before the last one with weights gets the multiplier
    $\text{factor}^k$ (Howard and Ruder, 2018, arXiv:1801.06146, as discriminative
    fine-tuning; with one factor for every layer, Clark et al., 2020,
    arXiv:2003.10555).

    Args:
        model: A built model.
        factor: In (0, 1].

    Returns:
        One `Group` for each layer with trainable weights, first layer first.

    Raises:
        ValueError: if the factor is out of range or the model has no weights yet.

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="a"),
    ...                           keras.layers.Dense(1, name="b")])
    >>> [g.learning_rate for g in layerwise_decay(model, 0.5)]
    [0.5, 1.0]
    """
    if not 0 < factor <= 1:
        raise ValueError(f"`factor` must be in (0, 1]. Received: factor={factor!r}")
    layers = [layer for layer in leaves(model) if layer.trainable_variables]
    if not layers:
        raise ValueError(
            "layerwise_decay needs a built model with trainable weights. "
            f"Received: {model!r}. Build it first, by an Input layer or model.build."
        )
    return [
        Group(
            [glob.escape(v.path) for v in layer.trainable_variables],
            learning_rate=factor**depth,
        )
        for depth, layer in zip(range(len(layers))[::-1], layers, strict=True)
    ]


def leaves(layer: Any) -> Iterable[Any]:
    """Return the layers that hold no others, in order."""
    children = getattr(layer, "layers", None)
    if not children:
        return [layer]
    return [leaf for child in children for leaf in leaves(child)]


def _list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list | tuple) else [x]
