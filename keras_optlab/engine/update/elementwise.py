"""A test whether a rule is elementwise, as it declares."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from keras_optlab.core import Values
from keras_optlab.core.slots import Weight
from keras_optlab.core.spans import Moment
from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.modules import eager_scope
from keras_optlab.engine.backend.variables import flatten
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.hyperparameters.variables import scalar_dtype

SHAPES = (2, 3), (4,)  # of two weights, updated one by one and as one vector


def treats_entries_alone(optimizer: BuiltOptimizer) -> bool:
    """Return whether the rule is elementwise, so that weights can be split and joined.

    An author may forget to declare `elementwise = False`. The rule is therefore tested
    on an example, unless nothing depends on it.
    """
    if not optimizer.elementwise:
        return False
    if keras.backend.backend() == "jax" and optimizer.sparse != "lazy":
        return True
    with eager_scope():
        try:
            return _agrees(optimizer)
        except Exception:  # noqa: BLE001  # the rule does not take vectors
            return False


def _agrees(optimizer: BuiltOptimizer) -> bool:
    """Return whether two weights get the same update alone and as one vector."""
    slots = [slot for slot in optimizer.slots if slot.is_on(optimizer._values)]
    names = [slot.name for slot in slots if slot.shape != "scalar"]
    draw = np.random.default_rng(0).uniform
    count = 2 + len(names)  # weight, gradient, slots
    examples = [
        [ops.convert_to_tensor(draw(0.1, 1.0, s), "float32") for _ in range(count)]
        for s in SHAPES
    ]
    scalars = Values(
        **{
            slot.name: ops.convert_to_tensor(draw(0.1, 1.0), "float32")
            for slot in slots
            if slot.shape == "scalar"
        }
    )

    h, t = _example_scalars(optimizer, names, examples, scalars)

    def run(w: Tensor, g: Tensor, *slots: Tensor) -> list[Tensor]:
        s = scalars.extend(**dict(zip(names, slots, strict=True)))
        u, s = optimizer.update(w, g, s, h, t)
        return [u, *(getattr(s, name) for name in names)]

    together = run(*(flatten(xs) for xs in zip(*examples, strict=True)))
    apart = [flatten(xs) for xs in zip(*(run(*x) for x in examples), strict=True)]
    return all(
        np.allclose(*map(ops.convert_to_numpy, pair), rtol=1e-4, equal_nan=True)
        for pair in zip(together, apart, strict=True)
    )


def _example_scalars(
    optimizer: BuiltOptimizer,
    names: list[str],
    examples: list[list[Tensor]],
    scalars: Values,
) -> tuple[Values, Tensor]:
    t = ops.convert_to_tensor(3.0, scalar_dtype())
    h = optimizer.scalars.tensors(Moment(2, None))
    h = h.extend(
        learning_rate=ops.convert_to_tensor(0.01, scalar_dtype()),
        count=ops.convert_to_tensor(3),
    )
    once = Weight((), "", optimizer._values)
    start = {
        s.name: s.start(optimizer._values) * np.ones(s.shape_for(once) or ())
        for s in optimizer.shared
    }
    z = {k: ops.convert_to_tensor(x, scalar_dtype()) for k, x in start.items()}
    h, z = optimizer.prepare(h, t, Values(**z))
    if optimizer.needs_sums:
        w, g, *slots = examples[0]
        s = scalars.extend(**dict(zip(names, slots, strict=True)))
        h, _ = optimizer.use_sums(h, t, z, optimizer.local_sums(w, g, s, h, t))
    return h.cast("float32"), ops.cast(t, "float32")
