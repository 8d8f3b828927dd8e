"""Memory: the peak that a training used, what there is, and out-of-memory errors."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import keras

from keras_optlab.core.types import Variable
from keras_optlab.engine.backend.modules import torch_module
from keras_optlab.engine.backend.variables import raw

OUT_OF_MEMORY = {
    "MemoryError",
    "ResourceExhaustedError",  # TensorFlow
    "OutOfMemoryError",  # torch
}
# Messages of errors whose class is a general one: JAX, torch on a CPU, and TensorFlow
# where the error of a Python function passes through a graph.
IN_MESSAGE = re.compile(
    r"RESOURCE_EXHAUSTED|ResourceExhausted|MemoryError|out of memory|"
    r"can't allocate memory|not enough memory|OOM when allocating",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error, or one that caused it, says that memory ran out."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        names = {cls.__name__ for cls in type(error).__mro__}
        general = isinstance(error, RuntimeError) or _of_tensorflow(error)
        if names & OUT_OF_MEMORY or (general and IN_MESSAGE.search(str(error))):
            return True
        error = error.__cause__ or error.__context__
    return False


def _of_tensorflow(error: BaseException) -> bool:
    return type(error).__module__.startswith("tensorflow")


class Memory(Protocol):
    """Where a model's variables are.

    Attributes:
        label: What is measured, for a table.
    """

    label: str

    def restart(self) -> None:
        """Forget the peak so far, where the backend or the system can."""

    def used(self) -> int | None:
        """Return the bytes in use now; `None` if they are not known."""
        ...

    def peak(self) -> int | None:
        """Return the largest number of bytes in use since `restart`."""
        ...

    def total(self) -> int | None:
        """Return how many bytes there are for this process, in use or free."""
        ...


def memory_of(variable: Variable) -> Memory:
    """Return the memory of the device that holds a variable."""
    backend, value = keras.backend.backend(), raw(variable)
    if backend == "tensorflow":
        name = re.search(r"GPU:\d+", value.device)
        return TensorFlowMemory(name[0]) if name else ProcessMemory()
    if backend == "jax":
        device = next(iter(value.devices()))
        return JaxMemory(device) if device.memory_stats() else ProcessMemory()
    on_cuda = backend == "torch" and value.device.type == "cuda"
    return TorchMemory(value.device) if on_cuda else ProcessMemory()


class TensorFlowMemory:
    """Memory of a GPU of TensorFlow, which does not tell how much there is."""

    def __init__(self, name: str) -> None:
        self.label, self._name = f"peak memory of {name}", name

    def restart(self) -> None:
        """Forget the peak so far."""
        import tensorflow as tf

        tf.config.experimental.reset_memory_stats(self._name)

    def used(self) -> int:
        """Return the bytes in use now."""
        return self._info()["current"]

    def peak(self) -> int:
        """Return the peak since `restart`."""
        return self._info()["peak"]

    def total(self) -> None:
        """Return `None`: not known."""

    def _info(self) -> dict[str, int]:
        import tensorflow as tf

        return tf.config.experimental.get_memory_info(self._name)


class JaxMemory:
    """Memory of a device of JAX, whose peak is that since the process began."""

    def __init__(self, device: Any) -> None:
        self.label, self._device = f"peak memory of {device}", device

    def restart(self) -> None:
        """Do nothing: JAX cannot forget a peak."""

    def used(self) -> int | None:
        """Return the bytes in use now."""
        return self._device.memory_stats().get("bytes_in_use")

    def peak(self) -> int | None:
        """Return the peak since the process began."""
        return self._device.memory_stats().get("peak_bytes_in_use")

    def total(self) -> int | None:
        """Return the bytes that JAX may use."""
        return self._device.memory_stats().get("bytes_limit")


class TorchMemory:
    """Memory of a CUDA device of torch."""

    def __init__(self, device: Any) -> None:
        self.label, self._device = f"peak memory of {device}", device

    def restart(self) -> None:
        """Return cached memory to the device, and forget the peak so far."""
        torch_module().cuda.empty_cache()
        torch_module().cuda.reset_peak_memory_stats(self._device)

    def used(self) -> int:
        """Return the bytes in use now."""
        return torch_module().cuda.memory_allocated(self._device)

    def peak(self) -> int:
        """Return the peak since `restart`."""
        return torch_module().cuda.max_memory_allocated(self._device)

    def total(self) -> int:
        """Return the bytes that torch has or can get."""
        cuda = torch_module().cuda
        return cuda.mem_get_info(self._device)[0] + cuda.memory_reserved(self._device)


class ProcessMemory:
    """Resident memory of this process, with everything in it: libraries and data."""

    label = "peak resident memory of the process"

    def restart(self) -> None:
        """Forget the peak so far, where Linux allows it; else it only grows."""
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")

    def used(self) -> int | None:
        """Return the resident bytes; on other systems than Linux, their peak."""
        return _kilobytes("/proc/self/status", "VmRSS") or _peak_by_resource()

    def peak(self) -> int | None:
        """Return the peak of the resident bytes."""
        return _kilobytes("/proc/self/status", "VmHWM") or _peak_by_resource()

    def total(self) -> int | None:
        """Return the resident bytes plus what the system or a container has left."""
        used, left = self.used(), [x for x in _available() if x is not None]
        return None if used is None or not left else used + max(min(left), 0)


def _kilobytes(file: str, name: str) -> int | None:
    """Return a line of a file in `/proc` in bytes; `None` on other systems."""
    try:
        line = re.search(rf"^{name}:\s+(\d+) kB", Path(file).read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(line[1]) * 1024 if line else None


def _peak_by_resource() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _available() -> Iterator[int | None]:
    """Yield what the system has available, and what the limit of a container leaves."""
    available = _kilobytes("/proc/meminfo", "MemAvailable")
    names = getattr(os, "sysconf_names", {})
    if available is None and "SC_AVPHYS_PAGES" in names:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    yield available
    root = Path("/sys/fs/cgroup")
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError, ValueError):  # no such file; "max"
            yield int((root / limit).read_text()) - int((root / used).read_text())
