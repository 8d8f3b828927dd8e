"""Trainings on one device and on two replicas, which must end with equal weights."""

from functools import partial

import keras
import numpy as np

from keras_optlab import optimizers, transforms
from keras_optlab.verify.comparisons import precision
from keras_optlab.verify.problems import values
from tests.support.problems import NEEDED, REPRESENTATIVES

STEPS, BATCH, REPLICAS = 4, 8, 2

# Each rule, with settings by which all of it has an effect within a few steps.
RULES = {
    name: partial(optimizers.create, name, **NEEDED.get(name, {}))
    for name in optimizers.names()
}
WRAPPERS = {
    name: lambda name=name: optimizers.create(
        name, optimizer=optimizers.SGD(0.01, momentum=0.9)
    )
    for name in optimizers.wrappers()
}
OTHERS = {
    "noise": lambda: optimizers.SGD(0.01, gradient_transforms=[transforms.AddNoise()]),
    "second pass": lambda: optimizers.EMA(optimizers.AdaHessian(0.01)),
    "transforms": lambda: optimizers.Adam(
        0.01,
        gradient_transforms=[transforms.Centralize(), transforms.ClipByNorm(0.5)],
        global_clipnorm=0.5,
        l2=0.01,
        use_ema=True,
    ),
}
CASES = OTHERS | WRAPPERS | RULES
FEW = [*OTHERS, *sorted(REPRESENTATIVES)[4::5]]


def second_pass(label):
    """Return whether a case looks at each batch more than once."""
    return CASES[label]().needs_second_pass


def network(cls=keras.Sequential):
    """Return a network with a convolution, matrices and vectors."""
    keras.utils.set_random_seed(7)
    layers = keras.layers
    return cls(
        [
            keras.Input((4, 4, 2)),
            layers.Conv2D(3, 2, activation="tanh"),
            layers.Flatten(),
            layers.Dense(4, activation="tanh"),
            layers.Dense(1),
        ]
    )


def batches(rank=None):
    """Return inputs and targets, or only a replica's part of each batch."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(STEPS, REPLICAS, BATCH // REPLICAS, 4, 4, 2))
    y = np.tanh(x[..., :1].sum(axis=(3, 4)))
    if rank is not None:
        x, y = x[:, rank], y[:, rank]
    return x.reshape(-1, 4, 4, 2), y.reshape(-1, 1)


def train(model, label, rank=None):
    """Train a model by a case, on all data or the part of a replica."""
    model.compile(CASES[label](), "mse")
    x, y = batches(rank)
    rows = BATCH if rank is None else BATCH // REPLICAS
    model.fit(x, y, batch_size=rows, verbose=0, shuffle=False)
    return model


def flat(arrays):
    return np.concatenate([np.ravel(np.asarray(a, "float64")) for a in arrays])


def one_device(label):
    """Return all weights before and after a training on one device."""
    with precision("float64"):
        model = network()
        start = flat(values(model.trainable_variables))
        return start, flat(values(train(model, label).trainable_variables))


def distances(start, alone, replicas):
    """Return the largest differences, over the largest distance that a weight moved.

    The first is between replicas, the second between one device and each of them.
    """
    moved = np.max(np.abs(alone - start))
    assert moved > 0
    between = max(np.max(np.abs(r - replicas[0])) for r in replicas)
    apart = max(np.max(np.abs(r - alone)) for r in replicas)
    return between / moved, apart / moved
