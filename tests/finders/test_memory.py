"""Memory of the process, and out-of-memory errors."""

import numpy as np
import pytest

from keras_optlab.engine.backend.memory import (
    ProcessMemory,
    is_out_of_memory,
    memory_of,
)
from tests.finders.models import network, out_of_memory
from tests.support.devices import ON_ACCELERATOR

MIB = 2**20


@pytest.mark.skipif(ON_ACCELERATOR, reason="a GPU has its own memory")
def test_a_cpu_has_the_memory_of_the_process():
    assert isinstance(memory_of(network().variables[0]), ProcessMemory)


def test_the_peak_of_the_process():
    memory = ProcessMemory()
    memory.restart()
    before = memory.used()
    block = np.ones(256 * MIB, "uint8")
    del block
    assert memory.peak() > before + 200 * MIB
    assert memory.total() > before


def test_errors_of_memory():
    assert is_out_of_memory(out_of_memory())
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    wrapped = RuntimeError("Exception encountered")
    wrapped.__cause__ = MemoryError()
    assert is_out_of_memory(wrapped)
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(ValueError("out of memory of the past"))
