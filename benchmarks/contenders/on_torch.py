"""On torch: ours, Keras' and torch.optim's, fused and by lists of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import torch

from contenders.ours import Shapes, Step, arrays, copying, ours, twin
from keras_optlab.engine.fused import on_torch

TORCH: dict[str, tuple[str, dict[str, Any]]] = {
    "adadelta": ("Adadelta", {"lr": 0.001}),
    "adagrad": ("Adagrad", {"lr": 0.001}),
    "adam": ("Adam", {}),
    "adamax": ("Adamax", {"lr": 0.001}),
    "adamw": ("AdamW", {"weight_decay": 0.004}),
    "nadam": ("NAdam", {"lr": 0.001}),
    "rmsprop": ("RMSprop", {"lr": 0.001}),
    "sgd": ("SGD", {"lr": 0.01, "momentum": 0.9}),
}
FUSED = {"adagrad", "adam", "adamw", "sgd"}


def steps(name: str, shapes: Shapes) -> dict[str, Callable[[], Step]]:
    """Return what makes the step of each contender."""
    entries = {
        "ours": lambda: applied(ours(name), shapes),
        "ours, unguarded": lambda: applied(ours(name, skip_non_finite=False), shapes),
    }
    if twin(name):
        entries["keras"] = lambda: applied(twin(name), shapes)
    if name in TORCH:
        entries["torch foreach"] = lambda: theirs(name, shapes, foreach=True)
    if name in FUSED:
        entries["torch fused"] = lambda: theirs(name, shapes, fused=True)
    return entries | {"copy": copying(name, shapes)}


def applied(optimizer: Any, shapes: Shapes) -> Step:
    """Return the step of a Keras optimizer; ours compiles at once, not when earned."""
    on_torch.COMPILE_AFTER = 0
    weights = [keras.Variable(w, name=f"w{i}") for i, w in enumerate(arrays(shapes, 0))]
    gradients = tensors(shapes, 1)
    optimizer.build(weights)

    @torch.no_grad()
    def step() -> int:
        optimizer.apply(gradients, weights)
        wait()
        return 1

    step()
    return step


def theirs(name: str, shapes: Shapes, **form: bool) -> Step:
    """Return the step of an optimizer of torch."""
    kind, arguments = TORCH[name]
    weights = [torch.nn.Parameter(w) for w in tensors(shapes, 0)]
    for w, g in zip(weights, tensors(shapes, 1), strict=True):
        w.grad = g
    optimizer = getattr(torch.optim, kind)(weights, **arguments, **form)

    def step() -> int:
        optimizer.step()
        wait()
        return 1

    step()
    return step


def tensors(shapes: Shapes, seed: int) -> list[torch.Tensor]:
    return [keras.ops.convert_to_tensor(x) for x in arrays(shapes, seed)]


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
