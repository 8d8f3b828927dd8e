"""Uses of the private API of Keras' trainers.

Checked in Keras 3.12 to 3.16. Private names used, and why no public name suffices:

- The epoch iterators of the trainers, `_eval_epoch_iterator` of a model, and the
  argument `_use_cached_eval_dataset` of `evaluate`: by them `fit` evaluates the same
  data repeatedly. On TensorFlow, `evaluate` makes a new pipeline for each call, which
  takes longer than a small evaluation.
- `_jax_state` and `_get_jax_state` of a model: what `jax_state_sync` would write into
  the variables.
- `backend.compute_output_spec`: calls a model without values.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

import keras

ITERATORS = {
    "tensorflow": "TFEpochIterator",
    "jax": "JAXEpochIterator",
    "torch": "TorchEpochIterator",
}


def evaluation_batches(
    model: Any, data: tuple[Any, Any, Any], batch_size: int | None, steps: int | None
) -> Any:
    """Return batches of x, y and weights, which `evaluate_batches` can read again."""
    name = keras.backend.backend()
    trainer = importlib.import_module(f"keras.src.backend.{name}.trainer")
    on_tf = name == "tensorflow"
    return getattr(trainer, ITERATORS[name])(
        **({"distribute_strategy": model.distribute_strategy} if on_tf else {}),
        **dict(zip(("x", "y", "sample_weight"), data, strict=True)),
        batch_size=batch_size,
        steps_per_epoch=steps,
        shuffle=False,
        steps_per_execution=model.steps_per_execution,
    )


def evaluate_batches(model: Any, batches: Any) -> dict[str, Any]:
    """Return what `evaluate` returns for batches from `evaluation_batches`."""
    of_fit = getattr(model, "_eval_epoch_iterator", None)
    model._eval_epoch_iterator = batches
    try:
        how = {"verbose": 0, "return_dict": True, "_use_cached_eval_dataset": True}
        return model.evaluate(**how)
    finally:
        model._eval_epoch_iterator = of_fit


def output_spec(model: keras.Model, x: Any) -> Any:
    """Return the outputs for inputs that are given as `KerasTensor`s."""
    from keras.src import backend

    return backend.compute_output_spec(model, x, training=False)


def forget_trainer_state(model: Any) -> None:
    """Have JAX' trainer take its state from the variables, which now hold it."""
    model._jax_state = None


@contextlib.contextmanager
def trainer_state_renewed(model: Any) -> Iterator[None]:
    """Have JAX' trainer keep the values of the variables at exit, if it kept some.

    `evaluate` drops what the trainer keeps. `fit` needs it where data of unknown length
    end: it takes the values out of the variables, and then finds no batch to train on.
    """
    if not getattr(model, "_jax_state", None):
        yield
        return
    try:
        yield
    finally:
        kinds = "trainable", "non_trainable", "optimizer", "metrics"
        names = [f"{kind}_variables" for kind in kinds]
        values = model._get_jax_state(**dict.fromkeys(names, True))
        model._jax_state = dict(zip(names, values, strict=True))
