"""Names of classes in other libraries, and what to write for them here."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from typing import Any

from keras_optlab.core.errors import suggest

ACCUMULATION = "gradient_accumulation_steps= of every optimizer"
AVERAGED = "an optimizer's wrapper: optimizers.EMA, SWA or LAWA"
DECAY = "weight_decay= of every optimizer"

RENAMED = {
    "optimizers": {
        # TensorFlow Addons
        "AdaptiveGradientClipping": "adaptive_clipnorm= of every optimizer",
        "AveragedOptimizerWrapper": "Wrapper",
        "CyclicalLearningRate": "schedules.Cyclical",
        "DecoupledWeightDecayExtension": DECAY,
        "ExponentialCyclicalLearningRate": 'schedules.Cyclical(mode="exp_range")',
        "extend_with_decoupled_weight_decay": DECAY,
        "LAMB": "Lamb",
        "LazyAdam": 'Adam(sparse="lazy")',
        "MovingAverage": "EMA",
        "MultiOptimizer": "groups=[Group(...)] of every optimizer; for several rules, "
        "that of keras.optimizers",
        "RectifiedAdam": "RAdam",
        "SGDW": "SGD(weight_decay=...)",
        "StochasticWeightAveraging": "SWA",
        "Triangular2CyclicalLearningRate": 'schedules.Cyclical(mode="triangular2")',
        "TriangularCyclicalLearningRate": "schedules.Cyclical",
        # Keras, torch, optax and others
        "AveragedModel": "SWA or EMA",
        "DistributedShampoo": "Shampoo",
        "FusedAdam": "Adam",
        "GradientAccumulator": f"MultiSteps, or {ACCUMULATION}",
        "LossScaleOptimizer": "keras.optimizers.LossScaleOptimizer around any of these",
        "PagedAdamW": "AdamW",
        "ProdigyOpt": "Prodigy",
        "PSGD": "Kron",
        "Ranger": "Lookahead(RAdam(...))",
    },
    "schedules": {
        # Keras
        "CosineDecay": "Cosine, with Warmup around it for `warmup_steps`",
        "CosineDecayRestarts": "CosineRestarts",
        "ExponentialDecay": "Exponential",
        "InverseTimeDecay": "InverseTime",
        "LearningRateSchedule": "Schedule",
        "PiecewiseConstantDecay": "Piecewise",
        "PolynomialDecay": "Polynomial",
        # TensorFlow Addons
        "CyclicalLearningRate": "Cyclical",
        "ExponentialCyclicalLearningRate": 'Cyclical(mode="exp_range")',
        "Triangular2CyclicalLearningRate": 'Cyclical(mode="triangular2")',
        "TriangularCyclicalLearningRate": "Cyclical",
        # torch and others
        "CosineAnnealingLR": "Cosine",
        "CosineAnnealingWarmRestarts": "CosineRestarts",
        "CyclicLR": "Cyclical",
        "ExponentialLR": "Exponential",
        "LambdaLR": "any function of the step, as `learning_rate`",
        "LinearLR": "Linear",
        "LinearWarmup": "Warmup",
        "MultiStepLR": "Piecewise",
        "OneCycleLR": "OneCycle",
        "ReduceLROnPlateau": "callbacks.ReduceOnPlateau",
        "SequentialLR": "Join",
        "StepLR": "Exponential(staircase=True)",
        "WSD": "WarmupStableDecay",
    },
    "callbacks": {
        "BackupAndRestore": "Resume",
        "BatchSizeScheduler": "BatchRamp",
        "GradientAccumulationScheduler": "optimizers.MultiSteps with a schedule",
        "LearningRateFinder": "RateFinder",
        "LearningRateMonitor": "Monitor or TensorBoard",
        "LearningRateScheduler": "a schedule as the optimizer's `learning_rate`, or "
        'HyperparameterScheduler("learning_rate", ...)',
        "ModelCheckpoint": "keras.callbacks.ModelCheckpoint, or Resume to go on later",
        "ReduceLROnPlateau": "ReduceOnPlateau",
        "StochasticWeightAveraging": AVERAGED,
        "SwapEMAWeights": AVERAGED,
        "TerminateOnNaN": "EarlyStopping, which ends a training that is not finite",
        "TQDMProgressBar": "the progress bar of `fit`, with Monitor for more figures",
        "WeightAveraging": AVERAGED,
    },
    "transforms": {
        "AdaptiveGradientClipping": "AdaptiveClip",
        "GradientCentralization": "Centralize",
        "adaptive_grad_clip": "AdaptiveClip",
        "clip_by_global_norm": "ClipByGlobalNorm",
        "scale_by_trust_ratio": "TrustRatio",
        "zero_nans": "ZeroNonFinite",
    },
}


def show_public_names(namespace: dict[str, Any], later: tuple[str, ...] = ()) -> None:
    """Make `dir` of a module list its public names, and its errors name the nearest.

    Args:
        namespace: The module's `globals()`, with its `__all__`.
        later: Names of modules in it that are imported at their first use.
    """
    module, public = namespace["__name__"], namespace["__all__"]

    def get(name: str) -> Any:
        if name in later:
            return importlib.import_module(f"{module}.{name}")
        raise no_such_name(module, name, public)

    namespace["__dir__"] = lambda: [*public, *later]
    namespace["__getattr__"] = get


def no_such_name(module: str, name: str, known: Iterable[str]) -> Exception:
    """Return the error for a public name that a module does not have.

    >>> no_such_name("keras_optlab.optimizers", "RectifiedAdam", ["RAdam"])
    AttributeError("keras_optlab.optimizers has no 'RectifiedAdam'. Use RAdam.")
    """
    other = RENAMED.get(module.rpartition(".")[2], {}).get(name)
    advice = suggest(name, known) if other is None else f"Use {other}."
    text = f"{module} has no {name!r}. {advice}"
    # `from module import name` would replace an AttributeError by one without advice.
    if other and inspect.stack(0)[2].function == "_handle_fromlist":
        return ImportError(text)
    return AttributeError(text)
