"""Uses of the private API of Keras' trainers.

Checked in Keras 3.12 to 3.16. Private names used, and why no public name suffices:

- The epoch iterators of the trainers, and their `_get_iterator`: all batches of `fit`
  come through it.
- `_eval_epoch_iterator` of a model, and the argument `_use_cached_eval_dataset` of
  `evaluate`: by them `fit` evaluates the same data repeatedly. On TensorFlow,
  `evaluate` makes a new pipeline for each call, which takes longer than a small
  evaluation.
- `_jax_state`, `_jax_state_synced` and `_get_jax_state` of a model: what
  `jax_state_sync` would write into the variables, which it does for all at once.
- `_symbolic_build`, `_compile_loss` and `_compile_metrics` of a model: build its loss
  and metrics without a step.
- `_compile_config` of a model: what `save` writes of the arguments of `compile`.
- `_initial_epoch` of a model: the first epoch, if a callback has set it.
- `_distributed_dataset` of an epoch iterator, `_dataset` of a reader of `tf.data`: to
  learn the shapes of a batch, and to make iterators over the same data.
- `global_state`: has the generator of random operations without a seed.
- `data_adapters`, `array_slicing`: the data as `fit` reads and splits them.
- `_epoch` of a reader of data, from 3.16 on: shuffles depend on it.
- `backend.compute_output_spec`: calls a model without values.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras.src.trainers import epoch_iterator

from keras_optlab.engine.backend.keras_adapter import concrete

EpochIterator: Any = epoch_iterator.EpochIterator  # makes the batches of `fit`
ITERATORS = {
    "tensorflow": "TFEpochIterator",
    "jax": "JAXEpochIterator",
    "torch": "TorchEpochIterator",
}


def trainer_iterators() -> Any:
    """Return the class of the iterators that make the batches of `fit`."""
    name = keras.backend.backend()
    trainer = importlib.import_module(f"keras.src.backend.{name}.trainer")
    return getattr(trainer, ITERATORS[name])


@contextlib.contextmanager
def batches_passing(through: Callable[[Any, Any], Any]) -> Iterator[None]:
    """Pass all batches of all epochs through a function, within the context.

    Args:
        through: Called with an iterator of Keras, which makes the batches of an epoch,
            and its data: an iterable, or a dataset of TensorFlow. It returns the data.
    """
    iterators = trainer_iterators()
    given = iterators._get_iterator
    iterators._get_iterator = lambda self: through(self, given(self))
    try:
        yield
    finally:
        iterators._get_iterator = given


def evaluation_batches(
    model: Any,
    data: tuple[Any, Any, Any],
    batch_size: int | None,
    steps: int | None,
    whole: bool = False,
) -> Any:
    """Return batches of x, y and weights, which `evaluate_batches` can read again.

    Args:
        model: The model to evaluate.
        data: x, y and sample weights.
        batch_size: Rows in a batch.
        steps: Number of batches.
        whole: Whether x and y are arrays that each process has as a whole, of a number
            of rows that devices need not be able to share equally.
    """
    on_tf = keras.backend.backend() == "tensorflow"
    iterators = trainer_iterators()
    if whole and on_tf:
        batch_size = _shared_equally(batch_size, data[0], model)
    elif whole and keras.distribution.distribution() is not None:
        iterators = _whole_batches()
    return iterators(
        **({"distribute_strategy": model.distribute_strategy} if on_tf else {}),
        **dict(zip(("x", "y", "sample_weight"), data, strict=True)),
        batch_size=batch_size,
        steps_per_epoch=steps,
        shuffle=False,
        steps_per_execution=model.steps_per_execution,
    )


def _shared_equally(batch_size: int | None, x: Any, model: Any) -> int | None:
    """Return the size of batches that the replicas of a model share equally.

    TensorFlow's trainer adds the parts of the first batch up, to learn its shape. Only
    the last batch may be uneven.
    """
    replicas = model.distribute_strategy.num_replicas_in_sync
    if replicas == 1 or batch_size is None:
        return batch_size
    size = min(batch_size, len(keras.tree.flatten(x)[0]))
    return max(replicas, size - size % replicas)


def _whole_batches() -> Any:
    """Return JAX' epoch iterator that has whole batches in each process.

    Keras' own gives each batch the layout of the first one, which fails if the devices
    cannot share the last one equally; and it takes the parts of several processes.
    """
    import jax

    distribution = keras.distribution.distribution()

    def placed(x: Any) -> Any:
        layout = distribution.get_data_layout(x.shape).backend_layout
        if len(x) % distribution.num_model_replicas:  # each device has all of it
            layout = jax.sharding.NamedSharding(
                layout.mesh, jax.sharding.PartitionSpec()
            )
        return jax.make_array_from_callback(x.shape, layout, lambda i: x[i])

    class WholeBatches(trainer_iterators()):
        def _get_iterator(self) -> Any:
            for batch in self.data_adapter.get_jax_iterator():
                yield keras.tree.map_structure(placed, batch)

    return WholeBatches


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


def newest(model: Any) -> Callable[[Any], np.ndarray | None]:
    """Return a function that reads a variable of the optimizer, as `concrete` does.

    While JAX' trainer holds the values, it reads them there. To have them written into
    all variables takes longer than a step of a small model.
    """
    state = getattr(model, "_jax_state", None)
    if not state or model._jax_state_synced:
        return concrete
    held = dict(
        zip(
            map(id, model.optimizer.variables),
            state["optimizer_variables"],
            strict=False,
        )
    )

    def read(variable: Any) -> np.ndarray | None:
        here = id(variable) in held
        return np.asarray(held[id(variable)]) if here else concrete(variable)

    return read


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


def epoch_of_data(adapter: Any) -> int | None:
    """Return the number of epochs that a reader of data has counted, if it does."""
    return getattr(adapter, "_epoch", None)


def set_epoch_of_data(adapter: Any, epoch: int | None) -> None:
    """Set the number of epochs that a reader of data has counted, if it does."""
    if epoch is not None and epoch_of_data(adapter) is not None:
        adapter._epoch = epoch


def training_part(share: float, data: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays without the part that `validation_split` takes."""
    from keras.src.trainers.data_adapters import array_slicing

    names = "x", "y", "sample_weight"
    arrays = tuple(data.get(k) for k in names)
    part, _ = array_slicing.train_validation_split(arrays, validation_split=share)
    return dict(zip(names, part, strict=True))


