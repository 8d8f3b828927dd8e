"""Implementations in optax and torch that agree with keras-optlab.

Each entry names an implementation, its arguments, and the arguments with which the
optimizer of keras-optlab is the same rule. The setting avoids known differences: a
constant learning rate (`STEADY`) if one of the two applies the rate outside of a buffer
and the other inside; no weight decay if the decays differ; other shapes if, for
example, a zero bias or more than two axes are treated differently.
"""

from keras_optlab.core.newton_schulz import per_iteration
from keras_optlab.verify.comparisons import MATRICES, TOLERANCE, WEIGHT_DECAY
from keras_optlab.verify.libraries import (
    FULL,
    adafactor_of_optax,
    by_optax,
    by_torch,
    ema_of_optax,
    ldog_of_optax,
    yogi_from_zero,
)

NONZERO = {key: shape for key, shape in FULL.items() if key != "bias"}
AXES = {key: shape for key, shape in FULL.items() if shape}
FLAT = {key: shape for key, shape in FULL.items() if len(shape) < 3}
DECAY = {"weight_decay": WEIGHT_DECAY}
OUTSIDE = {"epsilon": 1e-3, "epsilon_placement": "outside"}
FLOAT32 = {"tolerance": TOLERANCE["float32 scalars"]}
STEADY = {"drops": False}
NO_DECAY = {"weight_decay": None}
FACTOR = {"learning_rate": 1.0}  # a factor on the step size that the rule finds

OPTAX = [
    by_optax("schedulefreesgd", "optax.contrib.schedule_free_sgd", **STEADY),
    by_optax(
        "schedulefreeadamw", "optax.contrib.schedule_free_adamw", DECAY, DECAY, **STEADY
    ),
    by_optax("sgd", "optax.sgd"),
    by_optax(
        "sgd",
        "optax.sgd",
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "nesterov": True},
        **STEADY,
    ),
    by_optax("momentum", "optax.sgd", {"momentum": 0.9}, **STEADY),
    by_optax("momentum", "optax.ema", ours={"form": "ema"}, make=ema_of_optax),
    by_optax("adagrad", "optax.adagrad"),
    by_optax("rmsprop", "optax.rmsprop", {"eps": 1e-7}),
    by_optax(
        "rmsprop",
        "optax.rmsprop",
        {"eps": 1e-7, "momentum": 0.9, "centered": True},
        {"momentum": 0.9, "centered": True},
        **STEADY,
    ),
    by_optax("adadelta", "optax.adadelta", {"rho": 0.95, "eps": 1e-7}),
    by_optax("adam", "optax.adam", {"eps": 1e-3}, OUTSIDE),
    by_optax("adamw", "optax.adamw", {"eps": 0.0} | DECAY, {"epsilon": 0.0} | DECAY),
    by_optax("adamax", "optax.adamaxw", {"eps": 0.0} | DECAY, {"epsilon": 0.0} | DECAY),
    by_optax("radam", "optax.radam", **FLOAT32),
    by_optax(
        "adabelief",
        "optax.adabelief",
        {"eps": 1e-8, "eps_root": 1e-8},
        {"epsilon": 1e-8},
    ),
    by_optax("yogi", "optax.yogi", edit=yogi_from_zero),
    by_optax("ademamix", "optax.contrib.ademamix", DECAY, DECAY),
    by_optax(
        "simplifiedademamix",
        "optax.contrib.simplified_ademamix",
        {"alpha": 2.0} | DECAY,
        {"alpha": 2.0} | DECAY,
    ),
    by_optax("adopt", "optax.contrib.adopt"),
    by_optax("lamb", "optax.lamb", {"eps": 1e-7} | DECAY, DECAY),
    by_optax("lars", "optax.lars", **STEADY),
    by_optax(
        "novograd",
        "optax.novograd",
        {"b1": 0.95, "b2": 0.98, "eps": 1e-8} | DECAY,
        DECAY,
    ),
    by_optax("fromage", "optax.fromage", shapes=NONZERO, **STEADY),
    by_optax(
        "adafactor", "optax.adafactor", make=adafactor_of_optax, shapes=FLAT, **FLOAT32
    ),
    by_optax("sm3", "optax.sm3", shapes=AXES, **STEADY),
    by_optax("lion", "optax.lion", DECAY, DECAY),
    by_optax("signsgd", "optax.sign_sgd"),
    by_optax("signum", "optax.signum"),
    by_optax("madgrad", "optax.contrib.madgrad", **FLOAT32),
    by_optax("cocob", "optax.contrib.cocob", **FACTOR, **STEADY),
    by_optax(
        "prodigy",
        "optax.contrib.prodigy",
        {"estim_lr0": 0.01} | DECAY,
        {"d0": 0.01, "bias_correction": True} | DECAY,
        **FACTOR,
    ),
    by_optax(
        "dadaptadam",
        "optax.contrib.dadapt_adamw",
        {"estim_lr0": 0.01} | DECAY,
        {"d0": 0.01, "bias_correction": True} | DECAY,
        **FACTOR,
    ),
    by_optax("dog", "optax.contrib.dog", **FACTOR),
    by_optax(
        "ldog",
        "optax.scale_by_distance_over_gradients",
        {"reps_rel": 0.01},
        {"reps_rel": 0.01},
        make=ldog_of_optax,
        shapes=AXES,  # optax turns a scalar into a vector
        **FACTOR,
    ),
    by_optax("dowg", "optax.contrib.dowg", {"init_estim_sq_dist": 1e-4}, **FACTOR),
    by_optax(
        "muon",
        "optax.contrib.muon",
        {"nesterov": False, "consistent_rms": 0.2} | DECAY,
        {"nesterov": False} | DECAY,
        shapes=MATRICES,
        **FLOAT32,
    ),
    by_optax(
        "muon",
        "optax.contrib.muon",
        {
            "nesterov": False,
            "consistent_rms": 0.2,
            "ns_coeffs": per_iteration("polar_express", 7),
            "ns_steps": 7,
        },
        {"nesterov": False, "ns_steps": 7, "coefficients": "polar_express"} | NO_DECAY,
        shapes=MATRICES,
        **FLOAT32,
    ),
]

