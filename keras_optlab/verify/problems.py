"""Seeded problems, and the final weights of an optimizer on them."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from keras_optlab import optimizers
from keras_optlab.engine.backend.variables import read
from keras_optlab.engine.model import second_pass

SHAPES = {
    "scalar": (),
    "vector": (4,),
    "wide": (3, 5),
    "tall": (5, 3),
    "kernel": (2, 3, 4, 5),
    "empty": (0, 3),
}

# Settings that cover the other branches of an optimizer.
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
    "qhadam": [{"nu_2": 0.9}],
    "aggmo": [{"beta_1": 0.5}],
    "radam": [{"beta_2": 0.9}],
    "ademamix": [{"warmup_steps": 20}],
    "adamatan2": [{"a": 16.0, "b": 16.0}],
    "simplifiedademamix": [{"warmup_steps": 20, "alpha": 2.0}],
    "mars": [{"matrices_only": False}],
    "lamb": [{"keras_compatible": True}],
    "spam": [{"reset_every": 8, "warmup_steps": 5, "clip_after": 2, "threshold": 2.0}],
    "proximalsgd": [
        {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.1}
    ],
    "proximaladagrad": [
        {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.1}
    ],
    "conditionalgradient": [{"norm": "nuclear"}],
    "adafactor": [
        {"relative_step": False},
        {"relative_step": False, "keras_compatible": False},
    ],
    "prodigy": [
        {"d0": 0.01},
        {"d0": 0.01, "bias_correction": True},
        {"d0": 0.01, "safeguard_warmup": True},
        {"d0": 0.01, "growth_rate": 1.1},
    ],
    "dadaptadam": [
        {"d0": 0.01, "bias_correction": True},
        {"d0": 0.01, "growth_rate": 1.1},
    ],
    "dadaptsgd": [{"d0": 0.01, "momentum": 0.9}, {"d0": 0.01, "growth_rate": 1.1}],
    "shampoo": [{"period": 3}, {"max_size": 3}],
    "galore": [{"rank": 2}],
    "apollo": [
        {"projection": "svd", "rank": 2},
        {"projection": "svd", "rank": 2, "scaling": "tensor", "scale": 4.0},
    ],
    "muon": [
        {"matrices": "layers", "scaling": "jordan"},
        {"nesterov": False, "period": 3},
        {"rms_rate": None},
        {"coefficients": "polar_express"},
        {"gram": True, "matrices": "layers", "ns_steps": 7},
    ],
    "normuon": [
        {"scaling": "jordan", "coefficients": "polar_express"},
        {"rms_rate": None, "matrices": "keras"},
    ],
    "adamuon": [{"sign": False, "nesterov": False}, {"scaling": "jordan"}],
    "soap": [{"period": 3}],
    "klsoap": [{"period": 3}],
    "scion": [
        {"scale": 2.0},
        {"norm": "sign"},
        {"norm": "rms"},
        {"norm": "spectral"},
        {"coefficients": ((1.5, -0.5, 0.0), (1.875, -1.25, 0.375))},
    ],
    "soapmuon": [{"period": 3, "nesterov": False}, {"scaling": "jordan"}],
    "sophia": [{"period": 3, "gamma": 1.0}],
    "schedulefreesgd": [{"warmup_steps": 5}, {"weight_lr_power": 0.0}],
    "schedulefreeadamw": [{"warmup_steps": 5, "beta_1": 0.95}],
    "schedulefreeplus": [
        {"average_warmup": 1, "step_power": 2.0, "polyak_beta": 0.9},
        {"anneal_steps": 10, "final_interpolation": 0.98},
    ],
    "kron": [{"period": 3, "max_size": 3}],
}

# Rules that use singular vectors, which are less accurate in float32 than singular
# values; and rules whose first steps have a unique result only for full-rank gradients.
SPECTRAL = {"apollo", "conditionalgradient", "galore", "shampoo", "soap"} | {
    *("klsoap", "soapmuon"),
}
FULL_RANK = {"soap", "klsoap"}


def all_settings() -> list[tuple[str, dict[str, object]]]:
    """Return each optimizer's name with its defaults, and with each of its variants."""
    defaults = [(name, {}) for name in optimizers.names()]
    return defaults + [(name, kw) for name, kws in VARIANTS.items() for kw in kws]


def weights(shapes=SHAPES, size=0.05):
    """Return seeded weights, small enough for float32 to store them accurately."""
    rng = np.random.default_rng(1)
    return [np.asarray(size * rng.normal(size=shape)) for shape in shapes.values()]


def gradients(shapes=SHAPES, steps=30):
    """Return a gradient per step and shape: noise around a constant drift."""
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


def apply(optimizer, grads, ws, loss=None):
    """Apply one step of NumPy gradients to Keras variables."""
    dtype = keras.backend.standardize_dtype(ws[0].dtype)
    step(optimizer, [ops.convert_to_tensor(g, dtype) for g in grads], ws, loss)


def step(optimizer, grads, ws, loss=None):
    """Apply one step; rules with a second pass see a quadratic loss.

    Its value is `loss` or, if that is `None`, `batch_loss`.
    """
    if not getattr(optimizer, "needs_second_pass", False):  # Keras has none that does
        optimizer.apply(grads, ws)
        return
    here = [read(w) for w in ws]
    curvatures = [curvature(g) for g in grads]

    def gradients_at(there):
        rows = zip(grads, curvatures, there, here, strict=True)
        return [g + c * (x - w) for g, c, x, w in rows]

    def hessian_times(zs):
        return [c * z for c, z in zip(curvatures, zs, strict=True)]

    if not optimizer.built:
        optimizer.build(ws)
    batch = second_pass.Batch(
        gradients_at,
        hessian_times,
        loss=lambda: batch_loss(grads, ops) if loss is None else loss,
        loss_scale=lambda: ops.ones(()),
    )
    second_pass.apply(optimizer, batch, grads, ws)


def curvature(g):
    """Return the diagonal of the Hessian of a step's loss; the rest is zero."""
    return 0.5 + abs(g)


def batch_loss(gs, of=np):
    """Return the loss of a step at its weights, a function of the gradients."""
    return 0.02 * sum(of.sum(of.square(g)) for g in gs)


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

        return tf.function(lambda grads: step(optimizer, grads, ws), **how)
    if keras.backend.backend() == "torch":
        return lambda grads: step(optimizer, grads, ws)
    import jax

    held = [*ws, *optimizer.variables]

    @jax.jit
    def pure(values, grads):
        mapping = list(zip(held, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            step(optimizer, grads, ws)
        return [scope.get_current_value(v) for v in held]

    def stateful(grads):
        values = pure([v.value for v in held], grads)
        for variable, value in zip(held, values, strict=True):
            variable.assign(value)

    return stateful


def values(variables):
    """Return variables as float64 arrays."""
    return [np.asarray(ops.convert_to_numpy(read(v)), "float64") for v in variables]


def distance(a, b, start):
    """Return the largest difference of final weights over the distance moved."""
    ratios = [0.0]
    for x, y, z in zip(a, b, start, strict=True):
        moved = np.max(np.abs([x - z, y - z]), initial=1e-30)
        ratios.append(np.max(np.abs(x - y), initial=0.0) / moved)
    return float(np.max(ratios))  # NaN if one of them is NaN
