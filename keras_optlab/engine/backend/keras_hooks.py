"""Hooks on `compile`, `fit` and `train_on_batch` of every Keras model.

`compile` is extended because no other method gives an optimizer its model. `fit` and
`train_on_batch` are extended because no method that Keras calls inside them encloses
all of the work: data, batches, validation and callbacks. Each method is extended once
per process. A hook replaces an earlier hook of the same name, so importing this package
again adds nothing.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import keras

CompileHook = Callable[[keras.Model], None]
FitHook = Callable[
    [keras.Model, list[keras.callbacks.Callback]],
    contextlib.AbstractContextManager[None],
]
BatchHook = Callable[[keras.Model], contextlib.AbstractContextManager[None] | None]
Method = Callable[..., Any]
Hooks = dict[str, Any]

_fit_arguments: ContextVar[dict[str, Any]] = ContextVar("arguments of the running fit")


def on_compile(hook: CompileHook) -> None:
    """Register a function to call with every model after its `compile`."""
    # where it is defined: Keras compares a model's `compile` with this one
    owner = next(c for c in keras.Model.__mro__ if "compile" in vars(c))
    _add(owner, "compile", _extended_compile, hook)


def around_fit(hook: FitHook) -> None:
    """Register a context to enter around every `fit` of every model.

    Args:
        hook: Returns the context, given the model and the list of callbacks passed to
            `fit`. Callbacks that the hook appends to the list run after these.
    """
    _add(keras.Model, "fit", _extended_fit, hook)


def around_train_on_batch(hook: BatchHook) -> None:
    """Register a context to enter around every `train_on_batch` of every model.

    Args:
        hook: Returns the context, given the model, or `None` for no context.
    """
    _add(keras.Model, "train_on_batch", _extended_train_on_batch, hook)


def fit_arguments() -> dict[str, Any]:
    """Return the arguments that the running `fit` was called with; `{}` outside."""
    return _fit_arguments.get({})


def fit_callbacks() -> list[keras.callbacks.Callback]:
    """Return the callbacks that the running `fit` was called with; `[]` outside."""
    return keras.tree.flatten(_callbacks(fit_arguments()))


def _add(
    owner: type, name: str, extend: Callable[[Method, Hooks], Method], hook: Any
) -> None:
    """Add a hook to a method, and extend the method if it has no hooks yet."""
    method: Any = getattr(owner, name)
    if not hasattr(method, "hooks"):
        hooks: Hooks = {}
        extended: Any = functools.wraps(method)(extend(method, hooks))
        extended.hooks = hooks
        setattr(owner, name, extended)
        method = extended
    method.hooks[f"{hook.__module__}.{hook.__qualname__}"] = hook


def _extended_compile(compile: Method, hooks: Hooks) -> Method:
    def compile_with_hooks(self: Any, *args: Any, **kwargs: Any) -> None:
        compile(self, *args, **kwargs)
        for hook in hooks.values():
            hook(self)

    return compile_with_hooks


def _extended_fit(fit: Method, hooks: Hooks) -> Method:
    signature = inspect.signature(fit)

    def fit_with_hooks(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        _put_in_order(bound.arguments)
        model, callbacks = bound.arguments["self"], _callbacks(bound.arguments)
        before = len(callbacks)
        with contextlib.ExitStack() as stack:
            for hook in hooks.values():
                stack.enter_context(hook(model, callbacks))
            added = callbacks[before:]
            given = bound.arguments.get("callbacks")
            if isinstance(given, keras.callbacks.CallbackList):
                for callback in added:
                    callback.set_model(model)
                    given.append(callback)  # pyright: ignore[reportOptionalMemberAccess]
            elif added:
                bound.arguments["callbacks"] = callbacks
            token = _fit_arguments.set(bound.arguments)
            try:
                return fit(*bound.args, **bound.kwargs)
            finally:
                _fit_arguments.reset(token)

    return fit_with_hooks


def _extended_train_on_batch(train_on_batch: Method, hooks: Hooks) -> Method:
    def train_on_batch_with_hooks(self: Any, *args: Any, **kwargs: Any) -> Any:
        contexts = [c for c in (hook(self) for hook in hooks.values()) if c is not None]
        if not contexts:
            return train_on_batch(self, *args, **kwargs)
        with contextlib.ExitStack() as stack:
            for context in contexts:
                stack.enter_context(context)
            return train_on_batch(self, *args, **kwargs)

    return train_on_batch_with_hooks


def _callbacks(arguments: dict[str, Any]) -> list[keras.callbacks.Callback]:
    """Return the callbacks passed to `fit` as a new list."""
    given = arguments.get("callbacks")
    if isinstance(given, keras.callbacks.CallbackList):
        return list(given.callbacks)  # pyright: ignore[reportOptionalMemberAccess]
    if isinstance(given, list | tuple):
        return list(given)
    return [] if given is None else [given]


def _put_in_order(arguments: dict[str, Any]) -> None:
    """Order the callbacks of `fit` by who writes into the logs, and who reads them.

    Callbacks with a higher `runs_first` move to the front. Those with a true
    `writes_logs` move before the first `CSVLogger` of Keras.
    """
    given = arguments.get("callbacks")
    own_list = isinstance(given, keras.callbacks.CallbackList)
    flat = keras.tree.flatten(given.callbacks if own_list else given)  # pyright: ignore[reportOptionalMemberAccess]
    ordered = sorted(flat, key=lambda c: -getattr(c, "runs_first", 0))
    loggers = [c for c in ordered if isinstance(c, keras.callbacks.CSVLogger)]
    if loggers:
        first = ordered.index(loggers[0])
        after = ordered[first:]
        late = [c for c in after if getattr(c, "writes_logs", False)]
        ordered[first:] = [*late, *(c for c in after if c not in late)]
    if all(a is b for a, b in zip(flat, ordered, strict=True)):
        return
    if own_list:
        given.callbacks[:] = ordered  # pyright: ignore[reportOptionalMemberAccess]
    else:
        arguments["callbacks"] = ordered
