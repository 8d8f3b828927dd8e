"""Types of the hyperparameters of a group: `python tools/stubs.py` writes it."""

from collections.abc import Callable
from typing import Any, Literal, TypedDict

from keras_optlab.core.axes import AxesLike

FloatOrSchedule = float | Callable[[Any], Any]

class GroupArguments(TypedDict, total=False):
    a: FloatOrSchedule
    accumulation_steps: FloatOrSchedule
    adam_beta_1: FloatOrSchedule
    adam_beta_2: FloatOrSchedule
    adam_lr_ratio: FloatOrSchedule
    adam_weight_decay: FloatOrSchedule | None
    adamw: bool
    alpha: FloatOrSchedule
    anneal_steps: FloatOrSchedule
    average_decay: FloatOrSchedule
    average_from: FloatOrSchedule
    average_period: FloatOrSchedule | int
    average_power: FloatOrSchedule
    average_warmup: FloatOrSchedule
    axes: AxesLike
    b: FloatOrSchedule
    beta: FloatOrSchedule
    beta_1: FloatOrSchedule
    beta_2: FloatOrSchedule
    beta_2_decay: FloatOrSchedule
    beta_3: FloatOrSchedule
    clip_after: int
    clip_threshold: FloatOrSchedule
    d_coef: FloatOrSchedule
    decay_schedule: str | None
    decay_speed: FloatOrSchedule
    epsilon: FloatOrSchedule | float
    epsilon_1: FloatOrSchedule
    epsilon_2: FloatOrSchedule
    eta_minus: FloatOrSchedule
    eta_plus: FloatOrSchedule
    final_interpolation: FloatOrSchedule
    final_learning_rate: FloatOrSchedule
    fit_rate: FloatOrSchedule
    gamma: FloatOrSchedule
    grokfast_alpha: FloatOrSchedule
    grokfast_lambda: FloatOrSchedule
    growth_rate: FloatOrSchedule | None
    hessian_power: FloatOrSchedule
    hyperball: bool
    hypergradient_learning_rate: FloatOrSchedule
    initial_distance: float
    interpolation: FloatOrSchedule
    l1: FloatOrSchedule | None
    l1_proximal: FloatOrSchedule | None
    l1_regularization_strength: FloatOrSchedule
    l2: FloatOrSchedule | None
    l2_regularization_strength: FloatOrSchedule
    l2_shrinkage_regularization_strength: FloatOrSchedule
    learning_rate_power: FloatOrSchedule
    max_rms: FloatOrSchedule
    max_step: FloatOrSchedule
    mechanic_decay: FloatOrSchedule
    mechanic_epsilon: FloatOrSchedule
    mechanic_s_init: FloatOrSchedule
    min_beta_1: FloatOrSchedule
    min_step: FloatOrSchedule
    momentum: FloatOrSchedule
    momentum_decay: FloatOrSchedule
    muon_a: FloatOrSchedule
    muon_b: FloatOrSchedule
    muon_c: FloatOrSchedule
    norm: Literal["auto", "spectral", "sign", "rms"] | Literal["frobenius", "nuclear"]
    nu: FloatOrSchedule
    nu_1: FloatOrSchedule
    nu_2: FloatOrSchedule
    per_head: bool
    polyak_beta: FloatOrSchedule
    radius: FloatOrSchedule
    reps_rel: float
    reset_every: int
    rho: FloatOrSchedule
    rms_rate: FloatOrSchedule | None
    sam_alpha: FloatOrSchedule
    sam_rho: FloatOrSchedule
    scale: FloatOrSchedule
    slow_step_size: FloatOrSchedule
    step_power: FloatOrSchedule
    sync_period: int
    tail_power: FloatOrSchedule
    threshold: FloatOrSchedule
    trust_coefficient: FloatOrSchedule
    vector_beta_1: FloatOrSchedule
    vector_beta_2: FloatOrSchedule
    warmup_steps: FloatOrSchedule | int
    weight_decay: FloatOrSchedule | None
    weight_lr_power: FloatOrSchedule
