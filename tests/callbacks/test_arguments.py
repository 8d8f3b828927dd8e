"""Every argument of every callback: legal values are accepted, others are refused."""

import inspect
import types
from pathlib import Path

import numpy as np
import pytest

from keras_optlab import callbacks, optimizers, regularizers, schedules, stopping

PUBLIC = set(callbacks.__all__) - set(callbacks.base.__all__)

HALF = schedules.Constant(0.5)
GIVEN = optimizers.SGD()

# Required arguments of a callback.
NEEDED = {
    "AverageModelCheckpoint": {"update_weights": False, "filepath": "a.keras"},
    "BatchRamp": {"schedule": HALF},
    "EarlyStopping": {"monitor": "loss"},
    "GradientClipping": {},
    "GradualUnfreezing": {},
    "GreedyRate": {"monitor": "loss"},
    "HyperparameterScheduler": {"name": "weight_decay", "schedule": HALF},
    "ReduceOnPlateau": {"monitor": "loss"},
    "Resume": {"directory": "checkpoints"},
    "TensorBoard": {"log_dir": "runs"},
    "Track": {"tracker": types.SimpleNamespace(log=print)},
    "Validate": {"every": 5},
    "WeightClipping": {},
}

FLAG = [True, False, np.True_], ["maybe", 1, 0.0, None, np.zeros(2, bool)]
VERBOSE = [0, 1, 2, True, False], ["loud", -1, 3, 0.5, None]
NUMBERS = ["1", 1j, [1], np.ones(2), True, float("nan"), 10**400]
COUNT = [1, 3, np.int64(2), 2.0], [*NUMBERS, 0, -1, 1.5]
STEPS = [*COUNT[0], None], COUNT[1]
POSITIVE = [0.5, 2, np.float32(1)], [*NUMBERS, 0, -1]
LIMIT = [None, -1.5, 0, np.float32(1)], NUMBERS
MODE = ["auto", "min"], ["lower", None, 1, ["min"]]
UNIT = ["epochs", "steps", None], ["hours", 1, ["steps"]]
METRIC = ["loss", "val_loss"], [None, 3, "", ["loss"]]
GLOBS = ["*", ["a", "b/*"], ("a",)], [None, 3, [1], {"a": 1}]
SCHEDULE = [None, HALF], [0.5, "cosine", lambda step: 1.0]
OPTIMIZER = [None, GIVEN], ["adam", optimizers.SGD, 3]
TRACKER = types.SimpleNamespace(log=print)
PATH = ["runs", Path("runs")], [None, 3, b"runs"]

