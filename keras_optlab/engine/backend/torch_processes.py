"""Processes of torch that train one model together, each with its part of a batch.

`DistributedDataParallel` averages the gradients over the processes in `backward`. All
else that a process computes from its part of the batch, it has to itself: the loss, and
derivatives by `torch.autograd.grad`.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.modules import torch_module


def process_count() -> int:
    """Return the number of processes in torch's process group; 1 if there is none.

    Processes in a group train one model: Keras wraps each model in
    `DistributedDataParallel` where it finds a group.
    """
    if keras.backend.backend() != "torch":
        return 1
    group = torch_module().distributed
    if not (group.is_available() and group.is_initialized()):
        return 1
    return group.get_world_size()


def mean_over_processes(xs: Sequence[Tensor]) -> list[Tensor]:
    """Return the means over all processes; each must call this with as many tensors."""
    count = process_count()
    if count == 1:
        return list(xs)
    group = torch_module().distributed
    sums = [x.detach().clone() for x in xs]
    for work in [group.all_reduce(x, async_op=True) for x in sums]:
        work.wait()
    return [x / count for x in sums]


def max_over_processes(x: Tensor) -> Tensor:
    """Return the largest value of each entry over all processes."""
    group = torch_module().distributed
    largest = x.detach().clone()
    group.all_reduce(largest, op=group.ReduceOp.MAX)
    return largest


def equal_in_processes(xs: Sequence[Tensor]) -> bool:
    """Return whether all processes have the same tensors, up to rounding."""
    torch = torch_module()
    group = torch.distributed
    sizes = torch.stack([x.detach().abs().sum().to(torch.float32) for x in xs])
    sizes = torch.nan_to_num(sizes)
    low, high = sizes.clone(), sizes.clone()
    group.all_reduce(low, op=group.ReduceOp.MIN)
    group.all_reduce(high, op=group.ReduceOp.MAX)
    return torch.allclose(low, high, rtol=1e-3, atol=0.0)
