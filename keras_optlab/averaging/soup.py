"""Averages of the weights of several models."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_optlab.averaging.refresh_normalization import (
    check_counts,
    refresh_normalization,
)
from keras_optlab.core.errors import shown
from keras_optlab.engine import normalization_layers

Member = str | os.PathLike[str] | keras.Model
Score = Callable[[keras.Model], float]
Arrays = list[np.ndarray]
SHOWN = 5  # differences in a message


def soup(
    members: Sequence[Member],
    *,
    model: keras.Model | None = None,
    score: Score | None = None,
    data: Any = None,
    steps: int = 100,
    batch_size: int = 32,
) -> keras.Model:
    r"""Return a model whose weights are the mean of those of several models.

    The members have one architecture and were trained from one initial model, such as a
    pretrained one, with different settings or seeds:

    $$\theta = \frac{1}{n} \sum_i \theta_i$$

    With `score`, the soup is greedy: the members are sorted by their scores, the best
    first, and each is added if the score of the soup does not fall. The attribute
    `soup_members` of the result lists the positions of the members that are in.

    One member is in memory at a time, beside the sum in float64. Integer weights are
    those of the first member. The state of optimizers is not averaged: a compiled
    result starts with a new optimizer.

    Args:
        members: Paths of `.keras` or `.weights.h5` files, or models, which stay as they
            are; at least one.
        model: The model to write the mean into, in place. `None` loads the first file,
            or clones the first model; `.weights.h5` files alone need it.
        score: Returns a number for a model, the higher the better, such as its
            accuracy on validation data.
        data: Inputs to compute the statistics of normalization layers with, as in
            `refresh_normalization`; those of the members do not fit the mean weights.
        steps: Batches of `data` at most.
        batch_size: Examples in a batch of `data`, if these are arrays.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if there are no members, their weights differ in number, names or
            shapes, or no model is there to hold the mean.

    Warns:
        UserWarning: if the model has normalization layers and `data` is not given.

    Source: Wortsman et al., 2022, arXiv:2203.05482, Algorithm 1 for the greedy soup.

    >>> def trained(bias):
    ...     dense = keras.layers.Dense(1, bias_initializer="ones")
    ...     one = keras.Sequential([keras.Input((2,)), dense])
    ...     one.set_weights([w * bias for w in one.get_weights()])
    ...     return one
    >>> mean = soup([trained(1.0), trained(3.0)])
    >>> mean.get_weights()[1].tolist()
    [2.0]
    """
    members = _checked(members, model, score)
    steps, batch_size = check_counts(steps, batch_size)
    result = _result(members, model)
    reader = _Reader(result, members)

    def fill(arrays: Arrays) -> None:
        result.set_weights(arrays)
        if data is not None:
            refresh_normalization(result, data, steps, batch_size)

    if score is None:
        chosen = list(range(len(members)))
        fill(_mean(reader.read(i) for i in chosen))
    else:
        chosen = _greedy(reader, len(members), fill, lambda: float(score(result)))
    if data is None and normalization_layers(result):
        warnings.warn(
            f"The statistics of normalization layers in {result.name!r} are the means "
            "of the members', which do not fit the mean weights. Give the training "
            "inputs: `soup(..., data=x)`, or call `refresh_normalization(model, x)`.",
            stacklevel=2,
        )
    _compile_anew(result)
    result.soup_members = tuple(chosen)
    return result


def _checked(members: Any, model: Any, score: Any) -> list[Any]:
    one = isinstance(members, str | os.PathLike | keras.Model)
    if one or not isinstance(members, Iterable) or hasattr(members, "shape"):
        raise TypeError(
            f"`members` must be a list of paths or models. Received: {shown(members)}"
        )
    members = list(members)
    if not members:
        raise ValueError("`members` must have at least one member. Received: []")
    for x in members:
        if isinstance(x, keras.Model):
            continue
        path = os.fspath(x) if isinstance(x, str | os.PathLike) else ""
        if not path.endswith((".keras", ".weights.h5")):
            raise TypeError(
                "A member must be a model, or the path of a `.keras` or `.weights.h5` "
                f"file. Received: {shown(x)}"
            )
        if not os.path.exists(path):
            raise ValueError(f"There is no such file. Received: {path!r}")
    if model is not None and not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a keras.Model. Received: {shown(model)}")
    if score is not None and not callable(score):
        raise TypeError(
            "`score` must be a function of a model that returns a number. "
            f"Received: score={shown(score)}"
        )
    return members


def _result(members: list[Any], model: keras.Model | None) -> keras.Model:
    """Return the model that is to hold the mean."""
    if model is not None:
        result = model
    elif isinstance(members[0], keras.Model):
        result = _clone(members[0])
    elif os.fspath(members[0]).endswith(".keras"):
        result = keras.saving.load_model(members[0])
    else:
        raise ValueError(
            "A `.weights.h5` file has no architecture. Received: members[0]="
            f"{os.fspath(members[0])!r} without `model`. Pass `model=`, a model of "
            "this architecture."
        )
    if not result.built:
        raise ValueError(
            f"The model has no weights yet. Received: {result!r}. Build it first, with "
            "an Input layer or `model.build`."
        )
    return result


class _Reader:
    """Reads the weights of members, and checks that they fit.

    Args:
        result: The model that is to hold the mean.
        members: Paths and models.
    """

    def __init__(self, result: keras.Model, members: list[Any]) -> None:
        self.members = members
        self.expected = _names(result)
        files = [x for x in members if str(x).endswith(".weights.h5")]
        self.scratch = _clone(result) if files else None

    def read(self, i: int) -> Arrays:
        """Return the weights of a member, its evaluation weights if it has two sets."""
        member = self.members[i]
        if isinstance(member, keras.Model):
            one = member
        elif os.fspath(member).endswith(".keras"):
            one = keras.saving.load_model(member, compile=False)
        else:
            one = self.scratch
            try:
                one.load_weights(member)  # pyright: ignore[reportOptionalMemberAccess]
            except (ValueError, KeyError) as error:
                raise ValueError(
                    f"Member {i} does not fit the model. Received: "
                    f"{os.fspath(member)!r}: {error}"
                ) from error
        self._check(i, _names(one))
        return one.get_weights()  # pyright: ignore[reportOptionalMemberAccess]

    def _check(self, i: int, found: list[tuple[str, tuple[int, ...]]]) -> None:
        if found == self.expected:
            return
        pairs = zip(found, self.expected, strict=False)
        lines = [f"{a} here, {b} expected" for a, b in pairs if a != b][:SHOWN]
        if len(found) != len(self.expected):
            lines.append(f"{len(found)} weights here, {len(self.expected)} expected")
        what = self.members[i]
        name = what.name if isinstance(what, keras.Model) else os.fspath(what)
        raise ValueError(
            "All members must have the same weights. Received: member "
            f"{i} ({name!r}) with other ones:\n  " + "\n  ".join(lines)
        )


def _names(model: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Return names and shapes of the weights, without Keras' numbers of layers."""
    return [
        (re.sub(r"_\d+(?=/|$)", "", v.path.partition("/")[2]), tuple(v.shape))
        if v.path.partition("/")[0] == model.name
        else (re.sub(r"_\d+(?=/|$)", "", v.path), tuple(v.shape))
        for v in model.weights
    ]