ARGUMENTS = {
    "AverageModelCheckpoint": {
        "update_weights": FLAG,
        "filepath": (["a.keras", Path("a.keras")], [None, 3, "", b"a.keras"]),
        "monitor": METRIC,
        "verbose": VERBOSE,
        "save_best_only": FLAG,
        "save_weights_only": ([False], FLAG[1]),
        "mode": MODE,
        "save_freq": (["epoch", 1, 5], ["step", None, *COUNT[1]]),
        "initial_value_threshold": LIMIT,
        "optimizer": OPTIMIZER,
    },
    "BatchRamp": {
        "schedule": ([HALF], [None, 0.5, "cosine", lambda step: 1.0]),
        "max_accumulation_steps": STEPS,
        "factor": ([1.1, 2, np.float32(3)], [*NUMBERS, 0, 1, None]),
        "optimizer": OPTIMIZER,
    },
    "EarlyStopping": {
        "monitor": METRIC,
        "patience": ([0, 3, 2.0, None], [*NUMBERS, -1, 1.5]),
        "min_delta": ([0, 0.5], [*NUMBERS, -1, None]),
        "mode": MODE,
        "restore_best": FLAG,
        "criteria": (
            [[], (), [stopping.Rising(2), stopping.Patience()]],
            [None, 3, stopping.Patience(), [stopping.Patience], ["Patience"]],
        ),
        "target": LIMIT,
        "divergence": LIMIT,
        "check_finite": FLAG,
        "start_from_epoch": ([0, 3], [*NUMBERS, -1, 1.5, None]),
        "every": STEPS,
        "patience_unit": UNIT,
        "max_seconds": ([None, *POSITIVE[0]], POSITIVE[1]),
        "verbose": VERBOSE,
        "optimizer": OPTIMIZER,
    },
    "GradientClipping": {
        **dict.fromkeys(["value", "norm", "global_norm", "adaptive"], POSITIVE),
        "schedule": SCHEDULE,
        "every": COUNT,
        "optimizer": OPTIMIZER,
    },
    "GradientSignals": {
        "every": COUNT,
        "data": ([None, (1, 2), "x"], []),
        "signals": (
            [None, ["sharpness"], ("gradient_cosine", "gradient_noise_scale")],
            ["sharpness", [], ["sharp"], 3, [3]],
        ),
        "examples": ([32, 512.0], [*NUMBERS, 16, 500, 0, None]),
        "micro_batch": ([1, 16.0], [*NUMBERS, 0, 3, 512, 1.5, None]),
        "optimizer": OPTIMIZER,
    },
    "GradualUnfreezing": {
        "every": (
            [*COUNT[0], [], [0, 2], (1, 1.0)],
            ["1", 1j, True, float("nan"), 0, -1, 1.5, None, [1.5], [-1], [3, 2]],
        ),
        "unit": (["epoch", "step"], ["batch", None, ["step"]]),
        "blocks": (
            [None, ["a", ["b", "c"]], ("a", lambda v: True)],
            [3, "a", [3], [[]]],
        ),
        "train_normalization": FLAG,
        "optimizer": OPTIMIZER,
    },
    "HyperparameterScheduler": {
        "name": (["beta_1"], [None, 3, ["beta_1"]]),
        "schedule": ([HALF, lambda t: t, lambda t, x: x], [None, 0.5, "x", float]),
        "unit": (["step", "epoch"], ["batch", None, ["step"]]),
        "of": ([None, regularizers.L2(0.1)], ["l2", 3, GIVEN]),
        "optimizer": OPTIMIZER,
    },
    "Monitor": {"every": COUNT, "statistics_every": STEPS, "optimizer": OPTIMIZER},
    "QKClip": {"tau": POSITIVE},
    "RateFinder": {
        "rule": (["knee/3", "valley"], ["middle", None, 3]),
        "steps": ([20, 100.0], [*NUMBERS, 10, 20.5, None]),
        "runs": COUNT,
        "lowest": ([None, *POSITIVE[0]], POSITIVE[1]),
        "highest": ([None, *POSITIVE[0]], POSITIVE[1]),
        "seed": ([0, 3], [*NUMBERS, -1, 1.5, None]),
        "monitor": METRIC,
        "verbose": FLAG,
    },
    "GreedyRate": {
        "monitor": METRIC,
        "factor": ([0.5, np.float32(0.1)], [*NUMBERS, 0, 1, -0.5, None]),
        "patience": ([0, 3, 2.0], [*NUMBERS, -1, 1.5, None]),
        "min_delta": ([0, 0.5], [*NUMBERS, -1, None]),
        "mode": MODE,
        "cooldown": ([0, 3], [*NUMBERS, -1, 1.5, None]),
        "warmup": ([0, 3], [*NUMBERS, -1, 1.5, None]),
        "min_scale": ([1e-6, 0.5], [*NUMBERS, 0, -1, None]),
        "max_scale": ([1, 4.0], [*NUMBERS, 1e-4, None]),
        "window": ([1, 50, None], [*NUMBERS, 0, 1.5]),
        "reset_after": ([1, 50, None], [*NUMBERS, 0, 1.5]),
        "every": STEPS,
        "verbose": VERBOSE,
        "optimizer": OPTIMIZER,
    },
    "ReduceOnPlateau": {
        "monitor": METRIC,
        "factor": ([0.5, np.float32(0.1)], [*NUMBERS, 0, 1, -0.5, None]),
        "patience": ([0, 3, 2.0], [*NUMBERS, -1, 1.5, None]),
        "min_delta": ([0, 0.5], [*NUMBERS, -1, None]),
        "mode": MODE,
        "cooldown": ([0, 3], [*NUMBERS, -1, 1.5, None]),
        "min_scale": ([0, 0.5], [*NUMBERS, -1, None]),
        "every": STEPS,
        "patience_unit": UNIT,
        "verbose": VERBOSE,
        "optimizer": OPTIMIZER,
    },
    "Resume": {
        "directory": PATH,
        "every": (["epoch", *COUNT[0]], COUNT[1]),
        "minutes": POSITIVE,
        "keep": COUNT,
        "on_error": (["warn", "raise"], ["stop", None, 3]),
        "verbose": VERBOSE,
    },
    "SpikeGuard": {
        "every": COUNT,
        "monitor": METRIC,
        "threshold": POSITIVE,
        "min_ratio": ([1, 2.5], [*NUMBERS, 0.5, None]),
        "window": ([20, 50], [*NUMBERS, 19, 30.5, None]),
        "keep": COUNT,
        "rate_factor": ([0.5, 1], [*NUMBERS, 0, 1.5, None]),
        "max_rollbacks": ([0, 3], [*NUMBERS, -1, 1.5, None]),
        "verbose": VERBOSE,
        "optimizer": OPTIMIZER,
    },
    "TensorBoard": {
        "log_dir": PATH,
        "every": COUNT,
        "statistics_every": STEPS,
        "histograms_every": STEPS,
        "images": FLAG,
        "hparams": (
            [None, {}, {"a": 1, "b": "x", "c": True, "d": np.float32(1)}],
            [[], "a", 3, {1: 2}, {"a": None}, {"a": 1j}, {"a": 10**400}, {"a": b"x"}],
        ),
        "optimizer": OPTIMIZER,
    },
    "Track": {
        "tracker": ([TRACKER], [None, 3, "wandb", object()]),
        "every": COUNT,
        "statistics_every": STEPS,
        "optimizer": OPTIMIZER,
    },
    "Validate": {
        "every": COUNT,
        "data": ([None, (1, 2), "x"], [(), (1, 2, 3, 4)]),
        "name": (["val", "val_b"], ["test", "", "val_", "value", None, 3]),
        "batch_size": STEPS,
        "steps": STEPS,
        "optimizer": OPTIMIZER,
    },
    "TimeStopping": {"seconds": POSITIVE, "verbose": VERBOSE},
    "WeightClipping": {
        **dict.fromkeys(["low", "high"], ([-1.5, 0, np.float32(1)], NUMBERS)),
        **dict.fromkeys(["max_norm", "spectral_norm"], POSITIVE),
        "match": GLOBS,
        "skip": GLOBS,
        "schedule": SCHEDULE,
        "start": ([0, 3], [*NUMBERS, -1, 1.5, None]),
        "stop": STEPS,
        "optimizer": OPTIMIZER,
    },
}
ALL = [(name, argument) for name, of in ARGUMENTS.items() for argument in of]


