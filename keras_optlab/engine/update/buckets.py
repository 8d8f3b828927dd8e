"""Small weights of an elementwise rule, updated together as one long vector.

To start an operation costs as much as some thousand entries, and a rule starts many for
each weight. In a bucket they are started once. Slots are stored as the vectors that the
rule reads; each weight keeps a view of its own part, by which state is saved, loaded
and, where not all of a bucket's weights have a gradient, updated.

TensorFlow works on a bucket while other weights wait for their gradients, and on two at
a time, so that there each is kept to a size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import keras

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.replicas import distributed
from keras_optlab.engine.backend.variables import cast, flatten, on_cpu, unflatten
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.fused import separate_update_limit
from keras_optlab.engine.weights.parameter import Parameter, Slots
from keras_optlab.engine.weights.views import Joined, Part

SMALL = 2**15  # entries of a weight below which it is put into a bucket
FULL = 2**15  # entries of a bucket on TensorFlow, where several take less time than one


@dataclass
class Bucket(Parameter):
    """Weights that go through an update as if they were one; its index means nothing.

    Attributes:
        parameters: The weights, alike in group, types, and whether decay applies.
    """

    parameters: list[Parameter] = field(kw_only=True)

    @classmethod
    def of(cls, parameters: list[Parameter], path: str) -> Bucket:
        """Return a bucket of these weights, without slots."""
        first = parameters[0]
        return cls(
            index=-1,
            variable=Joined([p.variable for p in parameters]),
            path=path,
            dtype=first.dtype,
            group=first.group,
            frozen=False,
            regularized=first.regularized,
            parameters=parameters,
        )

    @property
    def members(self) -> list[Parameter]:
        """The weights."""
        return self.parameters

    def split(self, x: Tensor) -> list[Tensor]:
        """Return a vector's parts in the shapes of the weights."""
        return unflatten(x, self.variable.variables)

    def share_out(self, slots: Slots) -> None:
        """Take slots, and give each weight its view of them."""
        self.slots = slots
        sizes = [p.size for p in self.members]
        for p, start in zip(self.members, accumulate(sizes, initial=0), strict=False):
            shape = tuple(p.variable.shape)
            p.slots = {
                name: Part(whole, start, shape, f"{whole.path}/{p.path}")
                for name, whole in slots.items()
            }


def make_buckets(
    optimizer: BuiltOptimizer, parameters: list[Parameter]
) -> list[Bucket]:
    """Return buckets for the small ones of these weights, where that is of use."""
    enough = separate_update_limit(optimizer)
    if enough >= len(parameters) or not (_suits(optimizer) and gathers(optimizer)):
        return []
    full = FULL if keras.backend.backend() == "tensorflow" else math.inf
    alike: dict[Any, list[Parameter]] = {}
    filled: dict[Any, int] = {}
    for p in parameters:
        if p.size < SMALL and on_cpu(p.variable):
            key = p.group, p.dtype, p.variable.dtype, p.regularized
            filled[key] = filled.get(key, 0) + p.size
            alike.setdefault((key, filled[key] // full), []).append(p)
    several = [members for members in alike.values() if len(members) > enough]
    return [Bucket.of(members, f"bucket{i}") for i, members in enumerate(several)]


def _suits(optimizer: BuiltOptimizer) -> bool:
    """Whether nothing that was fixed at construction looks at each weight's tensors."""
    return (
        not distributed()
        and not optimizer.transforms
        and not optimizer.use_ema
        and all(slot.shape == "weight" for slot in optimizer.slots)
    )


def gathers(optimizer: BuiltOptimizer) -> bool:
    """Return whether no clipping looks at each gradient, in the step now traced."""
    values = optimizer.scalars.values
    return values["clipnorm"] is None and values["adaptive_clipnorm"] is None


def gather(
    optimizer: BuiltOptimizer, parameters: list[Parameter], gradients: list[Tensor]
) -> tuple[list[Parameter], list[Tensor]]:
    """Put buckets, and their gradients, in place of weights that fill one."""
    given = {p.index: (p, g) for p, g in zip(parameters, gradients, strict=True)}
    rows: list[tuple[Parameter, Tensor]] = []
    for bucket in optimizer.plan.buckets if gathers(optimizer) else []:
        if all(given.get(p.index, (None,))[0] is p for p in bucket.members):
            own = [given.pop(p.index)[1] for p in bucket.members]
            rows.append((bucket, flatten([cast(g, bucket.dtype) for g in own])))
    rows += given.values()
    return [p for p, _ in rows], [g for _, g in rows]
