"""Matching of a file's weights with an optimizer's; reports of what does not fit."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

from keras_optlab.engine.contract import BuiltOptimizer

SHOWN = 12  # names of weights in one line of a message

_strict = ContextVar("strict_loading", default=False)


@contextlib.contextmanager
def strict_loading() -> Iterator[None]:
    """Raise an error if a saved optimizer state does not fit, within the context.

    Without it, state that does not fit is ignored with a warning that names the
    weights: weights frozen, quantized or replaced by LoRA since the file was written,
    weights that are not in the file, and the state of another optimizer. The context
    applies to the thread, or the asynchronous task, that enters it, also to state that
    is restored only when an optimizer is built.

    Raises:
        ValueError: within the context, from `load_weights`, `load_model` or, if the
            optimizer was not built yet, from the first step; it lists what differs.

    >>> import keras, numpy as np
    >>> from keras_optlab import optimizers
    >>> def model(optimizer):
    ...     net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     net.compile(optimizer, "mse")
    ...     net.optimizer.build(net.trainable_variables)
    ...     return net
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "lion.weights.h5"
    >>> trained = model(optimizers.Lion())
    >>> _ = trained.train_on_batch(np.ones((4, 2)), np.ones((4, 1)))
    >>> trained.save_weights(path)
    >>> with optimizers.strict_loading():
    ...     model(optimizers.Adadelta()).load_weights(path)
    Traceback (most recent call last):
        ...
    ValueError: A total of 1 objects could not be loaded. ...
    """
    token = _strict.set(True)
    try:
        yield
    finally:
        _strict.reset(token)


def is_strict() -> bool:
    """Return whether this runs within `strict_loading`."""
    return _strict.get()


def matched(
    theirs: Sequence[str], own: Sequence[str], weights: Sequence[str]
) -> dict[str, str]:
    """Match weights of a file with an optimizer's, as far as that is unambiguous.

    They are matched by path. Keras gives the layers of an equal model other numbers,
    and may or may not prefix paths with the name of the outer model. If the model lacks
    some of the file's paths, weights are matched by order and by path without numbers.

    Args:
        theirs: Paths in the file, in the order of its weights.
        own: Paths of the optimizer's weights, with `|` for `/` as in the file.
        weights: Paths of all weights of its model, trainable or not; `own` if unknown.

    Returns:
        From paths in the file to paths of the optimizer.
    """
    by_name = _named(theirs, weights)
    if len(by_name) == len(theirs):
        return {path: q for path, q in by_name.items() if q in own}
    found = _embedded(theirs, weights)
    if found is None:
        found = _named(theirs, own)
    pairs = {path: q for path, q in found.items() if q in own}
    if not pairs and len(theirs) == len(own):  # all have been renamed
        return dict(zip(theirs, own, strict=True))
    return pairs


def _named(theirs: Sequence[str], among: Sequence[str]) -> dict[str, str]:
    """Match the paths that name exactly one weight."""
    found = {path: _find(path, among) for path in theirs}
    return {path: q for path, q in found.items() if q is not None}


def _find(path: str, among: Sequence[str]) -> str | None:
    """Return the one path that names the same weight."""
    if path in among:
        return path
    found = [other for other in among if _agree(path, other)]
    return found[0] if len(found) == 1 else None


def _agree(a: str, b: str) -> bool:
    """Return whether paths are equal, up to names of models before one of them."""
    return a == b or a.endswith(f"|{b}") or b.endswith(f"|{a}")


def _embedded(theirs: Sequence[str], weights: Sequence[str]) -> dict[str, str] | None:
    """Match by order, ignoring numbers in paths, if there is only one such match."""
    first = _leftmost(theirs, weights)
    last = _leftmost(theirs[::-1], weights[::-1])
    return first if first == last else None


def _leftmost(theirs: Sequence[str], weights: Sequence[str]) -> dict[str, str] | None:
    rest, found = iter(weights), {}
    for path in theirs:
        plain = _unnumbered(path)
        place = next((w for w in rest if _agree(plain, _unnumbered(w))), None)
        if place is None:
            return None
        found[path] = place
    return found


def _unnumbered(path: str) -> str:
    """Return a path without the numbers that Keras appends to names of layers."""
    return re.sub(r"_\d+(?=\||$)", "", path)


class Misfits:
    """Parts of a saved state that do not fit: collected, then reported once.

    Args:
        optimizer: The optimizer that reads it.

    Attributes:
        wholly: Whether it is another optimizer's state, of which nothing is restored.
    """

    def __init__(self, optimizer: BuiltOptimizer) -> None:
        self.optimizer = f"{type(optimizer).__name__} ({optimizer.name!r})"
        self.reasons: dict[str, list[str]] = {}
        self.wholly = False

    def add(self, what: str, reason: str) -> None:
        """Note a part that does not fit; parts with the same reason share a line."""
        self.reasons.setdefault(reason, []).append(what.replace("|", "/"))

    def refuse(self, what: str, reason: str) -> None:
        """Note that nothing fits."""
        self.reasons, self.wholly = {reason: [what]}, True

    def tell(self, strict: bool) -> None:
        """Warn of everything that does not fit, or raise.

        Raises:
            ValueError: if `strict`.
        """
        if not self.reasons:
            return
        listed = "\n  ".join(
            f"{_names(what)}: {reason}" for reason, what in self.reasons.items()
        )
        if strict:
            raise ValueError(
                f"The saved state does not fit {self.optimizer}:\n  {listed}\n"
                "Construct the optimizer and freeze the model as when the file was "
                "saved, or load without `strict_loading()`, which ignores state that "
                "does not fit."
            )
        rest = (
            "The optimizer starts from its initial state"
            if self.wholly
            else "All other state was restored, with the step counter and schedules"
        )
        warnings.warn(
            f"Not all of the saved state fits {self.optimizer}:\n  {listed}\n"
            f"{rest}. To get an error instead, load within `with "
            "keras_optlab.optimizers.strict_loading():`.",
            stacklevel=2,
        )


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    more = len(names) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
