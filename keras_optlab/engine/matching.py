"""Which weights of a file are which of an optimizer's, and what is said of the rest."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

Shape = tuple[int, ...]
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
    theirs: Mapping[str, Shape], own: Mapping[str, Shape], known: set[str]
) -> dict[str, str]:
    """Match weights of a file with an optimizer's, as far as that is unambiguous.

    They are matched by path. Where the model has none of that name, since Keras
    numbers the layers of an equal model anew or they were renamed, by their order.

    Args:
        theirs: Paths and shapes in the file, in order.
        own: Those of the optimizer.
        known: The paths of all weights of the models that the optimizer trains.

    Returns:
        From paths in the file to those here, of weights whose shapes agree.
    """
    same = {p: p for p, shape in own.items() if theirs.get(p) == shape}
    by_order = dict(zip(theirs, own, strict=False))
    alike = list(theirs.values()) == list(own.values())
    if theirs.keys() == own.keys() or known.issuperset(theirs):
        return same
    if alike and [*map(_unnumbered, theirs)] == [*map(_unnumbered, own)]:
        return by_order
    return same if same or not alike else by_order


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
