"""Helpers for error messages: values as text, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable
from typing import Any

from keras.optimizers.schedules import LearningRateSchedule

LONGEST = 300  # characters of a value in a message

# From the name of an argument in other libraries or earlier versions of Keras to its
# possible names here. The first name that the class has is suggested.
OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "lr": ("learning_rate", "initial", "peak"),
    "rate": ("learning_rate", "initial", "peak"),
    "step_size": ("learning_rate",),
    "lr_schedule": ("learning_rate",),
    "lr_scheduler": ("learning_rate",),
    "schedule": ("learning_rate",),
    "scheduler": ("learning_rate",),
    "wd": ("weight_decay",),
    "decoupled_weight_decay": ("weight_decay",),
    "l2_regularization": ("l2",),
    "eps": ("epsilon", "epsilon_1"),
    "eps_root": ("epsilon",),
    "b1": ("beta_1", "adam_beta_1"),
    "b2": ("beta_2", "adam_beta_2"),
    "beta": ("momentum", "beta_1"),
    "momentum": ("beta_1", "beta", "rho"),
    "mu": ("momentum", "beta_1"),
    "alpha": ("rho",),
    "decay_rate": ("rho", "beta_2_decay"),
    "initial_accumulator": ("initial_accumulator_value",),
    "clip_norm": ("clipnorm",),
    "clip_value": ("clipvalue",),
    "clip_grad": ("clipvalue",),
    "grad_clip": ("global_clipnorm",),
    "gradient_clip": ("global_clipnorm",),
    "max_norm": ("global_clipnorm",),
    "max_grad_norm": ("global_clipnorm",),
    "clip_grad_norm": ("global_clipnorm",),
    "global_clip_norm": ("global_clipnorm",),
    "ema": ("use_ema",),
    "ema_decay": ("ema_momentum",),
    "accumulation_steps": ("gradient_accumulation_steps",),
    "grad_accumulation_steps": ("gradient_accumulation_steps",),
    "accumulate_steps": ("gradient_accumulation_steps",),
    "every_k": ("gradient_accumulation_steps",),
    "params": ("groups",),
    "param_groups": ("groups",),
    "parameter_groups": ("groups",),
    "mask": ("decay_mask",),
    "transforms": ("gradient_transforms",),
    "nesterov_momentum": ("nesterov",),
    "lambda_": ("radius",),
    # of schedules
    "initial_learning_rate": ("initial", "peak"),
    "learning_rate": ("initial", "peak", "schedule"),
    "base_lr": ("initial",),
    "max_lr": ("peak",),
    "max_learning_rate": ("peak",),
    "maximal_learning_rate": ("peak",),
    "end_learning_rate": ("final",),
    "eta_min": ("final",),
    "decay_steps": ("steps",),
    "first_decay_steps": ("steps",),
    "total_steps": ("steps",),
    "total_iters": ("steps",),
    "t_max": ("steps",),
    "t_0": ("steps",),
    "t_mult": ("t_mul",),
    "pct_start": ("warmup",),
    "milestones": ("boundaries",),
    "values": ("levels",),
}

RISE_AND_FALL = (
    "Write learning_rate=schedules.Warmup(schedules.Linear(rate), 0.1): a rise, then a "
    "fall over the `fit`."
)
FALL_OF_KERAS_2 = (
    "Keras 2 divided the rate by 1 + decay * step; write learning_rate="
    "schedules.InverseTime(rate, steps=1, decay_rate=decay)."
)
LEFT_OUT = "There is no counterpart; leave it out."
# Arguments that no class of this package has, and what to do instead.
INSTEAD = {
    "decay": FALL_OF_KERAS_2,
    "lr_decay": FALL_OF_KERAS_2,
    "foreach": "The fastest implementation is chosen automatically; leave it out.",
    "fused": "The fastest implementation is chosen automatically; leave it out.",
    "capturable": "Every step can be compiled; leave it out.",
    "differentiable": "Steps are not differentiable; leave it out.",
    "jit_compile": "Pass it to `model.compile`.",
    "maximize": "Change the sign of the loss.",
    "amsgrad": "Adam and AdamW have it.",
    "bias_correction": "It is part of the rule; leave it out.",
    "warmup_steps": "Write schedules.Warmup around the schedule.",
    "warmup": "Write schedules.Warmup around the schedule.",
    "step_size": "Write steps: of Cyclical a whole cycle, twice the step_size; of "
    "Exponential(staircase=True) the same number.",
    # of TensorFlow Addons
    "total_steps": RISE_AND_FALL,
    "warmup_proportion": RISE_AND_FALL,
    "min_lr": RISE_AND_FALL,
    "exclude_from_weight_decay": "Write decay_mask='matrices', or call the method "
    "`exclude_from_weight_decay`.",
    "start_averaging": "Write average_from=start_averaging + 1.",
    "start_step": "Write average_decay="
    "schedules.Piecewise([start_step], [0.0, average_decay]).",
    "dynamic_decay": "Use optimizers.PowerEMA, whose window grows.",
    "num_updates": "Use optimizers.PowerEMA, whose window grows.",
    "scale_fn": "Write mode, or a schedule of your own.",
    "scale_mode": "Cycles are counted in updates; leave it out.",
    "rectify": "RAdam has it, AdaBelief does not.",
    "sma_threshold": LEFT_OUT,
    "grad_averaging": LEFT_OUT,
    "use_locking": LEFT_OUT,
    "sequential_update": LEFT_OUT,
    "swap_weights": LEFT_OUT,
}
PAIRS = {  # tuple arguments of torch
    "betas": (("beta_1", "beta_2"), ("beta_1", "beta_2", "beta_3")),
    "nus": (("nu_1", "nu_2"),),
    "eps": (("epsilon_1", "epsilon_2"),),
}


def in_words(value: Any) -> str:
    """Return the `repr` of a value; for a Keras schedule, its constructor call."""
    if type(value) in (list, tuple):
        left, right = "[]" if isinstance(value, list) else "()"
        comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"{left}{', '.join(map(in_words, value))}{comma}{right}"
    plain = type(value).__repr__ is object.__repr__
    if isinstance(value, LearningRateSchedule) and plain:
        given = {k: v for k, v in value.get_config().items() if v is not None}
        arguments = ", ".join(f"{k}={in_words(v)}" for k, v in given.items())
        return f"{type(value).__name__}({arguments})"
    return repr(value)


def shown(value: Any) -> str:
    """Return a value as text for a message, cut to `LONGEST` characters."""
    try:
        text = in_words(value)
    except Exception:  # `repr` of a user's class may raise anything
        text = f"<{type(value).__name__}>"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def suggest(name: str, known: Iterable[str]) -> str:
    """Suggest the known name nearest to an unknown one, and list all known names.

    >>> suggest("adan", ["adam", "sgd"])
    "Did you mean 'adam'? Known: 'adam', 'sgd'."
    """
    known = sorted(known)
    lowered = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=1)
    hint = f"Did you mean {lowered[near[0]]!r}? " if near else ""
    return f"{hint}Known: {', '.join(map(repr, known)) or 'none'}."


def advise(name: str, value: Any, known: Iterable[str]) -> str:
    """Suggest what to write instead of an argument that a class does not have.

    Args:
        name: The argument's name.
        value: Its value.
        known: The arguments that the class has.

    >>> advise("betas", (0.9, 0.99), ["beta_1", "beta_2"])
    'Write beta_1=0.9, beta_2=0.99.'
    >>> advise("lr", 0.1, ["learning_rate"])
    'Write learning_rate=0.1.'
    >>> advise("beta1", 0.9, ["beta_1"])
    "Did you mean 'beta_1'? Known: 'beta_1'."
    """
    known = list(known)
    pair = _split_tuple(name, value, known)
    if pair:
        return f"Write {pair}."
    for other in OTHER_NAMES.get(name.lower(), ()):
        if other in known:
            return f"Write {other}={shown(value)}."
    if name.lower() in INSTEAD:
        return INSTEAD[name.lower()]
    return suggest(name, known)


def advise_name(name: Any, known: Iterable[str]) -> str:
    """Suggest the known name that an unknown one stands for, and list all known names.

    >>> advise_name("wd", ["learning_rate", "weight_decay"])
    "Did you mean 'weight_decay'? Known: 'learning_rate', 'weight_decay'."
    """
    known = list(known)
    others = OTHER_NAMES.get(str(name).lower(), ())
    meant = next((other for other in others if other in known), None)
    return suggest(str(name) if meant is None else meant, known)


def _split_tuple(name: str, value: Any, known: Container[str]) -> str | None:
    """Return a tuple argument of torch written as this package's arguments."""
    if not isinstance(value, list | tuple):
        return None
    for names in PAIRS.get(name.lower(), ()):
        if len(names) == len(value) and all(k in known for k in names):
            entries = zip(names, value, strict=True)
            return ", ".join(f"{k}={shown(v)}" for k, v in entries)
    return None
