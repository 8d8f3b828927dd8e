"""Types of the optimizers and their arguments: `python tools/stubs.py` writes it."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict, Unpack

from keras_optlab.core import Group
from keras_optlab.core.axes import AxesLike
from keras_optlab.core.registry import info as info
from keras_optlab.core.registry import names as names
from keras_optlab.core.registry import wrappers as wrappers
from keras_optlab.engine import Optimizer as Optimizer
from keras_optlab.engine import Wrapper as Wrapper
from keras_optlab.engine import strict_loading as strict_loading
from keras_optlab.transforms import Transform

FloatOrSchedule = float | Callable[[Any], Any]
LearningRateLike = float | Callable[..., Any]

__all__ = [
    "ADOPT",
    "ASAM",
    "CAME",
    "COCOB",
    "EMA",
    "KLSOAP",
    "LARS",
    "LAWA",
    "MADGRAD",
    "MARS",
    "QHM",
    "SAM",
    "SCION",
    "SGD",
    "SM3",
    "SOAP",
    "SPAM",
    "SWA",
    "AdEMAMix",
    "AdaBelief",
    "AdaBound",
    "AdaHessian",
    "AdaMuon",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamAtan2",
    "AdamMini",
    "AdamW",
    "Adamax",
    "Adan",
    "AggMo",
    "Amos",
    "Apollo",
    "ConditionalGradient",
    "DAdaptAdam",
    "DAdaptSGD",
    "DoG",
    "DoWG",
    "Fromage",
    "Ftrl",
    "GaLore",
    "Grams",
    "Grokfast",
    "Hyperball",
    "HypergradientAdam",
    "HypergradientSGD",
    "Kron",
    "LDoG",
    "LaProp",
    "Lamb",
    "Lion",
    "LookSAM",
    "Lookahead",
    "Mechanic",
    "Momentum",
    "MultiSteps",
    "Muon",
    "NAdamW",
    "Nadam",
    "NorMuon",
    "NovoGrad",
    "Optimizer",
    "PowerEMA",
    "Prodigy",
    "ProximalAdagrad",
    "ProximalSGD",
    "QHAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SOAPMuon",
    "ScheduleFree",
    "ScheduleFreeAdamW",
    "ScheduleFreePlus",
    "ScheduleFreeSGD",
    "Shampoo",
    "SignSGD",
    "Signum",
    "SimplifiedAdEMAMix",
    "Sophia",
    "StableAdamW",
    "Tiger",
    "Wrapper",
    "Yogi",
    "create",
    "info",
    "names",
    "strict_loading",
    "wrappers",
]

class ByName(TypedDict, total=False):
    adaptive_clipnorm: FloatOrSchedule | None
    l1: FloatOrSchedule | None
    l2: FloatOrSchedule | None
    l1_proximal: FloatOrSchedule | None
    decay_mask: Any
    decay_schedule: str | None
    groups: Sequence[Group]
    gradient_transforms: Sequence[Transform]
    update_transforms: Sequence[Transform]
    skip_non_finite: bool
    stop_after_skips: int | None
    sparse: Literal["dense", "lazy"]
    slot_dtype: str | None
    master_weights: bool
    shard_state: bool
    learning_rate_scale: float

class Common(ByName, total=False):
    clipnorm: FloatOrSchedule | None
    clipvalue: FloatOrSchedule | None
    global_clipnorm: FloatOrSchedule | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None

def create(name: str, **kwargs: Any) -> Optimizer: ...

class ASAM(Wrapper):
    sam_rho: FloatOrSchedule = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        sam_rho: FloatOrSchedule = 0.5,
        groups: Sequence[Group] = (),
    ) -> None: ...

class EMA(Wrapper):
    average_decay: FloatOrSchedule = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        average_decay: FloatOrSchedule = 0.99,
        groups: Sequence[Group] = (),
    ) -> None: ...

class Grokfast(Wrapper):
    grokfast_alpha: FloatOrSchedule = ...
    grokfast_lambda: FloatOrSchedule = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        grokfast_alpha: FloatOrSchedule = 0.98,
        grokfast_lambda: FloatOrSchedule = 2.0,
        groups: Sequence[Group] = (),
    ) -> None: ...

class Hyperball(Wrapper):
    hyperball: bool = ...
    hyperball_embeddings: bool = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        hyperball: bool = True,
        hyperball_embeddings: bool = False,
        groups: Sequence[Group] = (),
    ) -> None: ...

class LAWA(Wrapper):
    average_checkpoints: int = ...
    average_period: int = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        average_checkpoints: int = 5,
        average_period: int = 100,
        groups: Sequence[Group] = (),
    ) -> None: ...

class Lookahead(Wrapper):
    sync_period: int = ...
    slow_step_size: FloatOrSchedule = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        sync_period: int = 5,
        slow_step_size: FloatOrSchedule = 0.5,
        groups: Sequence[Group] = (),
    ) -> None: ...

class LookSAM(Wrapper):
    sam_rho: FloatOrSchedule = ...
    sam_alpha: FloatOrSchedule = ...
    sam_period: int = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        sam_rho: FloatOrSchedule = 0.1,
        sam_alpha: FloatOrSchedule = 0.7,
        sam_period: int = 5,
        groups: Sequence[Group] = (),
    ) -> None: ...

class Mechanic(Wrapper):
    mechanic_decay: FloatOrSchedule = ...
    mechanic_s_init: FloatOrSchedule = ...
    mechanic_scales: int = ...
    mechanic_epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        mechanic_decay: FloatOrSchedule = 0.01,
        mechanic_s_init: FloatOrSchedule = 1e-06,
        mechanic_scales: int = 6,
        mechanic_epsilon: FloatOrSchedule = 1e-08,
        groups: Sequence[Group] = (),
    ) -> None: ...

class MultiSteps(Wrapper):
    accumulation_steps: FloatOrSchedule = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        accumulation_steps: FloatOrSchedule = 4,
        groups: Sequence[Group] = (),
    ) -> None: ...

class PowerEMA(Wrapper):
    tail_power: FloatOrSchedule = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        tail_power: FloatOrSchedule = 6.94,
        groups: Sequence[Group] = (),
    ) -> None: ...

class SAM(Wrapper):
    sam_rho: FloatOrSchedule = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        sam_rho: FloatOrSchedule = 0.05,
        groups: Sequence[Group] = (),
    ) -> None: ...

class ScheduleFree(Wrapper):
    interpolation: FloatOrSchedule = ...
    average_warmup: FloatOrSchedule = ...
    average_power: FloatOrSchedule = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        interpolation: FloatOrSchedule = 0.9,
        average_warmup: FloatOrSchedule = 0,
        average_power: FloatOrSchedule = 2.0,
        groups: Sequence[Group] = (),
    ) -> None: ...

class SWA(Wrapper):
    average_from: FloatOrSchedule = ...
    average_period: FloatOrSchedule = ...
    def __init__(
        self,
        optimizer: Optimizer,
        *,
        average_from: FloatOrSchedule = 1,
        average_period: FloatOrSchedule = 1,
        groups: Sequence[Group] = (),
    ) -> None: ...

class AdaBelief(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-16,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class AdaBound(Optimizer):
    learning_rate: LearningRateLike = ...
    final_learning_rate: FloatOrSchedule = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    gamma: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        final_learning_rate: FloatOrSchedule = 0.1,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        gamma: FloatOrSchedule = 0.001,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Adadelta(Optimizer):
    learning_rate: LearningRateLike = ...
    rho: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        rho: FloatOrSchedule = 0.95,
        epsilon: FloatOrSchedule = 1e-07,
        weight_decay: FloatOrSchedule | None = None,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Unpack[ByName],
    ) -> None: ...

class Adafactor(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_2_decay: FloatOrSchedule = ...
    epsilon_1: FloatOrSchedule = ...
    epsilon_2: FloatOrSchedule = ...
    clip_threshold: FloatOrSchedule = ...
    relative_step: bool = ...
    keras_compatible: bool = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_2_decay: FloatOrSchedule = -0.8,
        epsilon_1: FloatOrSchedule = 1e-30,
        epsilon_2: FloatOrSchedule = 0.001,
        clip_threshold: FloatOrSchedule = 1.0,
        relative_step: bool = True,
        weight_decay: FloatOrSchedule | None = None,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        keras_compatible: bool = True,
        **kwargs: Unpack[ByName],
    ) -> None: ...

class Adagrad(Optimizer):
    learning_rate: LearningRateLike = ...
    initial_accumulator_value: float = ...
    epsilon: FloatOrSchedule = ...
    epsilon_placement: Literal["inside", "outside"] = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: FloatOrSchedule = 1e-07,
        weight_decay: FloatOrSchedule | None = None,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        epsilon_placement: Literal["inside", "outside"] = "inside",
        **kwargs: Unpack[ByName],
    ) -> None: ...

class AdaHessian(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    hessian_power: FloatOrSchedule = ...
    seed: int = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.15,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 0.0001,
        hessian_power: FloatOrSchedule = 1.0,
        seed: int = 0,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Adam(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    amsgrad: bool = ...
    epsilon_placement: Literal["hat", "outside", "inside"] = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-07,
        amsgrad: bool = False,
        weight_decay: FloatOrSchedule | None = None,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        epsilon_placement: Literal["hat", "outside", "inside"] = "hat",
        **kwargs: Unpack[ByName],
    ) -> None: ...

class AdamAtan2(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    a: FloatOrSchedule = ...
    b: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        a: FloatOrSchedule = 1.27,
        b: FloatOrSchedule = 1.0,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Adamax(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-07,
        weight_decay: FloatOrSchedule | None = None,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Unpack[ByName],
    ) -> None: ...

class AdamMini(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    axes: AxesLike = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-08,
        axes: AxesLike = "layer",
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Adan(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    beta_3: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.98,
        beta_2: FloatOrSchedule = 0.92,
        beta_3: FloatOrSchedule = 0.99,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class AdEMAMix(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    beta_3: FloatOrSchedule = ...
    alpha: FloatOrSchedule = ...
    warmup_steps: int = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        beta_3: FloatOrSchedule = 0.9999,
        alpha: FloatOrSchedule = 5.0,
        warmup_steps: int = 0,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class ADOPT(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.9999,
        epsilon: FloatOrSchedule = 1e-06,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class AggMo(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    beta_3: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        beta_1: FloatOrSchedule = 0.0,
        beta_2: FloatOrSchedule = 0.9,
        beta_3: FloatOrSchedule = 0.99,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Amos(Optimizer):
    learning_rate: LearningRateLike = ...
    beta: FloatOrSchedule = ...
    decay_speed: FloatOrSchedule = ...
    scale: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        beta: FloatOrSchedule = 0.999,
        decay_speed: FloatOrSchedule = 0.25,
        scale: FloatOrSchedule = 1.0,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Apollo(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    rank: int = ...
    period: int = ...
    scale: FloatOrSchedule = ...
    scaling: Literal["channel", "tensor"] = ...
    projection: Literal["random", "svd"] = ...
    epsilon: FloatOrSchedule = ...
    axes: AxesLike = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        rank: int = 128,
        period: int = 200,
        scale: FloatOrSchedule = 1.0,
        scaling: Literal["channel", "tensor"] = "channel",
        projection: Literal["random", "svd"] = "random",
        epsilon: FloatOrSchedule = 1e-06,
        axes: AxesLike = "layer",
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class CAME(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    beta_3: FloatOrSchedule = ...
    epsilon_1: FloatOrSchedule = ...
    epsilon_2: FloatOrSchedule = ...
    clip_threshold: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.0002,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        beta_3: FloatOrSchedule = 0.9999,
        epsilon_1: FloatOrSchedule = 1e-30,
        epsilon_2: FloatOrSchedule = 1e-16,
        clip_threshold: FloatOrSchedule = 1.0,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class COCOB(Optimizer):
    learning_rate: LearningRateLike = ...
    alpha: FloatOrSchedule = ...
    epsilon: float = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 1.0,
        alpha: FloatOrSchedule = 100.0,
        epsilon: float = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class ConditionalGradient(Optimizer):
    learning_rate: LearningRateLike = ...
    radius: FloatOrSchedule = ...
    norm: Literal["frobenius", "nuclear"] = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        radius: FloatOrSchedule = 10.0,
        norm: Literal["frobenius", "nuclear"] = "frobenius",
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class DAdaptAdam(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    d0: float = ...
    growth_rate: FloatOrSchedule | None = ...
    bias_correction: bool = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 1.0,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        d0: float = 1e-06,
        growth_rate: FloatOrSchedule | None = None,
        bias_correction: bool = False,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class DAdaptSGD(Optimizer):
    learning_rate: LearningRateLike = ...
    momentum: FloatOrSchedule = ...
    d0: float = ...
    growth_rate: FloatOrSchedule | None = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 1.0,
        momentum: FloatOrSchedule = 0.0,
        d0: float = 1e-06,
        growth_rate: FloatOrSchedule | None = None,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class DoG(Optimizer):
    learning_rate: LearningRateLike = ...
    reps_rel: float = ...
    epsilon: float = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 1.0,
        reps_rel: float = 1e-06,
        epsilon: float = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class DoWG(Optimizer):
    learning_rate: LearningRateLike = ...
    initial_distance: float = ...
    epsilon: float = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 1.0,
        initial_distance: float = 0.01,
        epsilon: float = 0.0001,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Fromage(Optimizer):
    learning_rate: LearningRateLike = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Ftrl(Optimizer):
    learning_rate: LearningRateLike = ...
    learning_rate_power: FloatOrSchedule = ...
    initial_accumulator_value: float = ...
    l1_regularization_strength: FloatOrSchedule = ...
    l2_regularization_strength: FloatOrSchedule = ...
    l2_shrinkage_regularization_strength: FloatOrSchedule = ...
    beta: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        learning_rate_power: FloatOrSchedule = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: FloatOrSchedule = 0.0,
        l2_regularization_strength: FloatOrSchedule = 0.0,
        l2_shrinkage_regularization_strength: FloatOrSchedule = 0.0,
        beta: FloatOrSchedule = 0.0,
        weight_decay: FloatOrSchedule | None = None,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Unpack[ByName],
    ) -> None: ...

class GaLore(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    rank: int = ...
    period: int = ...
    scale: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    axes: AxesLike = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        rank: int = 128,
        period: int = 200,
        scale: FloatOrSchedule = 0.25,
        epsilon: FloatOrSchedule = 1e-06,
        axes: AxesLike = "layer",
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Grams(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-06,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class HypergradientAdam(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    hypergradient_learning_rate: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        hypergradient_learning_rate: FloatOrSchedule = 1e-07,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class HypergradientSGD(Optimizer):
    learning_rate: LearningRateLike = ...
    hypergradient_learning_rate: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        hypergradient_learning_rate: FloatOrSchedule = 0.001,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Kron(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    fit_rate: FloatOrSchedule = ...
    max_rms: FloatOrSchedule = ...
    period: int | None = ...
    max_size: int = ...
    axes: AxesLike = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        fit_rate: FloatOrSchedule = 0.1,
        max_rms: FloatOrSchedule = 1.1,
        period: int | None = None,
        max_size: int = 8192,
        axes: AxesLike = "layer",
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Lamb(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    keras_compatible: bool = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-07,
        weight_decay: FloatOrSchedule | None = None,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        keras_compatible: bool = False,
        **kwargs: Unpack[ByName],
    ) -> None: ...

class LaProp(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.0004,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-15,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class LARS(Optimizer):
    learning_rate: LearningRateLike = ...
    momentum: FloatOrSchedule = ...
    trust_coefficient: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 1.0,
        momentum: FloatOrSchedule = 0.9,
        trust_coefficient: FloatOrSchedule = 0.001,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class LDoG(Optimizer):
    learning_rate: LearningRateLike = ...
    reps_rel: float = ...
    epsilon: float = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 1.0,
        reps_rel: float = 1e-06,
        epsilon: float = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Lion(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.99,
        weight_decay: FloatOrSchedule | None = None,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Unpack[ByName],
    ) -> None: ...

class MADGRAD(Optimizer):
    learning_rate: LearningRateLike = ...
    momentum: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        momentum: FloatOrSchedule = 0.9,
        epsilon: FloatOrSchedule = 1e-06,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class MARS(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    gamma: FloatOrSchedule = ...
    vector_beta_1: FloatOrSchedule = ...
    vector_beta_2: FloatOrSchedule = ...
    matrices_only: bool = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.003,
        beta_1: FloatOrSchedule = 0.95,
        beta_2: FloatOrSchedule = 0.99,
        gamma: FloatOrSchedule = 0.025,
        vector_beta_1: FloatOrSchedule = 0.9,
        vector_beta_2: FloatOrSchedule = 0.95,
        matrices_only: bool = True,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Momentum(Optimizer):
    learning_rate: LearningRateLike = ...
    momentum: FloatOrSchedule = ...
    form: Literal["velocity", "heavy_ball", "ema"] = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        momentum: FloatOrSchedule = 0.9,
        form: Literal["velocity", "heavy_ball", "ema"] = "velocity",
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Nadam(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    momentum_decay: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-07,
        weight_decay: FloatOrSchedule | None = None,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        momentum_decay: FloatOrSchedule = 1.0,
        **kwargs: Unpack[ByName],
    ) -> None: ...

class NovoGrad(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        beta_1: FloatOrSchedule = 0.95,
        beta_2: FloatOrSchedule = 0.98,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Prodigy(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    d0: float = ...
    d_coef: FloatOrSchedule = ...
    growth_rate: FloatOrSchedule | None = ...
    bias_correction: bool = ...
    safeguard_warmup: bool = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 1.0,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        d0: float = 1e-06,
        d_coef: FloatOrSchedule = 1.0,
        growth_rate: FloatOrSchedule | None = None,
        bias_correction: bool = False,
        safeguard_warmup: bool = False,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class ProximalSGD(Optimizer):
    learning_rate: LearningRateLike = ...
    l1_regularization_strength: FloatOrSchedule = ...
    l2_regularization_strength: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        l1_regularization_strength: FloatOrSchedule = 0.0,
        l2_regularization_strength: FloatOrSchedule = 0.0,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class QHAdam(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    nu_1: FloatOrSchedule = ...
    nu_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.995,
        beta_2: FloatOrSchedule = 0.999,
        nu_1: FloatOrSchedule = 0.7,
        nu_2: FloatOrSchedule = 1.0,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class QHM(Optimizer):
    learning_rate: LearningRateLike = ...
    momentum: FloatOrSchedule = ...
    nu: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.1,
        momentum: FloatOrSchedule = 0.999,
        nu: FloatOrSchedule = 0.7,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class RAdam(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class RMSprop(Optimizer):
    learning_rate: LearningRateLike = ...
    rho: FloatOrSchedule = ...
    momentum: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    centered: bool = ...
    epsilon_placement: Literal["inside", "outside"] = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        rho: FloatOrSchedule = 0.9,
        momentum: FloatOrSchedule = 0.0,
        epsilon: FloatOrSchedule = 1e-07,
        centered: bool = False,
        weight_decay: FloatOrSchedule | None = None,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        epsilon_placement: Literal["inside", "outside"] = "inside",
        **kwargs: Unpack[ByName],
    ) -> None: ...

class Rprop(Optimizer):
    learning_rate: LearningRateLike = ...
    eta_minus: FloatOrSchedule = ...
    eta_plus: FloatOrSchedule = ...
    min_step: FloatOrSchedule = ...
    max_step: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        eta_minus: FloatOrSchedule = 0.5,
        eta_plus: FloatOrSchedule = 1.2,
        min_step: FloatOrSchedule = 1e-06,
        max_step: FloatOrSchedule = 50.0,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class ScheduleFreeAdamW(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    warmup_steps: FloatOrSchedule = ...
    weight_lr_power: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.0025,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-08,
        warmup_steps: FloatOrSchedule = 0,
        weight_decay: FloatOrSchedule | None = None,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        weight_lr_power: FloatOrSchedule = 2.0,
        **kwargs: Unpack[ByName],
    ) -> None: ...

class ScheduleFreePlus(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    interpolation: FloatOrSchedule = ...
    final_interpolation: FloatOrSchedule = ...
    anneal_steps: FloatOrSchedule = ...
    average_warmup: FloatOrSchedule = ...
    step_power: FloatOrSchedule = ...
    weight_lr_power: FloatOrSchedule = ...
    polyak_beta: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 1.0,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.95,
        interpolation: FloatOrSchedule = 0.9,
        final_interpolation: FloatOrSchedule = 0.965,
        anneal_steps: FloatOrSchedule = 0,
        average_warmup: FloatOrSchedule = 0,
        step_power: FloatOrSchedule = 0.0,
        weight_lr_power: FloatOrSchedule = 2.0,
        polyak_beta: FloatOrSchedule = 0.0,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class ScheduleFreeSGD(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    warmup_steps: FloatOrSchedule = ...
    weight_lr_power: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 1.0,
        beta_1: FloatOrSchedule = 0.9,
        warmup_steps: FloatOrSchedule = 0,
        weight_lr_power: FloatOrSchedule = 2.0,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class SCION(Optimizer):
    learning_rate: LearningRateLike = ...
    momentum: FloatOrSchedule = ...
    scale: FloatOrSchedule = ...
    norm: Literal["auto", "spectral", "sign", "rms"] = ...
    ns_steps: int = ...
    coefficients: str | Sequence[Sequence[float]] = ...
    gram: bool = ...
    max_size: int = ...
    matrices: Literal["keras", "layers"] = ...
    axes: AxesLike = ...
    per_head: bool = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        momentum: FloatOrSchedule = 0.9,
        scale: FloatOrSchedule = 1.0,
        norm: Literal["auto", "spectral", "sign", "rms"] = "auto",
        ns_steps: int = 5,
        coefficients: str | Sequence[Sequence[float]] = "jordan",
        gram: bool = False,
        max_size: int = 8192,
        matrices: Literal["keras", "layers"] = "layers",
        axes: AxesLike = "layer",
        per_head: bool = False,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class SGD(Optimizer):
    learning_rate: LearningRateLike = ...
    momentum: FloatOrSchedule = ...
    nesterov: bool = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        momentum: FloatOrSchedule = 0.0,
        nesterov: bool = False,
        weight_decay: FloatOrSchedule | None = None,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Unpack[ByName],
    ) -> None: ...

class Shampoo(Optimizer):
    learning_rate: LearningRateLike = ...
    epsilon: FloatOrSchedule = ...
    period: int = ...
    max_size: int = ...
    axes: AxesLike = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.1,
        epsilon: FloatOrSchedule = 0.0001,
        period: int = 1,
        max_size: int = 1024,
        axes: AxesLike = "layer",
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class SignSGD(Optimizer):
    learning_rate: LearningRateLike = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Signum(Optimizer):
    learning_rate: LearningRateLike = ...
    momentum: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        momentum: FloatOrSchedule = 0.9,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class SimplifiedAdEMAMix(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    alpha: FloatOrSchedule = ...
    warmup_steps: int = ...
    min_beta_1: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.0001,
        beta_1: FloatOrSchedule = 0.99,
        beta_2: FloatOrSchedule = 0.95,
        alpha: FloatOrSchedule = 0.0,
        warmup_steps: int = 0,
        min_beta_1: FloatOrSchedule = 0.9,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class SM3(Optimizer):
    learning_rate: LearningRateLike = ...
    momentum: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.1,
        momentum: FloatOrSchedule = 0.9,
        epsilon: FloatOrSchedule = 1e-08,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class SOAP(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    period: int = ...
    max_size: int = ...
    epsilon: FloatOrSchedule = ...
    axes: AxesLike = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.003,
        beta_1: FloatOrSchedule = 0.95,
        beta_2: FloatOrSchedule = 0.95,
        period: int = 10,
        max_size: int = 2048,
        epsilon: FloatOrSchedule = 1e-08,
        axes: AxesLike = "layer",
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Sophia(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    gamma: FloatOrSchedule = ...
    clip_threshold: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    period: int = ...
    seed: int = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.0001,
        beta_1: FloatOrSchedule = 0.96,
        beta_2: FloatOrSchedule = 0.99,
        gamma: FloatOrSchedule = 0.01,
        clip_threshold: FloatOrSchedule = 1.0,
        epsilon: FloatOrSchedule = 1e-12,
        period: int = 10,
        seed: int = 0,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class SPAM(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    threshold: FloatOrSchedule = ...
    reset_every: int = ...
    warmup_steps: int = ...
    clip_after: int = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        threshold: FloatOrSchedule = 5000.0,
        reset_every: int = 500,
        warmup_steps: int = 150,
        clip_after: int = 20,
        epsilon: FloatOrSchedule = 1e-06,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class StableAdamW(Optimizer):
    learning_rate: LearningRateLike = ...
    weight_decay: FloatOrSchedule | None = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        weight_decay: FloatOrSchedule | None = 0.01,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.99,
        epsilon: FloatOrSchedule = 1e-06,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Yogi(Optimizer):
    learning_rate: LearningRateLike = ...
    beta_1: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    initial_accumulator_value: float = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 0.001,
        initial_accumulator_value: float = 1e-06,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class AdaMuon(Optimizer):
    learning_rate: LearningRateLike = ...
    weight_decay: FloatOrSchedule | None = ...
    momentum: FloatOrSchedule = ...
    nesterov: bool = ...
    ns_steps: int = ...
    coefficients: str | Sequence[Sequence[float]] = ...
    gram: bool = ...
    scaling: Literal["moonlight", "jordan"] = ...
    rms_rate: FloatOrSchedule | None = ...
    period: int = ...
    max_size: int = ...
    matrices: Literal["keras", "layers"] = ...
    axes: AxesLike = ...
    per_head: bool = ...
    exclude_layers: Sequence[str] | None = ...
    exclude_embeddings: bool = ...
    adamw: bool = ...
    adam_lr_ratio: FloatOrSchedule = ...
    adam_weight_decay: FloatOrSchedule | None = ...
    adam_beta_1: FloatOrSchedule = ...
    adam_beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    sign: bool = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        weight_decay: FloatOrSchedule | None = 0.004,
        momentum: FloatOrSchedule = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        coefficients: str | Sequence[Sequence[float]] = "jordan",
        gram: bool = False,
        scaling: Literal["moonlight", "jordan"] = "moonlight",
        rms_rate: FloatOrSchedule | None = 0.2,
        period: int = 1,
        max_size: int = 8192,
        matrices: Literal["keras", "layers"] = "layers",
        axes: AxesLike = "layer",
        per_head: bool = False,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        adamw: bool = False,
        adam_lr_ratio: FloatOrSchedule = 1.0,
        adam_weight_decay: FloatOrSchedule | None = 0.004,
        adam_beta_1: FloatOrSchedule = 0.9,
        adam_beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-07,
        beta_2: FloatOrSchedule = 0.95,
        sign: bool = True,
        **kwargs: Unpack[Common],
    ) -> None: ...

class AdamW(Adam):
    learning_rate: LearningRateLike = ...
    weight_decay: FloatOrSchedule | None = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        weight_decay: FloatOrSchedule | None = 0.004,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-07,
        amsgrad: bool = False,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        epsilon_placement: Literal["hat", "outside", "inside"] = "hat",
        **kwargs: Unpack[ByName],
    ) -> None: ...

class KLSOAP(SOAP):
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.003,
        beta_1: FloatOrSchedule = 0.95,
        beta_2: FloatOrSchedule = 0.95,
        period: int = 10,
        max_size: int = 2048,
        epsilon: FloatOrSchedule = 1e-08,
        axes: AxesLike = "layer",
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Muon(Optimizer):
    learning_rate: LearningRateLike = ...
    weight_decay: FloatOrSchedule | None = ...
    momentum: FloatOrSchedule = ...
    nesterov: bool = ...
    ns_steps: int = ...
    coefficients: str | Sequence[Sequence[float]] = ...
    gram: bool = ...
    scaling: Literal["moonlight", "jordan"] = ...
    rms_rate: FloatOrSchedule | None = ...
    period: int = ...
    max_size: int = ...
    matrices: Literal["keras", "layers"] = ...
    axes: AxesLike = ...
    per_head: bool = ...
    exclude_layers: Sequence[str] | None = ...
    exclude_embeddings: bool = ...
    adamw: bool = ...
    adam_lr_ratio: FloatOrSchedule = ...
    adam_weight_decay: FloatOrSchedule | None = ...
    adam_beta_1: FloatOrSchedule = ...
    adam_beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    muon_a: FloatOrSchedule = ...
    muon_b: FloatOrSchedule = ...
    muon_c: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        adam_beta_1: FloatOrSchedule = 0.9,
        adam_beta_2: FloatOrSchedule = 0.999,
        adam_weight_decay: FloatOrSchedule | None = 0.004,
        epsilon: FloatOrSchedule = 1e-07,
        weight_decay: FloatOrSchedule | None = 0.004,
        clipnorm: FloatOrSchedule | None = None,
        clipvalue: FloatOrSchedule | None = None,
        global_clipnorm: FloatOrSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: FloatOrSchedule = 3.4445,
        muon_b: FloatOrSchedule = -4.775,
        muon_c: FloatOrSchedule = 2.0315,
        adam_lr_ratio: FloatOrSchedule = 1.0,
        momentum: FloatOrSchedule = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: FloatOrSchedule | None = 0.2,
        *,
        coefficients: str | Sequence[Sequence[float]] = "keras",
        gram: bool = False,
        scaling: Literal["moonlight", "jordan"] = "moonlight",
        period: int = 1,
        max_size: int = 8192,
        matrices: Literal["keras", "layers"] = "keras",
        axes: AxesLike = "layer",
        per_head: bool = False,
        adamw: bool = False,
        **kwargs: Unpack[ByName],
    ) -> None: ...

class NAdamW(Nadam):
    learning_rate: LearningRateLike = ...
    weight_decay: FloatOrSchedule | None = ...
    epsilon: FloatOrSchedule = ...
    momentum_decay: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.002,
        weight_decay: FloatOrSchedule | None = 0.01,
        beta_1: FloatOrSchedule = 0.9,
        beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-08,
        momentum_decay: FloatOrSchedule = 0.004,
        **kwargs: Unpack[Common],
    ) -> None: ...

class NorMuon(Optimizer):
    learning_rate: LearningRateLike = ...
    weight_decay: FloatOrSchedule | None = ...
    momentum: FloatOrSchedule = ...
    nesterov: bool = ...
    ns_steps: int = ...
    coefficients: str | Sequence[Sequence[float]] = ...
    gram: bool = ...
    scaling: Literal["moonlight", "jordan"] = ...
    rms_rate: FloatOrSchedule | None = ...
    period: int = ...
    max_size: int = ...
    matrices: Literal["keras", "layers"] = ...
    axes: AxesLike = ...
    per_head: bool = ...
    exclude_layers: Sequence[str] | None = ...
    exclude_embeddings: bool = ...
    adamw: bool = ...
    adam_lr_ratio: FloatOrSchedule = ...
    adam_weight_decay: FloatOrSchedule | None = ...
    adam_beta_1: FloatOrSchedule = ...
    adam_beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        weight_decay: FloatOrSchedule | None = 0.004,
        momentum: FloatOrSchedule = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        coefficients: str | Sequence[Sequence[float]] = "jordan",
        gram: bool = False,
        scaling: Literal["moonlight", "jordan"] = "moonlight",
        rms_rate: FloatOrSchedule | None = 0.2,
        period: int = 1,
        max_size: int = 8192,
        matrices: Literal["keras", "layers"] = "layers",
        axes: AxesLike = "layer",
        per_head: bool = False,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        adamw: bool = False,
        adam_lr_ratio: FloatOrSchedule = 1.0,
        adam_weight_decay: FloatOrSchedule | None = 0.004,
        adam_beta_1: FloatOrSchedule = 0.9,
        adam_beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-07,
        beta_2: FloatOrSchedule = 0.95,
        **kwargs: Unpack[Common],
    ) -> None: ...

class ProximalAdagrad(ProximalSGD):
    learning_rate: LearningRateLike = ...
    l1_regularization_strength: FloatOrSchedule = ...
    l2_regularization_strength: FloatOrSchedule = ...
    initial_accumulator_value: float = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        l1_regularization_strength: FloatOrSchedule = 0.0,
        l2_regularization_strength: FloatOrSchedule = 0.0,
        initial_accumulator_value: float = 0.1,
        *,
        weight_decay: FloatOrSchedule | None = None,
        **kwargs: Unpack[Common],
    ) -> None: ...

class SOAPMuon(Optimizer):
    learning_rate: LearningRateLike = ...
    weight_decay: FloatOrSchedule | None = ...
    momentum: FloatOrSchedule = ...
    nesterov: bool = ...
    ns_steps: int = ...
    coefficients: str | Sequence[Sequence[float]] = ...
    gram: bool = ...
    scaling: Literal["moonlight", "jordan"] = ...
    rms_rate: FloatOrSchedule | None = ...
    period: int = ...
    max_size: int = ...
    matrices: Literal["keras", "layers"] = ...
    axes: AxesLike = ...
    per_head: bool = ...
    exclude_layers: Sequence[str] | None = ...
    exclude_embeddings: bool = ...
    adamw: bool = ...
    adam_lr_ratio: FloatOrSchedule = ...
    adam_weight_decay: FloatOrSchedule | None = ...
    adam_beta_1: FloatOrSchedule = ...
    adam_beta_2: FloatOrSchedule = ...
    epsilon: FloatOrSchedule = ...
    beta_2: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        weight_decay: FloatOrSchedule | None = 0.004,
        momentum: FloatOrSchedule = 0.95,
        nesterov: bool = True,
        ns_steps: int = 10,
        coefficients: str | Sequence[Sequence[float]] = "jordan",
        gram: bool = False,
        scaling: Literal["moonlight", "jordan"] = "moonlight",
        rms_rate: FloatOrSchedule | None = 0.2,
        period: int = 10,
        max_size: int = 8192,
        matrices: Literal["keras", "layers"] = "layers",
        axes: AxesLike = "layer",
        per_head: bool = False,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        adamw: bool = False,
        adam_lr_ratio: FloatOrSchedule = 1.0,
        adam_weight_decay: FloatOrSchedule | None = 0.004,
        adam_beta_1: FloatOrSchedule = 0.9,
        adam_beta_2: FloatOrSchedule = 0.999,
        epsilon: FloatOrSchedule = 1e-07,
        beta_2: FloatOrSchedule = 0.98,
        **kwargs: Unpack[Common],
    ) -> None: ...

class Tiger(Signum):
    learning_rate: LearningRateLike = ...
    weight_decay: FloatOrSchedule | None = ...
    momentum: FloatOrSchedule = ...
    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        weight_decay: FloatOrSchedule | None = 0.01,
        momentum: FloatOrSchedule = 0.965,
        **kwargs: Unpack[Common],
    ) -> None: ...
