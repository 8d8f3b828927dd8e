"""Devices and processes that share each batch of one training."""

from __future__ import annotations

from typing import Any

import keras

from keras_optlab.core.arguments import number
from keras_optlab.core.errors import shown
from keras_optlab.engine.backend import process_group
from keras_optlab.engine.backend.devices import (
    WHY_NOT_TORCH,
    check_backend,
    divide_cpu,
    have_devices,
    process_index,
)
from keras_optlab.lab.rendezvous import meet


def share(
    devices: int | None,
    coordinator: str | None,
    process: int | None,
    processes: int | None,
    call: Any,
) -> int:
    """Have the devices of a training; return their number in all processes together.

    Args:
        devices: Devices of this process; `None` is one.
        coordinator: `"host:port"` of process 0; `None` is a training by this process.
        process: Number of this process.
        processes: Number of processes.
        call: What is trained, which must be equal in all processes.

    Raises:
        ValueError: if an argument is out of range, or the backend cannot do this.
        ConnectionError: if the processes do not meet.
    """
    here = 1 if devices is None else _integer("devices", devices, 1)
    if coordinator is None and process is None and processes is None:
        have_devices(here)
        return here
    process, processes = _check_processes(coordinator, process, processes)
    assert coordinator is not None
    if not process_group.is_joined():
        meet(coordinator, process, processes, [call, here])
        divide_cpu(here)
        process_group.join(coordinator, process, processes)
    have_devices(here)
    return here * processes


def is_first_process() -> bool:
    """Return whether this process is the only one, or the first of several."""
    return process_index() == 0


def check_batch(batch_size: int, devices: int) -> None:
    """Raise if devices cannot share batches equally, or the backend not at all."""
    check_backend(devices)
    if batch_size % devices:
        down = batch_size - batch_size % devices
        raise ValueError(
            "`batch_size` must be a multiple of the number of devices. Received: "
            f"batch_size={batch_size}, for {devices} devices. Set batch_size="
            f"{down or devices} or {down + devices}."
        )


def _check_processes(coordinator: Any, process: Any, processes: Any) -> tuple[int, int]:
    told = {"coordinator": coordinator, "process": process, "processes": processes}
    given = ", ".join(f"{name}={shown(value)}" for name, value in told.items())
    if any(value is None for value in told.values()):
        raise ValueError(
            "`coordinator`, `process` and `processes` belong together: set all of "
            f"them, or none. Received: {given}"
        )
    if keras.backend.backend() != "jax":
        torch = keras.backend.backend() == "torch"
        why = (
            WHY_NOT_TORCH
            if torch
            else "TensorFlow's MultiWorkerMirroredStrategy does not work with Keras "
            "3's fit (github.com/keras-team/keras/issues/20585). Set KERAS_BACKEND=jax."
        )
        raise ValueError(
            f"Several processes can train together on JAX only: {why} Received: {given}"
        )
    processes = _integer("processes", processes, 1)
    process = _integer("process", process, 0)
    if process >= processes:
        raise ValueError(
            f"`process` must be below `processes`, as it counts from 0. "
            f"Received: {given}"
        )
    return process, processes


def _integer(name: str, value: Any, least: int) -> int:
    return number(name, value, f">= {least}", "a count", integer=True)
