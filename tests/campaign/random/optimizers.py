"""Random optimizers: rules and wrappers with their arguments, groups and transforms."""

from __future__ import annotations

from typing import Any

from keras_optlab import Group, optimizers, schedules, transforms
from keras_optlab.engine import Optimizer
from tests.campaign.random.draw import Draw

Spec = dict[str, Any]

DEPTHS = 0, 0, 0, 1, 1, 2  # of wrappers
# With one of these at random, a training diverges: a polynomial's coefficients fit each
# other, and powers that are far from their default are of no use.
FITTED = {"muon_a", "muon_b", "muon_c", "learning_rate_power"}
GRADIENT_SIDE = {
    "AddNoise": {"eta": 1e-3},
    "AutoClip": {"percentile": 50.0},
    "Centralize": {},
    "ClipByGlobalNorm": {"norm": 0.5},
    "ClipByNorm": {"norm": 0.5},
    "ClipByValue": {"value": 0.1},
    "NormalizeGradient": {"over": "tensor"},
    "ZClip": {"warmup_steps": 3},
    "ZeroNonFinite": {},
}
UPDATE_SIDE = {
    "Cautious": {},
    "ClipUpdate": {"threshold": 1.0},
    "TrustRatio": {"low": 0.1, "high": 10.0},
}
GROUPS = (
    {"match": "*bias", "weight_decay": 0.0},
    {"match": "*bias", "learning_rate": 2.0},
    {"match": "*kernel", "learning_rate": 0.5, "weight_decay": 0.01},
    {"match": "head", "learning_rate": 2.0},
    {"match": "head", "frozen": True},
    {"match": ["*gamma", "*beta", "*bias"], "learning_rate": 0.3},
)


def draw_optimizer(draw: Draw) -> Spec:
    """Return a rule in up to two wrappers."""
    spec = _draw_rule(draw)
    for _ in range(draw.one(DEPTHS)):
        name = draw.one(optimizers.wrappers())
        arguments = _own_arguments(draw, optimizers.info(name), 0.4)
        spec = {"name": name, "arguments": arguments, "inner": spec}
    return spec


def build_optimizer(spec: Spec) -> Any:
    """Return the optimizer that a specification describes."""
    arguments = {k: _built(k, v) for k, v in spec["arguments"].items()}
    inner = [build_optimizer(spec["inner"])] if "inner" in spec else []
    return optimizers.info(spec["name"]).cls(*inner, **arguments)


def described(spec: Spec) -> str:
    """Return a specification as a call."""
    inside = [described(spec["inner"])] if "inner" in spec else []
    inside += [f"{k}={v!r}" for k, v in spec["arguments"].items()]
    return f"{spec['name']}({', '.join(inside)})"


def _draw_rule(draw: Draw) -> Spec:
    name = draw.one(optimizers.names())
    info = optimizers.info(name)
    arguments = _own_arguments(draw, info, 0.25)
    if not info.cls.learning_rate_free:
        arguments["learning_rate"] = _draw_rate(draw, info.tuning)
    options = _options(draw)
    if info.cls.learning_rate_free:
        options.pop("learning_rate_scale", None)  # twice their step may diverge
    return {"name": name, "arguments": arguments | options}


def _own_arguments(draw: Draw, info: Any, share: float) -> dict[str, Any]:
    """Return some of the arguments that other optimizers do not have."""
    found = {}
    for name, field in info.cls.fields.items():
        if name in Optimizer.fields or name in FITTED or not draw.chance(share):
            continue
        value = draw.value(field, info.tuning.others.get(name))
        if value != field.default:
            found[name] = value
    return found


def _draw_rate(draw: Draw, tuning: Any) -> Any:
    """Return a rate of the lower half of what is searched, or a schedule from it."""
    domain = tuning.learning_rate
    rate = float(f"{domain.at(draw.random.uniform(0.1, 0.5)):.3g}")
    if draw.chance(0.5):
        return rate
    name, arguments = draw.one(
        (
            ("Cosine", {}),
            ("Cosine", {"steps": 12}),
            ("OneCycle", {}),
            ("OneCycle", {"epochs": 1}),
            ("Linear", {"steps": 40}),
            ("Polynomial", {}),
            ("Rex", {}),
            ("WarmupStableDecay", {"warmup": 0.2}),
            ("Exponential", {"steps": 10, "decay_rate": 0.5}),
            ("InverseSqrt", {"steps": 4}),
            ("InverseTime", {"steps": 5}),
            ("CosineRestarts", {"steps": 4}),
            ("PowerCool", {}),
        )
    )
    return {"$schedule": name, "arguments": {**arguments}, "rate": rate}


def _options(draw: Draw) -> dict[str, Any]:
    """Return some of the arguments that all optimizers have."""
    clippings = {
        "clipnorm": draw.log(0.1, 10),
        "clipvalue": draw.log(0.01, 1),
        "global_clipnorm": draw.log(0.1, 10),
        "adaptive_clipnorm": draw.log(0.01, 1),
    }
    clipping = draw.one(clippings)
    decay = {"$schedule": "Cosine", "arguments": {}, "rate": 0.05}
    choices: dict[str, Any] = {
        clipping: clippings[clipping],
        "weight_decay": draw.one((draw.log(1e-4, 0.1), decay)),
        "use_ema": True,
        "ema_momentum": draw.random.choice((0.5, 0.9, 0.99)),
        "ema_overwrite_frequency": draw.one((1, 3)),
        "loss_scale_factor": draw.one((1.0, 128.0)),
        "gradient_accumulation_steps": draw.one((2, 3)),
        "l1": draw.log(1e-6, 1e-3),
        "l2": draw.log(1e-6, 1e-3),
        "l1_proximal": draw.log(1e-6, 1e-3),
        "decay_mask": "matrices",
        "decay_schedule": "corrected",
        "groups": [{"$group": g} for g in draw.some(GROUPS, 2)],
        "gradient_transforms": _transforms(draw, GRADIENT_SIDE),
        "update_transforms": _transforms(draw, UPDATE_SIDE),
        "skip_non_finite": False,
        "slot_dtype": draw.one(("bfloat16", "bfloat16", "int8")),
        "master_weights": True,
        "learning_rate_scale": draw.one((0.5, 2.0)),
    }
    drawn = {name: value for name, value in choices.items() if draw.chance(0.08)}
    if draw.chance(0.02):
        drawn["sparse"] = "lazy"  # which most of the others exclude
    return drawn


def _transforms(draw: Draw, side: dict[str, Any]) -> list[Any]:
    names = draw.some(side, 2)
    return [{"$transform": name, "arguments": side[name]} for name in names]


def _built(name: str, value: Any) -> Any:
    """Return an argument as an object."""
    if isinstance(value, list):
        return [_built(name, x) for x in value]
    if not isinstance(value, dict):
        return value
    if "$group" in value:
        own = dict(value["$group"])
        return Group(own.pop("match"), **own)
    if "$transform" in value:
        return getattr(transforms, value["$transform"])(**value["arguments"])
    return getattr(schedules, value["$schedule"])(value["rate"], **value["arguments"])
