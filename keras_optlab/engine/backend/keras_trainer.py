"""Uses of Keras' private API outside of optimizers: seeds, builds and data.

Checked in Keras 3.12 to 3.16. Private names used, and why no public name suffices:

- `_symbolic_build`, `_compile_loss` and `_compile_metrics` of a model: build its loss
  and metrics without a step.
- `global_state`: has the generator of random operations without a seed.
- `data_adapters`, `array_slicing`: the data as `fit` reads and splits them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def global_seed_generator() -> Any:
    """Return Keras' generator for random operations without a seed, if there is one."""
    from keras.src.backend.common import global_state

    return global_state.get_global_attribute("global_seed_generator")


def set_global_seed_generator(generator: Any) -> None:
    """Replace Keras' generator for random operations without a seed."""
    from keras.src.backend.common import global_state

    global_state.set_global_attribute("global_seed_generator", generator)


def symbolic_build(model: Any, batch: Any) -> None:
    """Build a model, its metrics and its optimizer for a batch, as `fit` does."""
    model._symbolic_build(data_batch=batch)


def compiled_parts(model: Any) -> Callable[[], None]:
    """Return a function that undoes the building of what `compile` has made.

    `fit` draws a batch to build the loss on JAX and torch, which changes the order of
    the batches. So it has to build it also after another method has built it.
    """
    parts = [x for x in (model._compile_loss, model._compile_metrics) if x is not None]
    kept = [(x, dict(vars(x)), list(x.metrics)) for x in parts if not x.built]

    def undo() -> None:
        for part, attributes, metrics in kept:
            if "_metrics" in attributes:
                attributes["_metrics"].clear()
                attributes["_metrics"].extend(metrics)
            vars(part).update(attributes)

    return undo


def data_adapter(x: Any, y: Any, sample_weight: Any, **kw: Any) -> Any:
    """Return Keras' reader of data in any form that `fit` takes."""
    from keras.src.trainers import data_adapters

    return data_adapters.get_data_adapter(x, y, sample_weight, **kw)


def training_part(share: float, data: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays without the part that `validation_split` takes."""
    from keras.src.trainers.data_adapters import array_slicing

    names = "x", "y", "sample_weight"
    arrays = tuple(data.get(k) for k in names)
    part, _ = array_slicing.train_validation_split(arrays, validation_split=share)
    return dict(zip(names, part, strict=True))