TORCH = [
    by_torch(
        "sgd",
        "torch.optim.SGD",
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "nesterov": True},
        **STEADY,
    ),
    by_torch("momentum", "torch.optim.SGD", {"momentum": 0.9}, **STEADY),
    by_torch(
        "adagrad",
        "torch.optim.Adagrad",
        {"eps": 1e-3, "initial_accumulator_value": 0.1},
        OUTSIDE,
    ),
    by_torch("rmsprop", "torch.optim.RMSprop", {"alpha": 0.9, "eps": 1e-3}, OUTSIDE),
    by_torch(
        "rmsprop",
        "torch.optim.RMSprop",
        {"alpha": 0.9, "eps": 1e-3, "momentum": 0.9, "centered": True},
        OUTSIDE | {"momentum": 0.9, "centered": True},
        **STEADY,
    ),
    by_torch("adadelta", "torch.optim.Adadelta", {"rho": 0.95, "eps": 1e-7}),
    by_torch("adam", "torch.optim.Adam", {"eps": 1e-3}, OUTSIDE),
    by_torch(
        "adam",
        "torch.optim.Adam",
        {"eps": 1e-3, "amsgrad": True},
        OUTSIDE | {"amsgrad": True},
    ),
    by_torch("adamw", "torch.optim.AdamW", {"eps": 1e-3} | DECAY, OUTSIDE | DECAY),
    by_torch("adamax", "torch.optim.Adamax", {"eps": 0.0}, {"epsilon": 0.0}),
    by_torch("nadam", "torch.optim.NAdam", {"eps": 1e-7}, {"momentum_decay": 0.004}),
    by_torch(
        "nadamw", "torch.optim.NAdam", {"decoupled_weight_decay": True} | DECAY, DECAY
    ),
    by_torch(
        "radam", "torch.optim.RAdam", {"decoupled_weight_decay": True} | DECAY, DECAY
    ),
    by_torch("rprop", "torch.optim.Rprop", **STEADY),
    by_torch("adafactor", "torch.optim.Adafactor", {"eps": (1e-30, 1e-3)}),
    by_torch(
        "muon",
        "torch.optim.Muon",
        {"adjust_lr_fn": "match_rms_adamw"} | DECAY,
        DECAY,
        shapes=MATRICES,
        tolerance=TOLERANCE["bfloat16 products"],
    ),
]
