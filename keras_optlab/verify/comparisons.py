"""Comparisons of optimizers, for the tests and for `keras_optlab.verify`.

A comparison runs an optimizer of keras-optlab and another implementation from the same
weights with the same gradients, those of a `Problem`. The result is the `distance` of
`keras_optlab.verify.problems`: the largest difference over the distance moved.
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab import optimizers
from keras_optlab.verify import oracle
from keras_optlab.verify.problems import (
    FULL_RANK,
    SHAPES,
    SPECTRAL,
    all_settings,
    distance,
    gradients,
    trajectory,
    weights,
)

WEIGHT_DECAY = 0.1
WITH_BIAS = SHAPES | {"bias": (5,)}  # a bias starts at zero
MATRICES = {"wide": (3, 5), "tall": (5, 3)}

# Largest allowed `distance` of the final weights.
TOLERANCE = {
    "float64": 1e-10,
    "float32": 3e-6,  # rounding errors, which add up over the steps
    "norm float32": 5e-6,  # with sums over a tensor; their order depends on the backend
    "found float32": 5e-5,  # with a step size computed from all steps so far
    "spectral float32": 5e-3,  # singular vectors are less accurate than singular values
    "library": 1e-8,  # other implementations, in float64
    "float32 scalars": 1e-6,  # in each step of a library
    "float32 vectors": 1e-5,  # singular vectors of a library
    "bfloat16 products": 3e-2,  # torch's Newton-Schulz iteration
}


@dataclass(frozen=True)
class Problem:
    """Initial weights, gradients and learning rates that two implementations share."""

    start: list[np.ndarray]
    grads: list[list[np.ndarray]]
    learning_rate: float
    drops: bool  # whether the rate is halved in the middle

    @property
    def middle(self) -> int:
        """The first step with the lower rate."""
        return len(self.grads) // 2

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        halved = self.drops and step >= self.middle
        return self.learning_rate * (0.5 if halved else 1.0)

    def schedule(self) -> Any:
        """Return the learning rate as the optimizers of keras-optlab take it."""
        high, middle = self.learning_rate, self.middle
        if not self.drops:
            return high

        def rate(step):
            early = ops.cast(step, "int32") < middle
            value = ops.convert_to_tensor(high, keras.config.floatx())
            return ops.where(early, value, value / 2)

        return rate


def problem(shapes, steps, learning_rate=0.02, drops=True, dtype="float64"):
    """Return a problem with some shapes; all values are exact in `dtype`."""
    # float32 starts at 0: rounding of large weights would exceed that of the rule
    start = weights(shapes, size=0.05 if dtype == "float64" else 0.0)
    if "bias" in shapes:
        start[list(shapes).index("bias")][...] = 0.0
    grads = [[rounded(g, dtype) for g in step] for step in gradients(shapes, steps)]
    return Problem(start, grads, learning_rate, drops)


def rounded(x, dtype):
    return np.asarray(x, dtype).astype("float64")


def jax_in_float64(on):
    """Return a context in which JAX computes in float64, or does not."""
    import jax
    import jax.experimental

    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(on)
    return jax.experimental.enable_x64(on)  # before JAX 0.8


@contextmanager
def precision(dtype):
    """Set floatx, and on JAX 64-bit mode, for a while."""
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        if keras.backend.backend() != "jax":
            yield
        else:
            with jax_in_float64(dtype == "float64"):
                yield
    finally:
        keras.config.set_floatx(before)


@dataclass(frozen=True)
class Comparison:
    """An optimizer of keras-optlab and another implementation of its rule.

    `theirs` returns the other implementation's final weights of a problem. `wrapper`
    wraps the optimizer of keras-optlab.
    """

    name: str
    oracle: str
    theirs: Callable[[Problem], list[np.ndarray]]
    settings: dict[str, Any] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=lambda: WITH_BIAS)
    learning_rate: float = 0.02
    drops: bool = True
    dtype: str = "float64"
    tolerance: float = TOLERANCE["library"]
    wrapper: Callable[[Any], Any] | None = None

    @property
    def title(self):
        """The optimizer's name, inside its wrapper's."""
        wrapper = self.wrapper and self.wrapper.__name__.lower()
        return f"{wrapper}({self.name})" if wrapper else self.name

    @property
    def options(self):
        """The settings as a string."""
        return ", ".join(f"{key}={value}" for key, value in self.settings.items())

    def __str__(self):
        return f"{self.title}({self.options})-{self.oracle}-{self.dtype}"

    def difference(self, steps=30):
        """Return the distance of the final weights after some steps."""
        posed = problem(
            self.shapes, steps, self.learning_rate, self.drops, dtype=self.dtype
        )
        with precision(self.dtype):
            ours = optimizers.create(
                self.name, learning_rate=posed.schedule(), **self.settings
            )
            if self.wrapper:
                ours = self.wrapper(ours)
            ends = trajectory(ours, posed.start, posed.grads)
        return distance(ends, self.theirs(posed), posed.start)


def with_paper(name, settings, dtype="float64", **how):
    """Return the comparison of an optimizer with the transcription of its paper."""
    about = optimizers.info(name)
    settings = {"weight_decay": WEIGHT_DECAY} | settings
    given = {
        "shapes": shapes_for(about.cls, dtype),
        "learning_rate": first_rate(name),
        "tolerance": tolerance_of(about.cls, dtype),
    } | how
    run = partial(transcribed, name, settings)
    return Comparison(name, "paper", run, settings, dtype=dtype, **given)


def transcribed(name, settings, posed):
    """Return the final weights by the float64 transcription of a paper."""
    return oracle.run(name, posed.start, posed.grads, posed.rate, **settings)


def tolerance_of(cls, dtype):
    """Return the largest allowed distance of a class from its paper."""
    kinds = {
        "spectral": cls.registry_name in SPECTRAL,
        "found": cls.learning_rate_free,
        "norm": not cls.elementwise,
    }
    kind = next((f"{kind} {dtype}" for kind, it in kinds.items() if it), dtype)
    return TOLERANCE["float64" if dtype == "float64" else kind]


def first_rate(name):
    """Return the learning rate to compare at; 1 for rules that find a step size."""
    default = optimizers.info(name).hyperparameters["learning_rate"].default
    return 1.0 if default == 1 else 0.02


def shapes_for(cls, dtype):
    """Return shapes on which a rule's result is determined.

    In float32, few gradients of a tall kernel leave singular vectors to chance.
    """
    name, kernel = cls.registry_name, {"kernel": (2, 1, 2, 4)}
    if name in FULL_RANK:
        return WITH_BIAS | kernel | {key: (4, 4) for key in MATRICES}
    return WITH_BIAS | kernel if name in SPECTRAL and dtype == "float32" else WITH_BIAS


def papers(names):
    """Return the comparisons with the papers, for all settings of these optimizers."""
    return [with_paper(name, kw) for name, kw in all_settings() if name in names]
