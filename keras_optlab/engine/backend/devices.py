"""Devices that share each batch of a training: JAX's and TensorFlow's ways.

On JAX `keras.distribution.DataParallel` shards the batch: what is computed is what one
device computes of the whole batch. On TensorFlow each device of a `MirroredStrategy`
computes with its own part, and the gradients are added up.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_optlab.engine.backend.process_group import is_joined

WHY_NOT_TORCH = (
    "Keras does not share batches between devices on torch. Set KERAS_BACKEND=jax "
    "or tensorflow."
)


def check_backend(count: int) -> None:
    """Raise if the backend cannot use so many devices."""
    if count > 1 and keras.backend.backend() == "torch":
        raise ValueError(f"{WHY_NOT_TORCH} Received: devices={count}")


def divide_cpu(count: int) -> None:
    """Divide the CPU into so many devices, if the backend has not yet begun."""
    if count == 1:
        return
    with contextlib.suppress(RuntimeError):  # it has begun
        if keras.backend.backend() == "jax":
            _divide_on_jax(count)
        else:
            _divide_on_tensorflow(count)


def have_devices(count: int) -> None:
    """Have so many devices in this process: accelerators, or else parts of the CPU.

    Raises:
        ValueError: if there are fewer, or the backend cannot use several.
    """
    check_backend(count)
    if count == 1:
        return
    divide_cpu(count)
    there = _number_of_devices()
    if there < count:
        raise ValueError(
            f"{there} of {count} devices are there. Received: devices={count}. CPUs "
            "can be divided only before the first operation of the process: set "
            "`devices` in its first training."
        )


def _divide_on_jax(count: int) -> None:
    import jax

    if jax.config.jax_num_cpu_devices < count:
        jax.config.update("jax_num_cpu_devices", count)


def _divide_on_tensorflow(count: int) -> None:
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return
    cpu = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.get_logical_device_configuration(cpu) or []) < count:
        parts = [tf.config.LogicalDeviceConfiguration()] * count
        tf.config.set_logical_device_configuration(cpu, parts)


def _number_of_devices() -> int:
    if keras.backend.backend() == "tensorflow":
        return len(_tensorflow_devices())
    import jax

    return jax.local_device_count()


def _tensorflow_devices() -> list[Any]:
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU")
    return devices or tf.config.list_logical_devices("CPU")


@contextlib.contextmanager
def over_devices(count: int) -> Iterator[None]:
    """Have models that are made and trained within this share batches over devices.

    Args:
        count: Number of devices, those of all processes together. Each process has as
            many.

    Raises:
        ValueError: if this process has fewer, or the backend cannot use several.
    """
    have_devices(max(1, count // process_count()))
    if count == 1:
        yield
    elif keras.backend.backend() == "jax":
        distribution = keras.distribution.DataParallel(
            devices=_jax_names(count),
            auto_shard_dataset=False,  # which would ask for `tf.data`; see `part_of`
        )
        with distribution.scope():
            yield
    else:
        with mirrored_strategy(count).scope():
            yield


def _jax_names(count: int) -> list[str]:
    """Return Keras' names of the first devices of each process."""
    import jax

    each = count // jax.process_count()
    by_process: dict[int, list[Any]] = {}
    for device in jax.devices():
        by_process.setdefault(device.process_index, []).append(device)
    used = [d for p in sorted(by_process) for d in by_process[p][:each]]
    return [f"{d.platform}:{d.id}" for d in used]


@functools.cache
def mirrored_strategy(count: int) -> Any:
    """Return TensorFlow's strategy of the first devices; a process can have only one.

    TensorFlow would mix up the gradient sums of a second strategy with the first's.
    """
    import tensorflow as tf

    names = [device.name for device in _tensorflow_devices()[:count]]
    return tf.distribute.MirroredStrategy(names)


def process_count() -> int:
    """Return the number of processes that train together."""
    if not is_joined():
        return 1
    import jax

    return jax.process_count()


def process_index() -> int:
    """Return the number of this process among those that train together."""
    if not is_joined():
        return 0
    import jax

    return jax.process_index()


def part_of(rows: np.ndarray) -> np.ndarray:
    """Return the rows of each batch that this process has to hand over.

    Args:
        rows: Numbers of the rows of each whole batch, shape `(batches, batch_size)`.
    """
    if process_count() == 1:
        return rows
    each = rows.shape[1] // process_count()
    begin = process_index() * each
    return rows[:, begin : begin + each]