def _mean(members: Iterator[Arrays]) -> Arrays:
    """Return the mean of the floating weights, and the others of the first member."""
    first = next(members)
    total, n = [x.astype("float64") if _floats(x) else x for x in first], 1
    del first
    for arrays in members:
        n += 1
        for i, x in enumerate(arrays):
            if _floats(x):
                total[i] += x
    return [x / n if _floats(x) else x for x in total]


def _greedy(
    reader: _Reader, n: int, fill: Callable[[Arrays], None], score: Callable[[], float]
) -> list[int]:
    """Fill the model with the greedy soup; return the members in it, best first."""
    scores = []
    for i in range(n):
        fill(reader.read(i))
        scores.append(score())
    order = sorted(range(n), key=lambda i: -scores[i])
    chosen, best = order[:1], scores[order[0]]
    mean = _mean(iter([reader.read(order[0])]))
    first = reader.read(0)
    for i in order[1:]:
        k, arrays = len(chosen), reader.read(i)
        tried = [
            (m * k + x) / (k + 1) if _floats(m) else m
            for m, x in zip(mean, arrays, strict=True)
        ]
        fill(tried)
        now = score()
        if now >= best:
            chosen, best, mean = [*chosen, i], now, tried
    mean = [m if _floats(m) else x for m, x in zip(mean, first, strict=True)]
    fill(mean)
    return chosen


def _floats(x: np.ndarray) -> bool:
    return "float" in str(x.dtype)


def _clone(model: Any) -> Any:
    """Return a model of the same architecture, not compiled."""
    try:
        clone = keras.models.clone_model(model)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            f"The model cannot be cloned. Received: {model!r}: {error} Save the "
            "members as `.keras` files."
        ) from error
    if not clone.built:
        clone.build(model.input_shape)
    return clone


def _compile_anew(model: Any) -> None:
    """Compile a compiled model with a new optimizer of the same settings."""
    config = model.get_compile_config() if model.compiled else None
    if config:
        model.compile_from_config(config)
