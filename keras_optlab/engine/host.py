"""The model that an optimizer is compiled into, for those that have to do with it.

Most optimizers see gradients alone. Some look at a batch twice, and some train at other
weights than those to be evaluated. `compile` tells them of the model, and they put
themselves before a few methods of this one object; its class is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from keras_optlab.engine import points
from keras_optlab.engine.passes import with_passes
from keras_optlab.engine.seam import inner_optimizer

TRAINING = "fit", "train_on_batch"
EVALUATING = (
    "evaluate",
    "predict",
    "test_on_batch",
    "predict_on_batch",
    "save",
    "save_weights",
    "export",
    "get_weights",
)
REPLACING = "load_weights", "set_weights"


def join(model: Any) -> None:
    """Put the optimizer of a model that was compiled before its methods."""
    leave(model)
    optimizer = inner_optimizer(model.optimizer)
    methods: dict[str, Callable[..., Any]] = {}
    if getattr(optimizer, "looks_again", False):
        methods["train_step"] = with_passes(model, model.train_step)
    if getattr(optimizer, "has_two_points", False):
        if not optimizer.at_evaluation_point:
            points.to_evaluation(optimizer)
        for names, form in (
            (TRAINING, _training),
            (EVALUATING, _evaluating),
            (REPLACING, _replacing),
        ):
            methods |= {k: partial(form, optimizer, getattr(model, k)) for k in names}
        methods |= {k: partial(_known, model, methods[k]) for k in TRAINING}
    if methods:
        vars(model).update(methods, _methods_of_optimizer=list(methods))


def leave(model: Any) -> None:
    """Give a model its own methods back."""
    for name in vars(model).pop("_methods_of_optimizer", []):
        vars(model).pop(name, None)


def _known(model: Any, method: Callable[..., Any], *args: Any, **kw: Any) -> Any:
    """Train a model whose optimizer was built with none but its weights."""
    optimizer, own = inner_optimizer(model.optimizer), {id(w) for w in model.weights}
    if optimizer.built and not all(id(w) in own for w in optimizer.weights):
        optimizer.indices_of(model.trainable_variables)  # which raises
    return method(*args, **kw)


def _training(optimizer: Any, method: Callable[..., Any], *args: Any, **kw: Any) -> Any:
    with points.training_point(optimizer):
        return method(*args, **kw)


def _evaluating(
    optimizer: Any, method: Callable[..., Any], *args: Any, **kw: Any
) -> Any:
    with points.evaluation_point(optimizer):
        return method(*args, **kw)


def _replacing(
    optimizer: Any, method: Callable[..., Any], *args: Any, **kw: Any
) -> Any:
    """Read weights, which are meant to be evaluated, also while a model trains."""
    result = method(*args, **kw)
    if not optimizer.at_evaluation_point:
        points.to_training(optimizer)
    return result
