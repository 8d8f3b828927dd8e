"""The rows that `keras_optlab.verify` prints, each one comparison on one backend."""

from collections.abc import Iterator
from dataclasses import dataclass

import keras

from keras_optlab import optimizers
from keras_optlab.verify import comparisons, known_wrong, libraries
from keras_optlab.verify.agreements import OPTAX, TORCH
from keras_optlab.verify.package_agreements import PACKAGES

STEPS = 60


@dataclass(frozen=True)
class Agreement:
    """An optimizer and an implementation that should agree with it."""

    optimizer: str
    settings: str
    oracle: str
    steps: int
    backend: str
    dtype: str
    difference: float
    tolerance: float

    @property
    def ok(self):
        """Whether the two agree."""
        return self.difference <= self.tolerance


@dataclass(frozen=True)
class Disagreement:
    """An implementation that should differ from the paper, unlike keras-optlab."""

    optimizer: str
    settings: str
    oracle: str
    steps: int
    backend: str
    what: str
    ours: float | None
    theirs: float

    @property
    def ok(self):
        """Whether keras-optlab agrees with the paper, and the other does not."""
        agrees = self.ours is None or self.ours <= comparisons.TOLERANCE["float64"]
        return agrees and self.theirs > known_wrong.DIFFERENT


def rows(names=()) -> Iterator[Agreement | Disagreement]:
    """Yield the rows of some or all optimizers, on the backend of this process."""

    def wanted(it):
        asked = not names or it.name in names
        return asked and (it.oracle == "paper" or libraries.is_installed(it.oracle))

    others = OPTAX + TORCH + PACKAGES
    for it in sorted(with_papers() + others, key=lambda it: it.name):
        if wanted(it):
            yield agreement(it)
    for it in known_wrong.KNOWN_WRONG:
        if keras.backend.backend() in it.backends and wanted(it.comparison):
            yield disagreement(it)


def with_papers():
    """Return the comparisons of all settings in float64, and of defaults in float32."""
    known = {
        name
        for name in optimizers.names()
        if optimizers.info(name).cls.__module__.startswith("keras_optlab.optimizers.")
    }
    simple = [comparisons.with_paper(name, {}, "float32") for name in sorted(known)]
    return comparisons.papers(known) + simple


def agreement(it):
    return Agreement(
        it.title,
        it.options,
        it.oracle,
        STEPS,
        keras.backend.backend(),
        it.dtype,
        it.difference(STEPS),
        it.tolerance,
    )


def disagreement(it):
    return Disagreement(
        it.comparison.title,
        it.comparison.options,
        it.comparison.oracle,
        known_wrong.STEPS,
        keras.backend.backend(),
        it.what,
        it.of_ours(),
        it.difference(),
    )
