"""Trainings that are made to have a disease, each from a kit.

A function makes one disease and returns the diagnosis. Its name is that of the rule
that has to find it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

import keras_optlab as kol
from keras_optlab.diagnosis import Diagnosis
from tests.campaign.kits import Kit

DISEASES: dict[str, Callable[[Kit], Diagnosis]] = {}
NEEDS: dict[str, dict[str, Any]] = {}  # what a kit has to have


def disease(rule: str = "", **needs: Any) -> Callable[[Any], Any]:
    """Register a disease; `needs` are attributes of the kits that can have it."""

    def register(make: Callable[[Kit], Diagnosis]) -> Callable[[Kit], Diagnosis]:
        DISEASES[rule or make.__name__] = make
        NEEDS[rule or make.__name__] = needs
        return make

    return register


def probe(kit: Kit, model: keras.Model, **changes: Any) -> Diagnosis:
    data = kit.data() | changes
    return kol.diagnose(model, data["x"], data["y"], batch_size=kit.batch_size)


@disease()
def diverged(kit: Kit) -> Diagnosis:
    model = kit.model(kit.optimizer(1e4))
    return kol.diagnose(kit.fit(model, epochs=3).monitor)


@disease()
def no_progress(kit: Kit) -> Diagnosis:
    """The inputs are lost: all are zero."""
    x = np.zeros_like(kit.data()["x"])
    return kol.diagnose(kit.fit(kit.model(), x=x, epochs=6).history)


@disease()
def plateau(kit: Kit) -> Diagnosis:
    """All inputs but one are lost, and soon nothing is left to learn."""
    x = np.zeros_like(kit.data()["x"])
    at = (slice(None), 14, 14) if kit.task == "digits" else (slice(None), 0)
    x[at] = kit.data()["x"][at]
    return kol.diagnose(kit.fit(kit.model(), epochs=30, x=x).history)


@disease()
def overfitting(kit: Kit) -> Diagnosis:
    """Few examples, a third of them with wrong targets."""
    data = kit.data(size=160)
    y = data["y"].copy()
    y[::3] = np.roll(y[::3], 1, axis=0)
    run = kit.fit(kit.model(), epochs=40, x=data["x"], y=y)
    return kol.diagnose(run.history)


@disease(ours=True)
def rate_too_high(kit: Kit) -> Diagnosis:
    model = kit.model(kit.optimizer(200))
    return kol.diagnose(kit.fit(model, epochs=4).monitor)


@disease("rate_too_high (probe)")
def rate_too_high_probed(kit: Kit) -> Diagnosis:
    return probe(kit, kit.model(kit.optimizer(200)))


@disease(ours=True)
def rate_too_low(kit: Kit) -> Diagnosis:
    model = kit.model(kit.optimizer(1e-4))
    return kol.diagnose(kit.fit(model, epochs=5).monitor)


@disease("rate_too_low (probe)")
def rate_too_low_probed(kit: Kit) -> Diagnosis:
    return probe(kit, kit.model(kit.optimizer(1e-3)))


@disease()
def schedule_over(kit: Kit) -> Diagnosis:
    """The schedule is half as long as the training."""
    steps = 3 * -(-1500 // kit.batch_size)
    if kit.ours:
        schedule: Any = kol.schedules.Cosine(kit.rate, steps)
    else:
        schedule = keras.optimizers.schedules.CosineDecay(kit.rate, steps)
    run = kit.fit(kit.model(kit.optimizer(schedule)), epochs=6)
    return kol.diagnose(run.monitor if kit.ours else run.history)


@disease("vanishing_gradients")
def vanishing(kit: Kit) -> Diagnosis:
    """A stack of sigmoids."""
    model = kit.model(between=_stack(10, "sigmoid", "glorot_uniform"))
    if kit.ours:
        return kol.diagnose(kit.fit(model, epochs=2).monitor)
    return probe(kit, model)


@disease("exploding_gradients")
def exploding(kit: Kit) -> Diagnosis:
    """Chaos: tanh with large weights, whose outputs stay small."""
    large = keras.initializers.VarianceScaling(400.0, seed=kit.seed)
    model = kit.model(kit.optimizer(1e-2), between=_stack(12, "tanh", large))
    if kit.ours:
        return kol.diagnose(kit.fit(model, epochs=2).monitor)
    return probe(kit, model)


@disease()
def no_gradient(kit: Kit) -> Diagnosis:
    """The last layer is a ReLU that is off."""
    last = {
        "activation": "relu",
        "bias_initializer": keras.initializers.Constant(-50.0),
    }
    model = kit.model(last=last)
    if kit.ours:
        return kol.diagnose(kit.fit(model, epochs=2).monitor)
    return probe(kit, model)


@disease("no_gradient (a layer)")
def layer_without_gradient(kit: Kit) -> Diagnosis:
    """A branch whose output is multiplied by zero."""

    def between(x: Any) -> Any:
        z = layers.Dense(16, activation="tanh")(x)
        return layers.Concatenate()([x, layers.Rescaling(0.0)(z)])

    model = kit.model(between=between)
    if kit.ours:
        return kol.diagnose(kit.fit(model, epochs=2).monitor)
    return probe(kit, model)


@disease()
def dead_units(kit: Kit) -> Diagnosis:
    """Most units of a ReLU layer start with a large negative bias."""
    bias = np.where(np.arange(32) < 24, -50.0, 0.0)

    def initializer(shape: Any, dtype: Any = None) -> Any:
        return keras.ops.convert_to_tensor(bias, dtype)

    between = layers.Dense(32, activation="relu", bias_initializer=initializer)
    return probe(kit, kit.model(between=between))


@disease()
def clipping_always(kit: Kit) -> Diagnosis:
    model = kit.model(kit.optimizer(global_clipnorm=1e-3))
    if kit.ours:
        return kol.diagnose(kit.fit(model, epochs=3).monitor)
    return probe(kit, model)


@disease(ours=True)
def clipping_never(kit: Kit) -> Diagnosis:
    model = kit.model(kit.optimizer(clipnorm=1e4))
    return kol.diagnose(kit.fit(model, epochs=3).monitor)


@disease(ours=True)
def skipped_steps(kit: Kit) -> Diagnosis:
    """Two rows of the data are NaN."""
    data = kit.data()
    x = data["x"].copy()
    x[[3, 700]] = np.nan
    return kol.diagnose(kit.fit(kit.model(), epochs=4, x=x).monitor)


@disease()
def decayed_vectors(kit: Kit) -> Diagnosis:
    model = kit.model(kit.optimizer(weight_decay=1.0 / kit.rate / 800))
    return kol.diagnose(kit.fit(model, epochs=5).history)


@disease()
def loss_scale(kit: Kit) -> Diagnosis:
    """Activations overflow in float16."""
    large = keras.initializers.Constant(3e4)
    between = layers.Dense(64, kernel_initializer=large, dtype="mixed_float16")
    scaled = keras.optimizers.LossScaleOptimizer(kit.optimizer())
    model = kit.model(scaled, between=lambda x: between(layers.Rescaling(1.0, 1.0)(x)))
    return kol.diagnose(kit.fit(model, epochs=2).history)


@disease()
def data_not_finite(kit: Kit) -> Diagnosis:
    x = kit.data()["x"].copy()
    x[5::50] = np.inf
    return probe(kit, kit.model(), x=x)


@disease()
def unscaled_inputs(kit: Kit) -> Diagnosis:
    return probe(kit, kit.model(), x=kit.data()["x"] * 255.0)


@disease(task="prices")
def unscaled_targets(kit: Kit) -> Diagnosis:
    y = kol.datasets.diamonds().dollars(kit.data()["y"])
    return probe(kit, kit.model(), y=y)


@disease(task="digits")
def wrong_logits(kit: Kit) -> Diagnosis:
    if kit.seed % 2:  # probabilities, but the loss takes logits
        return probe(kit, kit.model(last={"activation": "softmax"}))
    return probe(kit, kit.model(loss="sparse_categorical_crossentropy"))


@disease(task="prices")
def unreachable_targets(kit: Kit) -> Diagnosis:
    return probe(kit, kit.model(last={"activation": "sigmoid"}))


@disease(task="digits")
def sorted_data(kit: Kit) -> Diagnosis:
    return kol.diagnose(kit.model(), Sorted(kit), steps=40)


class Sorted(keras.utils.PyDataset):
    """Batches of one class each."""

    def __init__(self, kit: Kit) -> None:
        super().__init__()
        data = kit.data()
        order = np.argsort(data["y"], kind="stable")
        x, y = data["x"][order], data["y"][order]
        self.batches = []
        for label in range(10):
            mine = y == label
            for i in range(0, int(mine.sum()) - 31, 32):
                self.batches.append((x[mine][i : i + 32], y[mine][i : i + 32]))

    @property
    def num_batches(self) -> int:
        return len(self.batches)

    def __getitem__(self, i: int) -> Any:
        return self.batches[i]


def _stack(n: int, activation: str, initializer: Any) -> Callable[[Any], Any]:
    def between(x: Any) -> Any:
        for _ in range(n):
            x = layers.Dense(
                32, activation=activation, kernel_initializer=_clone(initializer)
            )(x)
        return x

    return between


def _clone(initializer: Any) -> Any:
    """Return an initializer of its own: one with a seed draws the same each time."""
    if isinstance(initializer, str):
        return initializer
    config = initializer.get_config() | {"seed": np.random.randint(2**31)}
    return type(initializer).from_config(config)