def make(name, /, **kwargs):
    cls = getattr(callbacks, name)
    if name == "GradientClipping" and not {"value", "norm", "adaptive"} & kwargs.keys():
        kwargs = kwargs if "global_norm" in kwargs else {"norm": 1.0} | kwargs
    if name == "WeightClipping" and not {"low", "max_norm", "high"} & kwargs.keys():
        kwargs = kwargs if "spectral_norm" in kwargs else {"low": 0.0} | kwargs
    return cls(**NEEDED.get(name, {}) | kwargs)


def test_every_argument_is_here():
    for name in PUBLIC:
        parameters = inspect.signature(getattr(callbacks, name)).parameters
        assert list(parameters) == list(ARGUMENTS[name])


@pytest.mark.parametrize(("name", "argument"), ALL)
def test_what_is_legal_is_taken(name, argument):
    for value in ARGUMENTS[name][argument][0]:
        make(name, **{argument: value})


@pytest.mark.parametrize(("name", "argument"), ALL)
def test_everything_else_is_refused_by_its_name(name, argument):
    for value in ARGUMENTS[name][argument][1]:
        with pytest.raises((TypeError, ValueError)) as refused:
            make(name, **{argument: value})
        told = str(refused.value)
        assert f"`{argument}`" in told, value
        assert "Received: " in told, value


# Argument names of Keras and other libraries.


@pytest.mark.parametrize(
    ("name", "argument", "instead"),
    [
        ("AverageModelCheckpoint", "period", "`save_freq`"),
        ("EarlyStopping", "restore_best_weights", "`restore_best`"),
        ("EarlyStopping", "baseline", "`target`"),
        ("GradientClipping", "clipnorm", "`norm`"),
        ("GradientClipping", "global_clipnorm", "`global_norm`"),
        ("GradientSignals", "batch_size", "`micro_batch`"),
        ("GreedyRate", "min_lr", "`min_scale`"),
        ("GreedyRate", "reset_start", "`reset_after`"),
        ("HyperparameterScheduler", "hyperparameter", "`name`"),
        ("Monitor", "freq", "`every`"),
        ("QKClip", "threshold", "`tau`"),
        ("ReduceOnPlateau", "min_lr", "`min_scale`"),
        ("Resume", "backup_dir", "`directory`"),
        ("SpikeGuard", "patience", "`max_rollbacks`"),
        ("TensorBoard", "histogram_freq", "`histograms_every`"),
        ("TensorBoard", "update_freq", "`every`"),
        ("TensorBoard", "write_graph", "leave it out"),
        ("TensorBoard", "write_images", "`images`"),
        ("TensorBoard", "profile_batch", "leave it out"),
        ("TimeStopping", "max_seconds", "`seconds`"),
        ("Validate", "validation_data", "`data`"),
        ("WeightClipping", "min_value", "`low`"),
    ],
)
def test_another_name_of_an_argument_leads_to_ours(name, argument, instead):
    with pytest.raises(TypeError) as refused:
        make(name, **{argument: 1})
    told = str(refused.value)
    assert told.startswith(f"{name} has no argument `{argument}`. ")
    assert f"Received: {argument}=1. " in told
    assert instead in told


def test_hints_name_arguments_that_there_are():
    for name in PUBLIC:
        cls = getattr(callbacks, name)
        parameters = inspect.signature(cls).parameters
        for other, hint in cls.hints.items():
            assert other not in parameters
            written = hint.partition("`")[2].partition("`")[0]
            assert not hint.startswith("Write") or written in parameters, hint


def test_the_nearest_name_is_told():
    with pytest.raises(TypeError, match="Did you mean 'patience'"):
        callbacks.EarlyStopping("loss", patiance=3)
    with pytest.raises(TypeError, match="Monitor takes every, statistics_every in ord"):
        callbacks.Monitor(1, 2, 3)
