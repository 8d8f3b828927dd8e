"""Buckets: small weights of an elementwise rule, updated together as one vector.

Launching an operation costs as much time as computing some thousand entries, and a rule
launches many for each weight. A bucket launches them once for all of its weights. Slots
are stored as vectors of the bucket. Each weight has views of its parts, to save and
load its state, and to update it alone if other weights of the bucket have no gradient.

On TensorFlow, buckets have a limited size, so that they run in parallel with each other
and with the computation of other gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import keras

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.replicas import distributed
from keras_optlab.engine.backend.variables import cast, flatten, on_cpu, unflatten
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.fused import separate_update_limit
from keras_optlab.engine.weights.master import MASTER
from keras_optlab.engine.weights.parameter import Parameter, Slots
from keras_optlab.engine.weights.quantized import in_8_bits
from keras_optlab.engine.weights.views import Joined, Part

SMALL = 2**15  # weights with fewer entries go into buckets
SMALL_ON_DEVICE = 2**18  # the same on an accelerator; not measured yet
FULL = 2**15  # entries of a bucket on TensorFlow, where several run in parallel


@dataclass
class Bucket(Parameter):
    """Several weights, updated as one vector; `index` has no meaning.

    Attributes:
        parameters: The weights, with the same `scalars`, dtype and `regularized`.
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
            section=first.section,
            frozen=False,
            regularized=first.regularized,
            corrected=first.corrected,
            parameters=parameters,
        )

    @property
    def members(self) -> list[Parameter]:
        """The weights."""
        return self.parameters

    def split(self, x: Tensor) -> list[Tensor]:
        """Split a vector into tensors with the shapes of the weights."""
        return unflatten(x, self.variable.variables)

    def share_out(self, slots: Slots) -> None:
        """Set the slots, and give each weight views of its parts."""
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
    """Return buckets of the small weights, if buckets are possible and faster."""
    enough = separate_update_limit(optimizer)
    if enough >= len(parameters) or not (_suits(optimizer) and gathers(optimizer)):
        return []
    full = FULL if keras.backend.backend() == "tensorflow" else math.inf
    alike: dict[Any, list[Parameter]] = {}
    filled: dict[Any, int] = {}
    for p in parameters:
        if p.size < _limit(p.variable) and not quantizes(optimizer, p):
            key = p.scalars, p.variable.dtype, p.regularized
            filled[key] = filled.get(key, 0) + p.size
            alike.setdefault((key, filled[key] // full), []).append(p)
    several = [members for members in alike.values() if len(members) > enough]
    return [Bucket.of(members, f"bucket{i}") for i, members in enumerate(several)]


def quantizes(optimizer: BuiltOptimizer, p: Parameter) -> bool:
    """Return whether the state of a weight is stored in 8 bits, in its own blocks."""
    return optimizer.slot_dtype == "int8" and in_8_bits(p)


def _limit(variable: Variable) -> int:
    """Return the number of entries from which on a weight is updated alone."""
    if on_cpu(variable):
        return SMALL
    # A compiler joins operations on TensorFlow's accelerators; torch launches each.
    return SMALL_ON_DEVICE if keras.backend.backend() == "torch" else 0


def _suits(optimizer: BuiltOptimizer) -> bool:
    """Return whether no fixed argument or slot needs each weight's own tensors."""
    return (
        not distributed()
        and not optimizer.transforms
        and not optimizer.use_ema
        and all(s.shape == "weight" or s is MASTER for s in optimizer.slots)
    )


def gathers(optimizer: BuiltOptimizer) -> bool:
    """Return whether no clipping needs each weight's gradient, in this trace."""
    values = optimizer.scalars.values
    return values["clipnorm"] is None and values["adaptive_clipnorm"] is None


def gather(
    optimizer: BuiltOptimizer, parameters: list[Parameter], gradients: list[Tensor]
) -> tuple[list[Parameter], list[Tensor]]:
    """Replace weights by their bucket, if all its weights have a gradient."""
    if not (optimizer.plan.buckets and gathers(optimizer)):
        return parameters, gradients
    given = {p.index: (p, g) for p, g in zip(parameters, gradients, strict=True)}
    rows: list[tuple[Parameter, Tensor]] = []
    for bucket in optimizer.plan.buckets:
        if all(given.get(p.index, (None,))[0] is p for p in bucket.members):
            own = [given.pop(p.index)[1] for p in bucket.members]
            rows.append((bucket, flatten([cast(g, bucket.dtype) for g in own])))
    rows += given.values()
    return [p for p, _ in rows], [g for _, g in rows]
