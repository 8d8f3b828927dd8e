"""Small problems and trajectories that many tests share."""

import keras
import numpy as np
from keras import ops

from keras_optlab import optimizers
from keras_optlab.core import Hyper, Paper, Slot, StepSize
from keras_optlab.engine.backends import read


class Toy(optimizers.Optimizer):
    """Toy: what somebody may write beside the package; all suites take it up."""

    learning_rate: float = StepSize(default=0.01)
    scale: float = Hyper(default=0.5, doc="scale a of the gradient")
    slots = (Slot("last"),)
    paper = Paper("None", "Nobody", 2026)

    def update(self, w, g, s, h, t):
        x = h.scale * (g + s.last)
        return -h.learning_rate * x / (1 + ops.abs(x)), s.next(last=g)


SHAPES = {
    "scalar": (),
    "vector": (4,),
    "wide": (3, 5),
    "tall": (5, 3),
    "kernel": (2, 3, 4, 5),
    "empty": (0, 3),
}

# Settings that lead an optimizer into its other branches.
VARIANTS = {
    "sgd": [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "momentum": [{"form": "heavy_ball"}, {"form": "ema"}],
    "adagrad": [{"epsilon_placement": "outside", "epsilon": 1e-3}],
    "rmsprop": [
        {"momentum": 0.9},
        {"centered": True, "momentum": 0.9},
        {"epsilon_placement": "outside", "epsilon": 1e-3},
        {"epsilon_placement": "outside", "centered": True},
    ],
    "adam": [
        {"amsgrad": True},
        {"epsilon_placement": "outside", "epsilon": 1e-3},
        {"epsilon_placement": "inside", "epsilon": 1e-3},
    ],
    "adamw": [{"amsgrad": True}],
    "nadam": [{"momentum_decay": 0.004}],
    "ftrl": [
        {"l1_regularization_strength": 0.05, "l2_regularization_strength": 0.1},
        {"l2_shrinkage_regularization_strength": 0.1, "beta": 0.1},
        {"learning_rate_power": -0.3, "initial_accumulator_value": 0.5},
    ],
}

ALL = [(name, {}) for name in optimizers.names()]
ALL += [(name, kw) for name, kws in VARIANTS.items() for kw in kws]


def label(case):
    """Return a readable test id."""
    name, kwargs = case
    return "-".join([name, *(f"{k}={v}" for k, v in kwargs.items())])


def weights(shapes=SHAPES, size=0.05):
    """Return small seeded weights: what float32 stores of them is then exact enough."""
    rng = np.random.default_rng(1)
    return [np.asarray(size * rng.normal(size=shape)) for shape in shapes.values()]


def gradients(shapes=SHAPES, steps=30):
    """Return for each step a gradient for each shape, noise about a drift."""
    rng = np.random.default_rng(2)
    return [
        [np.asarray(rng.normal(size=s) + 0.3) for s in shapes.values()]
        for _ in range(steps)
    ]


def variables(arrays, dtype=None):
    """Return Keras variables with these values."""
    dtype = dtype or keras.config.floatx()
    return [
        keras.Variable(np.asarray(a, dtype), name=f"w{i}") for i, a in enumerate(arrays)
    ]


def apply(optimizer, grads, ws):
    """Apply one step of NumPy gradients to Keras variables."""
    dtype = keras.backend.standardize_dtype(ws[0].dtype)
    optimizer.apply([ops.convert_to_tensor(g, dtype) for g in grads], ws)


def trajectory(optimizer, start, grads, dtype=None):
    """Return the weights after all steps, compiled as `fit` would compile them."""
    ws = variables(start, dtype)
    dtype = keras.backend.standardize_dtype(ws[0].dtype)
    optimizer.build(ws)
    step = compiled(optimizer, ws)
    for g in grads:
        step([ops.convert_to_tensor(x, dtype) for x in g])
    return values(ws)


def compiled(optimizer, ws, **how):
    """Return a compiled function of the gradients that applies one step."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda grads: optimizer.apply(grads, ws), **how)
    if keras.backend.backend() == "torch":
        return lambda grads: optimizer.apply(grads, ws)
    import jax

    pure = jax.jit(optimizer.stateless_apply)

    def step(grads):
        now = [v.value for v in optimizer.variables], grads, [v.value for v in ws]
        new_weights, new_state = pure(*now)
        held, new = [*ws, *optimizer.variables], [*new_weights, *new_state]
        for variable, value in zip(held, new, strict=True):
            variable.assign(value)

    return step


def values(variables):
    """Return variables as float64 arrays."""
    return [np.asarray(ops.convert_to_numpy(read(v)), "float64") for v in variables]


def distance(a, b, start):
    """Return the largest difference of two ends over the distance moved."""
    ratios = [0.0]
    for x, y, z in zip(a, b, start, strict=True):
        moved = max(np.abs(y - z).max(initial=0.0), 1e-30)
        if np.size(x):
            ratios.append(np.abs(x - y).max() / moved)
    return max(ratios)


def mlp(**kwargs):
    """Return a small seeded network with a matrix, vectors and normalization."""
    keras.utils.set_random_seed(7)
    return keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu", name="hidden"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(1, name="head"),
        ],
        **kwargs,
    )


def regression(n=128):
    """Return inputs and targets of a linear problem."""
    x = np.random.default_rng(3).normal(size=(n, 8)).astype("float32")
    return x, x.sum(axis=1, keepdims=True)


def compiled_model(model, optimizer, loss="mse", **kwargs):
    """Compile and return a model; its optimizer is built, so TensorFlow traces once."""
    model.compile(optimizer, loss, **kwargs)
    model.optimizer.build(model.trainable_variables)
    return model


def fit(optimizer, model=None, epochs=2, data=None, **kwargs):
    """Train without shuffling; return the model."""
    model = compiled_model(model or mlp(), optimizer, **kwargs)
    x, y = data or regression()
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, shuffle=False)
    return model


def state(optimizer):
    """Return all state of an optimizer but what it recorded for callbacks."""
    skip = {id(v) for v in optimizer.recorder.variables}
    return values([v for v in optimizer.variables if id(v) not in skip])


def one_step(optimizer, w, g):
    """Return a weight after one step from w by g."""
    ws = variables([np.asarray(w)])
    apply(optimizer, [np.asarray(g)], ws)
    return values(ws)[0]
