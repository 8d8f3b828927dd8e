"""Parameter groups: different hyperparameters for some of the weights."""

from __future__ import annotations

import copy
import difflib
import glob
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import keras

from keras_optlab.core.errors import advise, shown
from keras_optlab.core.number_checks import Interval, as_number, in_step_precision
from keras_optlab.core.paths import (
    path_matches,
    path_of,
    tail_of,
    unique_paths,
    unnumbered,
)
from keras_optlab.core.registry import fields_named, known_fields
from keras_optlab.core.types import Variable

if TYPE_CHECKING:
    from typing import Unpack

    from keras_optlab.core.group_arguments import GroupArguments

Part = str | keras.Layer | keras.Variable
Match = Part | Sequence[Part] | Callable[[Any], bool]

FACTOR = Interval(">= 0")


@keras.saving.register_keras_serializable(package="keras_optlab.core")
class Group:
    """A parameter group: some of the weights, with hyperparameters of their own.

    Args:
        match: Which weights: a layer or a model (all its weights); a variable; a glob
            on the variable's path (`"embedding/*"`, `"*/bias"`); a list of these; or a
            function from the variable to bool. A glob matches whole path components
            anywhere in the path, or from its start if the glob begins with `/`. The
            name of a layer matches all its weights. A nested model's name may be
            missing in the paths of its weights, so pass the model itself.
        learning_rate: Factor on the optimizer's learning rate, >= 0.
        frozen: If `True`, the weights are not updated, and their gradients count in no
            norm.
        **hyperparameters: Values that replace the optimizer's own, such as
            `weight_decay=0.0` or `beta_1=0.95`; numbers or schedules.

    A layer may be passed before it is built: its weights are looked up when the
    optimizer is built. A configuration contains the paths of the weights, or the name
    of a layer that is not built.

    Raises:
        TypeError: if an argument is of the wrong type, or no optimizer has a
            hyperparameter of this name.
        ValueError: if a value is out of range.

    >>> Group("head", learning_rate=10.0).matches_path("model/head/kernel")
    True
    >>> backbone = keras.layers.Dense(2)
    >>> backbone.build((None, 3))
    >>> Group(backbone, learning_rate=0.1).matches(backbone.kernel)
    True
    """

    def __init__(
        self,
        match: Match,
        *,
        learning_rate: float = 1.0,
        frozen: bool = False,
        **hyperparameters: Unpack[GroupArguments],
    ) -> None:
        self._parts = check_match(match)
        factor = as_number(learning_rate)
        if factor is None or in_step_precision(factor) not in FACTOR:
            raise (TypeError if factor is None else ValueError)(
                "`learning_rate` of a Group must be a number >= 0, a factor on the "
                f"optimizer's. Received: learning_rate={shown(learning_rate)}"
            )
        if not isinstance(frozen, bool):
            raise TypeError(
                "`frozen` of a Group must be True or False. "
                f"Received: frozen={shown(frozen)}"
            )
        self.match = match
        self.learning_rate = factor
        self.frozen = frozen
        self.hyperparameters = {
            name: check_hyperparameter(name, value)
            for name, value in hyperparameters.items()
        }
        self._paths: dict[int, str] = {}  # by id of the weight, set by `find`
        self._found: dict[str, Any] | None = None  # paths and positions, for the config
        self.restored = False
        self.of_all = False  # whether it is one of those of `layerwise_decay`

    def matches(self, variable: Variable) -> bool:
        """Return whether a variable belongs to the group."""
        return self.finder()(variable, path_of(variable))

    @property
    def globs(self) -> list[str]:
        """The globs in `match`."""
        return [part for part in self._parts if isinstance(part, str)]

    def matches_path(self, path: str) -> bool:
        """Return whether a path matches one of the globs."""
        return path_matches(path, self.globs)

    def finder(self) -> Callable[[Variable, str], bool]:
        """Return a function of a variable and its unique path: whether both match."""
        if not self._parts:
            return lambda variable, _: bool(self.match(variable))  # type: ignore[operator]
        ids = {id(v) for part in self._parts for v in weights_of(part)}
        anywhere = [g for g in self.globs if not g.startswith("/")]
        from_start = [g for g in self.globs if g.startswith("/")]
        return lambda variable, path: (
            id(variable) in ids
            or path_matches(path_of(variable), anywhere)
            or path_matches(path, from_start)
        )

    def find(self, variables: Sequence[Variable]) -> list[bool]:
        """Return for each weight of an optimizer whether it belongs to the group.

        The result is stored for `get_config`.
        """
        paths = unique_paths(variables)
        finds = self.finder()
        hits = [finds(v, path) for v, path in zip(variables, paths, strict=True)]
        if self.restored and self._found is not None:
            hits = found_again(self._found, paths) or hits
        of_objects = any(not isinstance(part, str) for part in self._parts)
        if (of_objects or self._found) and any(hits):
            at = [i for i, hit in enumerate(hits) if hit]
            self._found = {"paths": [paths[i] for i in at], "at": at, "of": len(hits)}
        self._paths = {id(v): path for v, path in zip(variables, paths, strict=True)}
        return hits

    @property
    def label(self) -> str | None:
        """A short name: the glob, or the path or name of the object, if it is one."""
        if len(self._parts) != 1:
            return None
        (part,) = self._parts
        return part if isinstance(part, str) else getattr(part, "path", part.name)

    def copy(self) -> Group:
        """Return a copy that can be changed independently."""
        new = copy.copy(self)
        new.hyperparameters = dict(self.hyperparameters)
        return new

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal group."""
        config = {"match": self._globs(), "learning_rate": self.learning_rate}
        config |= {"frozen": self.frozen} | self.hyperparameters
        config |= {} if self._found is None else {"found": self._found}
        return keras.saving.serialize_keras_object(config)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Group:
        """Make a group from what `get_config` returned."""
        arguments = keras.saving.deserialize_keras_object(config)
        found = arguments.pop("found", None)
        group = cls(**arguments)
        group._found, group.restored = found, True
        return group

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and self._compared() == other._compared()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        given = {"learning_rate": self.learning_rate}
        given |= {"frozen": True} if self.frozen else {}
        words = [f"{k}={shown(v)}" for k, v in (given | self.hyperparameters).items()]
        return f"Group({', '.join([self.match_in_words(), *words])})"

    def match_in_words(self) -> str:
        """Return `match` as text for messages, with objects by name."""
        match: Any = self.match
        if isinstance(match, list | tuple):
            return shown_list([_in_words(part) for part in match])
        return _in_words(match)

    def _compared(self) -> tuple[Any, ...]:
        return self.match, self.learning_rate, self.frozen, self.hyperparameters

    def _globs(self) -> Any:
        """Return `match` with objects replaced by the paths of their weights."""
        if all(isinstance(part, str) for part in self._parts):
            return self.match
        found: list[str] = []
        for part in self._parts:
            if isinstance(part, str):
                found.append(part)
                continue
            weights = weights_of(part)
            paths = [self._paths.get(id(v), path_of(v)) for v in weights]
            found += [f"/{glob.escape(path)}" for path in paths]
            found += [] if weights else [glob.escape(part.name)]
        return found


def check_match(match: Any) -> tuple[Part, ...]:
    """Return globs, layers and variables as a tuple; an empty one for a function."""
    parts = match if isinstance(match, list | tuple) else [match]
    if parts and all(
        isinstance(p, keras.Layer | keras.Variable) or (isinstance(p, str) and p)
        for p in parts
    ):
        return tuple(parts)
    if callable(match) and not isinstance(match, type):
        return ()
    hint = ""
    if isinstance(match, type) and issubclass(match, keras.Layer):
        hint = " This is the class; pass the layer itself, or its name as a glob."
    raise TypeError(
        "`match` must be a layer, a variable, a glob on the variable's path, a list "
        f"of these, or a function of the variable. Received: match={shown(match)}."
        f"{hint}"
    )


def check_hyperparameter(name: str, value: Any) -> Any:
    """Return a value, or raise if no optimizer has a hyperparameter of its kind.

    The optimizer that receives the group checks the name and the range again.
    """
    fields = fields_named(name)
    if not fields:
        known = {"learning_rate", "frozen", *known_fields()}
        raise TypeError(
            "No optimizer has this hyperparameter. "
            f"Received: {name}={shown(value)}. {advise(name, value, known)}"
        )
    errors = []
    for field in fields:
        try:
            field.validate(value)
        except (TypeError, ValueError) as error:
            errors.append(error)
    if len(errors) == len(fields) and all(isinstance(e, TypeError) for e in errors):
        raise errors[0]
    return value


def weights_of(part: Any) -> list[Variable]:
    """Return all weights of a layer, or a variable, as a list; `[]` for a glob."""
    if isinstance(part, keras.Layer):
        return list(part.variables)
    return [part] if isinstance(part, keras.Variable) else []


def check_groups(groups: Any) -> tuple[Group, ...]:
    """Return copies of groups; raise if one is not a `Group`."""
    if groups is None:
        return ()
    found = _list(groups)
    for group in found:
        if not isinstance(group, Group):
            raise TypeError(
                "expected a list of Group. "
                f"Received: groups={shown(groups)}. "
                "Make one: Group(layer_or_glob, learning_rate=0.1)."
            )
    return tuple(group.copy() for group in found)


def assign_groups(groups: Sequence[Group], variables: Sequence[Variable]) -> list[int]:
    """Return for each variable the index of the first group it matches, or -1.

    Raises:
        ValueError: if a group matches no variable. For a group from a saved config this
            is a warning, since its weights may have been frozen after saving.
    """
    placed = [-1] * len(variables)
    for i, group in enumerate(groups):
        hits = group.find(variables)
        if variables and not any(hits):
            message = _no_weight(group, "A group", unique_paths(variables))
            if not group.restored:
                raise ValueError(message)
            warnings.warn(message, stacklevel=2)
        elif not group.restored:
            warn_of_parts_without_weights(group, variables)
        placed = [
            i if hit and now < 0 else now for hit, now in zip(hits, placed, strict=True)
        ]
        if any(hits) and i not in placed and not group.restored:
            warnings.warn(
                "A group has no effect: earlier groups take all weights that it "
                f"matches. Received: {group!r}. Put it before them.",
                stacklevel=2,
            )
    if -1 in placed and any(group.of_all for group in groups):
        left = [
            p for p, i in zip(unique_paths(variables), placed, strict=True) if i < 0
        ]
        warnings.warn(
            "Some weights are in no group of `layerwise_decay`, so they train at the "
            f"full learning rate: {shown_list(left)}. They were frozen or not there "
            "when the groups were made. Make the groups, or the recipe, again.",
            stacklevel=2,
        )
    return placed


def warn_of_parts_without_weights(group: Group, variables: Sequence[Variable]) -> None:
    """Warn of globs of a list that match no weight, while others do."""
    for part in group.globs if len(group.globs) > 1 else []:
        if not any(Group(part).find(variables)):
            text = _no_weight(
                Group(part), "An entry of a group", unique_paths(variables)
            )
            warnings.warn(text, stacklevel=2)


def _no_weight(group: Group, what: str, paths: Sequence[str]) -> str:
    """Return the message about a group that matches no weight."""
    words = {word for path in paths for word in path.split("/")}
    near = [
        close
        for glob_ in group.globs
        for close in difflib.get_close_matches(glob_.split("/")[0], words, n=1)
    ]
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"{what} matches no trainable weight. Received: match="
        f"{group.match_in_words()}.{hint} A part of a name needs a star, as in "
        "'block_1_*'. A nested model is matched by the model itself. An optimizer does "
        "not receive the weights of frozen layers. The weights are:\n  "
        + "\n  ".join(shown_lines(paths))
    )


def found_again(found: dict[str, Any], paths: Sequence[str]) -> list[bool] | None:
    """Return which weights belong to a saved group, or `None` if that is unknown.

    Paths in a loaded model can differ from the saved ones: layers that were built by
    their parents get other prefixes, and Keras renumbers layers of a subclassed model.
    Weights are therefore matched by position, if their names agree apart from numbers.
    Otherwise, as after freezing some layers, they are matched by path, or by the names
    of layer and weight.
    """
    saved: list[str] = found["paths"]
    at: list[int] = found["at"]
    same_number = len(paths) == found["of"]
    if same_number and [unnumbered(paths[i]) for i in at] == [*map(unnumbered, saved)]:
        return [i in at for i in range(len(paths))]
    if set(saved) <= set(paths):
        return [path in saved for path in paths]
    wanted, tails = set(map(tail_of, saved)), [tail_of(path) for path in paths]
    return [tail in wanted for tail in tails] if wanted & set(tails) else None


def leaves(layer: Any) -> Iterable[Any]:
    """Return the layers without inner layers, in order."""
    children = getattr(layer, "layers", None)
    if not children:
        return [layer]
    return [leaf for child in children for leaf in leaves(child)]


def shown_list(words: list[str]) -> str:
    """Return a list as text: the first entries, and the number of the others."""
    return f"[{', '.join(shown_lines(words, most=6))}]"


def shown_lines(words: Sequence[str], most: int = 20) -> list[str]:
    """Return the first entries, and the number of the others in words."""
    more = [f"... {len(words) - most} more"] if len(words) > most else []
    return [*words[:most], *more]


def _in_words(part: Any) -> str:
    if isinstance(part, keras.Variable):
        return f"<Variable {path_of(part)}>"
    return shown(part)


def _list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list | tuple) else [x]
