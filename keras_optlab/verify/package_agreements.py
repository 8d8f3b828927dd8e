"""Implementations in packages for torch that agree with keras-optlab."""

from functools import partial

from keras_optlab.optimizers import Grokfast, Hyperball, Lookahead
from keras_optlab.verify.agreements import AXES, DECAY, FACTOR, FLAT, FLOAT32, STEADY
from keras_optlab.verify.comparisons import MATRICES, TOLERANCE
from keras_optlab.verify.libraries import (
    FULL,
    by_torch,
    hyperball_of_heavyball,
    named,
    of_rank,
    on_transposes,
    orthogonalized,
    training,
    under_lookahead,
)

VECTORS = {key: shape for key, shape in FULL.items() if len(shape) < 2}
ONE_OR_TWO_AXES = {key: shape for key, shape in FLAT.items() if shape}
SQUARE = {key: (4, 4) for key in MATRICES}
KERNEL = {"kernel": (3, 3, 4, 5)}

BIAS_CORRECTED = {"d0": 0.01, "bias_correction": True}

PACKAGES = [
    by_torch(
        "schedulefreesgd",
        "schedulefree.SGDScheduleFree",
        {"warmup_steps": 5} | DECAY,
        {"warmup_steps": 5} | DECAY,
        make=training("schedulefree.SGDScheduleFree"),
    ),
    by_torch(
        "schedulefreeadamw",
        "schedulefree.AdamWScheduleFree",
        {"warmup_steps": 5} | DECAY,
        {"warmup_steps": 5} | DECAY,
        make=training("schedulefree.AdamWScheduleFree"),
    ),
    by_torch("qhm", "qhoptim.pyt.QHM", {"momentum": 0.999, "nu": 0.7}),
    by_torch(
        "qhadam", "qhoptim.pyt.QHAdam", {"betas": (0.995, 0.999), "nus": (0.7, 1.0)}
    ),
    by_torch(
        "adabelief",
        "adabelief_pytorch.AdaBelief",
        {"eps": 1e-8, "rectify": False, "print_change_log": False} | DECAY,
        {"epsilon": 1e-8} | DECAY,
    ),
    by_torch("adabound", "adabound.AdaBound"),
    by_torch("madgrad", "madgrad.MADGRAD"),
    by_torch("lion", "lion_pytorch.Lion", DECAY, DECAY),
    by_torch("came", "came_pytorch.CAME", DECAY, DECAY),
    by_torch(
        "dadaptadam",
        "dadaptation.DAdaptAdam",
        {"d0": 0.01, "decouple": True} | DECAY,
        {"d0": 0.01} | DECAY,
        **FACTOR,
    ),
    by_torch(
        "dadaptsgd", "dadaptation.DAdaptSGD", {"d0": 0.01}, {"d0": 0.01}, **FACTOR
    ),
    by_torch(
        "prodigy",
        "prodigyopt.Prodigy",
        {"d0": 0.01} | DECAY,
        {"d0": 0.01} | DECAY,
        **FACTOR,
    ),
    by_torch("dog", "dog.DoG", **FACTOR),
    by_torch("ldog", "dog.LDoG", **FACTOR),
    by_torch("cocob", "parameterfree.COCOB", {"lr": None}, **FACTOR, **STEADY),
    by_torch(
        "adammini",
        "adam_mini.Adam_mini",
        {"verbose": False},
        groups=named,
        shapes=VECTORS,
    ),
    by_torch(
        "galore",
        "galore_torch.GaLoreAdamW",
        {"no_deprecation_warning": True},
        {"rank": 2, "period": 1000},
        groups=partial(of_rank, scale=0.25, proj_type="std"),
        shapes=MATRICES,
        tolerance=TOLERANCE["float32 vectors"],
    ),
    by_torch(
        "apollo",
        "apollo_torch.APOLLOAdamW",
        ours={"rank": 2, "period": 1000, "projection": "svd"},
        groups=partial(
            of_rank, scale=1.0, proj="svd", proj_type="std", scale_type="channel"
        ),
        shapes=MATRICES,
        tolerance=TOLERANCE["float32 vectors"],
    ),
    by_torch(
        "adamatan2",
        "adam_atan2_pytorch.AdamAtan2",
        {"betas": (0.9, 0.999)} | DECAY,
        DECAY,
    ),
    by_torch("grams", "grams.Grams", {"eps": 0.0} | DECAY, {"epsilon": 0.0} | DECAY),
    by_torch("grams", "pytorch_optimizer.Grams", {"eps": 1e-6} | DECAY, DECAY),
    by_torch(
        "adam",
        "heavyball.HyperBallAdamW",
        ours={"beta_1": 0.0, "epsilon": 0.0},
        make=hyperball_of_heavyball,
        wrapper=Hyperball,
        **FLOAT32,
    ),
    by_torch("adan", "pytorch_optimizer.Adan", DECAY, DECAY),
    by_torch("ademamix", "pytorch_optimizer.AdEMAMix"),
    by_torch(
        "mars",
        "pytorch_optimizer.MARS",
        {"optimize_1d": True, "eps": 0.0},
        {"matrices_only": False, "epsilon": 0.0},
    ),
    by_torch("lars", "pytorch_optimizer.LARS", DECAY, DECAY, shapes=MATRICES, **STEADY),
    by_torch("novograd", "pytorch_optimizer.NovoGrad"),
    by_torch("fromage", "pytorch_optimizer.Fromage"),
    by_torch(
        "adafactor",
        "pytorch_optimizer.AdaFactor",
        {"betas": (None, 0.999), "relative_step": False},
        {"relative_step": False, "keras_compatible": False},
    ),
    by_torch(
        "sm3", "pytorch_optimizer.SM3", {"momentum": 0.9, "eps": 1e-8}, shapes=AXES
    ),
    by_torch("came", "pytorch_optimizer.CAME"),
    by_torch("lion", "pytorch_optimizer.Lion", DECAY, DECAY),
    by_torch("signum", "pytorch_optimizer.SignSGD"),
    by_torch("signsgd", "pytorch_optimizer.SignSGD", {"momentum": 0.0}),
    by_torch(
        "shampoo",
        "pytorch_optimizer.Shampoo",
        {"matrix_eps": 1e-4},
        shapes=ONE_OR_TWO_AXES,
    ),
    by_torch(
        "soap",
        "pytorch_optimizer.SOAP",
        {"weight_decay": 0.0},
        shapes=SQUARE,
        tolerance=TOLERANCE["float32 vectors"],
    ),
    by_torch("madgrad", "pytorch_optimizer.MADGRAD"),
    by_torch(
        "galore",
        "pytorch_optimizer.GaLore",
        ours={"rank": 2, "period": 1000},
        groups=partial(of_rank, scale=0.25, projection_type="std"),
        shapes=MATRICES,
        tolerance=TOLERANCE["float32 vectors"],
    ),
    by_torch(
        "adamw",
        "pytorch_optimizer.GrokFastAdamW",
        {"normalize_lr": False, "betas": (0.9, 0.999)},
        {"epsilon": 1e-8, "epsilon_placement": "outside", "weight_decay": 0.0},
        wrapper=Grokfast,
        **FLOAT32,
    ),
    by_torch(
        "sgd", "pytorch_optimizer.Lookahead", make=under_lookahead, wrapper=Lookahead
    ),
    by_torch("tiger", "pytorch_optimizer.Tiger", DECAY, DECAY),
    on_transposes(
        by_torch(
            "normuon",
            "pytorch_optimizer.NorMuon",
            {"update_scale": "match_rms"} | DECAY,
            DECAY,
            groups=orthogonalized,
            shapes=MATRICES,
            tolerance=TOLERANCE["bfloat16 products"],
        )
    ),
    on_transposes(
        by_torch(
            "normuon",
            "pytorch_optimizer.NorMuon",
            DECAY,
            {"scaling": "jordan"} | DECAY,
            groups=orthogonalized,
            shapes=MATRICES,
            tolerance=TOLERANCE["bfloat16 products"],
        )
    ),
    on_transposes(
        by_torch(
            "adamuon",
            "pytorch_optimizer.AdaMuon",
            {"betas": (0.95, 0.95)} | DECAY,
            {"sign": False, "nesterov": False} | DECAY,
            groups=orthogonalized,
            shapes=MATRICES,
            tolerance=TOLERANCE["bfloat16 products"],
        )
    ),
    on_transposes(
        by_torch(
            "scion",
            "pytorch_optimizer.SCION",
            shapes=MATRICES | VECTORS | KERNEL,
            tolerance=TOLERANCE["bfloat16 products"],
        )
    ),
    on_transposes(
        by_torch(
            "scion",
            "pytorch_optimizer.SCION",
            {"norm_type": 4, "constraint": True, "scale": 3.0},
            {"norm": "sign", "weight_decay": 1.0, "scale": 3.0},
            shapes=MATRICES,
        )
    ),
    by_torch("laprop", "pytorch_optimizer.LaProp", **STEADY, **FLOAT32),
    by_torch("aggmo", "pytorch_optimizer.AggMo"),
]
