"""Small problems and trajectories that many tests share."""

import keras
import numpy as np
from keras import ops

from keras_optlab import optimizers
from keras_optlab.core import Hyper, LearningRate, Paper, Slot
from keras_optlab.engine.backend import devices
from keras_optlab.verify import oracle
from keras_optlab.verify.problems import (
    FULL_RANK,
    SPECTRAL,
    all_settings,
    apply,
    trajectory,
    values,
    variables,
)


class Toy(optimizers.Optimizer):
    """Toy: an optimizer defined outside of the package; all suites test it."""

    learning_rate: float = LearningRate(default=0.01)
    scale: float = Hyper(default=0.5, doc="scale a of the gradient")
    slots = (Slot("last"),)
    paper = Paper("None", "Nobody", 2026)

    def update(self, w, g, s, h, t):
        x = h.scale * (g + s.last)
        return -h.learning_rate * x / (1 + ops.abs(x)), s.next(last=g)


def toy(w, g, s, t, lr, *, scale=0.5):
    """`Toy` in NumPy."""
    last, s["last"] = s.get("last", 0.0), g
    x = scale * (g + last)
    return w - lr * x / (1 + np.abs(x))


oracle.OTHERS["toy"] = toy

ALL = all_settings()

# Settings without which the small networks of the tests diverge.
TAMED = {"schedulefreesgd": {"learning_rate": 0.1}}

# Rules whose weights rest only at zero, where they have no gradient.
RESTS_AT_ZERO = {"conditionalgradient", "fromage", "ftrl", "proximalsgd"}

BY_PATH = {"exclude_embeddings", "per_head"}  # depend on names of weights

# Settings without which some hyperparameters of an optimizer have no effect.
NEEDED = {
    "ademamix": {"warmup_steps": 5},
    "apollo": {"rank": 1, "period": 2},
    "cocob": {"epsilon": 1000.0},
    "dadaptadam": {"d0": 0.01, "growth_rate": 1.01, "learning_rate": 1.0},
    "dadaptsgd": {"d0": 0.01, "growth_rate": 1.01, "learning_rate": 1.0},
    "dog": {"epsilon": 1.0, "reps_rel": 0.1},
    "galore": {"rank": 1, "period": 2},
    "kron": {"period": 2, "max_size": 4},
    "lamb": {"weight_decay": 0.1},
    "ldog": {"epsilon": 1.0, "reps_rel": 0.1},
    "adamuon": {"period": 2},
    "klsoap": {"period": 2, "max_size": 4},
    "muon": {"period": 2},
    "normuon": {"period": 2},
    "prodigy": {"d0": 0.01, "growth_rate": 1.01, "learning_rate": 1.0},
    "rprop": {"max_step": 0.1},
    "shampoo": {"period": 2, "max_size": 3},
    "soap": {"period": 2, "max_size": 4},
    "soapmuon": {"period": 2},
    "spam": {"reset_every": 4, "warmup_steps": 3, "clip_after": 1, "threshold": 0.5},
    "sophia": {"period": 2, "gamma": 1.0},
    "schedulefreesgd": {"warmup_steps": 5},
    "schedulefreeadamw": {"warmup_steps": 5},
    "schedulefreeplus": {"average_warmup": 2, "anneal_steps": 5},
    "simplifiedademamix": {"warmup_steps": 5},
    ("sophia", "epsilon"): {"epsilon": 1.0},
    ("adopt", "epsilon"): {"epsilon": 1000.0},
    ("adamuon", "nesterov"): {"sign": False},
    ("adamuon", "max_size"): {"max_size": 2},
    ("muon", "max_size"): {"max_size": 2},
    ("normuon", "max_size"): {"max_size": 2},
    ("scion", "max_size"): {"max_size": 2},
    ("soapmuon", "max_size"): {"max_size": 2},
    ("adafactor", "relative_step"): {"learning_rate": 1.0, "keras_compatible": False},
    ("adafactor", "keras_compatible"): {"learning_rate": 1.0, "relative_step": False},
    ("prodigy", "d_coef"): {"growth_rate": None},
    ("prodigy", "safeguard_warmup"): {"growth_rate": None, "learning_rate": 0.5},
    # coefficients of Newton-Schulz that converge with the changed one, too
    ("muon", "muon_a"): {"muon_a": 2.4, "muon_b": -0.5, "muon_c": 0.0},
    ("muon", "muon_b"): {"muon_a": 2.4, "muon_b": -0.5, "muon_c": 0.0},
    ("muon", "muon_c"): {"muon_a": 1.875, "muon_b": -1.25, "muon_c": 0.375},
}


def kind(name):
    """Return the engine features that a rule uses; rules of a kind use the same."""
    cls = optimizers.info(name).cls
    slots = cls.slots
    methods = "use_sums", "second_pass", "to_evaluation", "after_step"
    return (
        *(getattr(cls, m) is not getattr(optimizers.Optimizer, m) for m in methods),
        *(cls.elementwise, name in RESTS_AT_ZERO, cls.decays_in_rule),
        *(name in SPECTRAL, name in FULL_RANK, cls.may_fail, bool(cls.shared)),
        cls.learning_rate_free,
        any(callable(slot.shape) for slot in slots),
        any(slot.init == "weight" for slot in slots),
        any(slot.constant for slot in slots),
        any(slot.when for slot in slots),
    )


# The first rule of each kind. Tests of the others run in `pytest -m every`.
REPRESENTATIVES = set({kind(name): name for name in optimizers.names()[::-1]}.values())


def accumulating(name, **options):
    """Return an optimizer, or `None` if it refuses gradient accumulation."""
    try:
        return optimizers.create(name, **options)
    except ValueError as refusal:
        if "Received: gradient accumulation" not in str(refusal):
            raise
        return None


def label(case):
    """Return a readable test id."""
    name, kwargs = case
    return "-".join([name, *(f"{k}={v}" for k, v in kwargs.items())])


def few_steps(optimizer, start, grads):
    """Return the weights after a few steps, which are compiled on JAX only."""
    if keras.backend.backend() == "jax":
        return trajectory(optimizer, start, grads)
    ws = variables(start)
    for g in grads:
        apply(optimizer, g, ws)
    return values(ws)


def mirrored_strategy():
    """Return TensorFlow's strategy of two devices; a process can have only one."""
    return devices.mirrored_strategy(2)


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
    """Compile a model and build its optimizer, so TensorFlow traces once; return it."""
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
    """Return all state of an optimizer except its records for callbacks."""
    skip = {id(v) for v in optimizer.recorder.variables}
    return values([v for v in optimizer.variables if id(v) not in skip])


def one_step(optimizer, w, g):
    """Return the weight after one step from `w` with gradient `g`."""
    ws = variables([np.asarray(w)])
    apply(optimizer, [np.asarray(g)], ws)
    return values(ws)[0]
