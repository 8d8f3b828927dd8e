"""Which weights of a file are which of an optimizer's, and what is said of the rest."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

SHOWN = 12  # names of weights in one line of a message

_strict = ContextVar("strict_loading", default=False)


@contextlib.contextmanager
def strict_loading() -> Iterator[None]:
    """Raise an error where a saved optimizer state does not fit, within the context.

    Without it, what does not fit is left out with a warning that names the weights:
    those frozen, quantized or replaced by LoRA since the file was written, those that
    the file does not know, and the state of another optimizer. The context holds for
    the thread, or the asynchronous task, that enters it, and for state that waits for
    an optimizer to be built.

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
    """Return whether `strict_loading` holds here."""
    return _strict.get()


def matched(
    theirs: Sequence[str], own: Sequence[str], weights: Sequence[str]
) -> dict[str, str]:
    """Match weights of a file with an optimizer's, as far as that is unambiguous.

    They are matched by path. Keras numbers the layers of an equal model anew, and puts
    the name of the whole before those of its parts or not; where the model has not all
    of the file's paths, their order among its weights tells which is which.

    Args:
        theirs: Paths in the file, in the order of its weights.
        own: Those of the optimizer, with `|` for `/` as in the file.
        weights: Those of all weights of its model, trained or not; if unknown, `own`.

    Returns:
        From paths in the file to those of the optimizer.
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
    """Match what has one name."""
    found = {path: _find(path, among) for path in theirs}
    return {path: q for path, q in found.items() if q is not None}


def _find(path: str, among: Sequence[str]) -> str | None:
    """Return the one path that names the same weight."""
    if path in among:
        return path
    found = [other for other in among if _agree(path, other)]
    return found[0] if len(found) == 1 else None


def _agree(a: str, b: str) -> bool:
    """Return whether paths are equal but for names of models that one begins with."""
    return a == b or a.endswith(f"|{b}") or b.endswith(f"|{a}")


def _embedded(theirs: Sequence[str], weights: Sequence[str]) -> dict[str, str] | None:
    """Match by order what has the same name but for numbers, if in one way only."""
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
    """Return a path without the numbers by which Keras tells equal layers apart."""
    return re.sub(r"_\d+(?=\||$)", "", path)


class Misfits:
    """What of a saved state does not fit: collected, then told once.

    Args:
        optimizer: The optimizer that reads it.

    Attributes:
        wholly: Whether it is the state of another optimizer and nothing of it is read.
    """

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = f"{type(optimizer).__name__} ({optimizer.name!r})"
        self.reasons: dict[str, list[str]] = {}
        self.wholly = False

    def add(self, what: str, reason: str) -> None:
        """Note something that does not fit, for a reason that others may share."""
        self.reasons.setdefault(reason, []).append(what.replace("|", "/"))

    def refuse(self, what: str, reason: str) -> None:
        """Note that nothing fits."""
        self.reasons, self.wholly = {reason: [what]}, True

    def tell(self, strict: bool) -> None:
        """Warn of all of it, or raise.

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
                "Construct the optimizer, and freeze the model, as they were when "
                "saved; or load without `strict_loading()`, which leaves out what does "
                "not fit."
            )
        rest = (
            "The optimizer starts from its beginning"
            if self.wholly
            else "All other state was read; the step counter and schedules go on"
        )
        warnings.warn(
            f"The saved state does not fit {self.optimizer} in all:\n  {listed}\n"
            f"{rest}. To have an error instead, load within `with "
            "keras_optlab.optimizers.strict_loading():`.",
            stacklevel=2,
        )


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    more = len(names) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