def build_as_fit(
    model: keras.Model, batch: Callable[[], Any], fit_arguments: dict[str, Any]
) -> None:
    """Build a model, its metrics, losses and optimizer, as the next `fit` would.

    `fit` on JAX and torch draws a batch for this. It is drawn in the same way here, so
    that the random generators are then where they are after the build in `fit`.

    Args:
        model: A compiled model.
        batch: Returns a batch of arrays or tensors; called on TensorFlow.
        fit_arguments: Arguments of `fit` for the data.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        model._symbolic_build(data_batch=batch())
        return
    trainer = importlib.import_module(f"keras.src.backend.{backend}.trainer")
    names = {"jax": "JAXEpochIterator", "torch": "TorchEpochIterator"}
    make = getattr(trainer, names[backend])
    model._symbolic_build(iterator=make(**fit_arguments, shuffle=True))


def set_execution(
    model: keras.Model, jit_compile: bool, steps_per_execution: int
) -> None:
    """Set how a compiled model executes steps, in its saved configuration too."""
    model.jit_compile, model.steps_per_execution = jit_compile, steps_per_execution
    saved = getattr(model, "_compile_config", None)
    if saved is not None:
        saved.config |= {
            "jit_compile": jit_compile,
            "steps_per_execution": steps_per_execution,
        }


def set_first_epoch(model: Any, epoch: int | None) -> None:
    """Set the first epoch of the running `fit`; `None` is its own `initial_epoch`."""
    model._initial_epoch = epoch


def forever(batch: Any) -> Any:
    """Return a batch again and again, as the train function of a model takes it."""
    if keras.backend.backend() != "tensorflow":
        return [batch]
    import tensorflow as tf

    return iter(tf.data.Dataset.from_tensors(batch).repeat())


def compile_as(model: keras.Model, compiled: keras.Model, optimizer: Any) -> None:
    """Compile a model as another one, which may be itself, but for the optimizer."""
    loss, metrics = compiled._compile_loss, compiled._compile_metrics
    model.compile(
        optimizer,
        loss=compiled.loss,
        loss_weights=loss and loss._user_loss_weights,
        metrics=metrics and metrics._user_metrics,
        weighted_metrics=metrics and metrics._user_weighted_metrics,
        run_eagerly=compiled.run_eagerly,
        steps_per_execution=compiled.steps_per_execution,
        jit_compile=compiled.jit_compile,
    )


def is_array_data(adapter: Any) -> bool:
    """Return whether a reader of data reads arrays or tensors."""
    return type(adapter).__name__ == "ArrayDataAdapter"


def is_tf_data(adapter: Any) -> bool:
    """Return whether a reader of data reads a `tf.data.Dataset`."""
    return type(adapter).__name__ == "TFDatasetAdapter"


def element_spec(iterator: Any) -> Any:
    """Return shapes and types of a batch of an epoch iterator of TensorFlow."""
    return iterator._distributed_dataset.element_spec


def tf_data_of(adapter: Any) -> Any:
    """Return the `tf.data.Dataset` of a reader of data."""
    return adapter._dataset


def first_epoch(model: Any, arguments: dict[str, Any]) -> int:
    """Return the first epoch of a `fit`, which a callback may have set."""
    return model._initial_epoch or arguments.get("initial_epoch", 0)
