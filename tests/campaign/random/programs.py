"""Random programs: a model, its optimizer, data, callbacks, and how they run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_optlab as kol
from tests.campaign.random.draw import Draw
from tests.campaign.random.models import BACKEND, DRAWN, MODELS, ROWS
from tests.campaign.random.optimizers import build_optimizer, draw_optimizer

Program = dict[str, Any]

EPOCHS = 3
POLICIES = 6 * ("float32",) + ("mixed_bfloat16", "bfloat16", "mixed_float16")
DATA = "arrays", "arrays", "known length", "unknown length", "generator", "py dataset"
CALLBACKS: dict[str, dict[str, Any]] = {
    "BatchRamp": {"schedule": True},
    "EarlyStopping": {"patience": 2, "monitor": "loss"},
    "GradientClipping": {"global_norm": 1.0},
    "GradientSignals": {"every": 3, "data": True, "examples": 16, "micro_batch": 4},
    "GradualUnfreezing": {"every": 1},
    "GreedyRate": {"monitor": "loss", "patience": 1, "every": 2},
    "HyperparameterScheduler": {"name": "weight_decay", "schedule": True},
    "Monitor": {"every": 2, "statistics_every": 2},
    "QKClip": {"tau": 0.5},
    "ReduceOnPlateau": {"monitor": "loss", "patience": 1, "min_delta": 0.1},
    "Resume": {"directory": "checkpoints", "every": 3, "verbose": 0},
    "SpikeGuard": {"every": 2, "window": 20, "verbose": 0},
    "TensorBoard": {"log_dir": "logs", "every": 2, "histograms_every": 3},
    "TimeStopping": {"seconds": 1000},
    "Validate": {"every": 3, "data": True, "batch_size": 16},
    "WeightClipping": {"max_norm": 3.0},
    "keras.CSVLogger": {"filename": "log.csv"},
    "keras.EarlyStopping": {"monitor": "loss", "restore_best_weights": True},
    "keras.LearningRateScheduler": {"schedule": True},
    "keras.ModelCheckpoint": {"filepath": "best.keras"},
    "keras.ReduceLROnPlateau": {"monitor": "loss", "patience": 1},
    "keras.TerminateOnNaN": {},
}


SETTERS = {"BatchRamp", "keras.LearningRateScheduler", "keras.ReduceLROnPlateau"}
DRIVERS = SETTERS | {"GreedyRate", "ReduceOnPlateau", "SpikeGuard"}  # of the rate


def draw_program(seed: int) -> Program:
    """Return the program of a seed."""
    draw = Draw(seed)
    batch = draw.one((8, 13, 16))
    how: dict[str, Any] = {}
    if BACKEND != "torch" and draw.chance(0.25):
        how["steps_per_execution"] = draw.one((2, 3))
    if draw.chance(0.15):
        how["run_eagerly"] = True
    elif BACKEND == "tensorflow" and draw.chance(0.1):
        how["jit_compile"] = True
    model, policy = draw.one(DRAWN), draw.one(POLICIES)
    if (model, policy) == ("recurrent", "bfloat16"):
        policy = "mixed_bfloat16"  # Keras cannot make orthogonal weights in bfloat16
    if BACKEND == "jax" and (model, policy) == ("attention", "mixed_float16"):
        policy = "mixed_bfloat16"  # XLA has no float16 attention on a CPU
    optimizer = draw_optimizer(draw)
    return {
        "seed": seed,
        "model": model,
        "policy": policy,
        "optimizer": optimizer,
        "data": draw.one(DATA),
        "batch": batch,
        "compile": how,
        "callbacks": _draw_callbacks(draw, model, optimizer),
        "validation": draw.chance(0.4),
    }


def _draw_callbacks(draw: Draw, model: str, optimizer: Any) -> list[str]:
    """Return up to three names; seldom some that this package refuses together."""
    names = draw.some(CALLBACKS, 3)
    if draw.chance(0.1):
        return names
    drivers = [name for name in names if name in DRIVERS]
    refused = set(drivers[1:])
    while "inner" in optimizer:
        optimizer = optimizer["inner"]
    if isinstance(optimizer["arguments"].get("learning_rate"), dict):
        refused |= SETTERS
    if model != "attention":
        refused.add("QKClip")
    return [name for name in names if name not in refused]


class Batches(keras.utils.PyDataset):
    """Batches by index."""

    def __init__(self, x: Any, y: Any, batch: int) -> None:
        super().__init__(workers=2, use_multiprocessing=False)
        self.parts = list(parts(x, y, batch))

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, i: int) -> Any:
        return self.parts[i]


def parts(x: Any, y: Any, batch: int) -> Iterator[Any]:
    """Yield the batches of arrays, or of dictionaries of arrays."""
    for start in range(0, ROWS, batch):
        rows = slice(start, start + batch)
        yield keras.tree.map_structure(lambda a, rows=rows: a[rows], (x, y))


def fit_arguments(program: Program, x: Any, y: Any) -> dict[str, Any]:
    """Return the data as arguments of `fit`."""
    kind, batch = program["data"], program["batch"]
    if kind == "arrays":
        return {"x": x, "y": y, "batch_size": batch, "shuffle": False}
    if kind == "py dataset":
        return {"x": Batches(x, y, batch), "shuffle": False}
    if kind == "generator":

        def endless() -> Iterator[Any]:
            while True:
                yield from parts(x, y, batch)

        return {"x": endless(), "steps_per_epoch": math.ceil(ROWS / batch)}
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch)
    if kind == "unknown length":
        data = data.filter(lambda *_: True)
    return {"x": data}


def build(program: Program) -> tuple[Any, Any, Any]:
    """Return the compiled model with its data."""
    keras.utils.set_random_seed(program["seed"])
    keras.config.set_dtype_policy(program["policy"])
    try:
        model, x, y, loss = MODELS[program["model"]]()
    finally:
        keras.config.set_dtype_policy("float32")
    optimizer = build_optimizer(program["optimizer"])
    if program["policy"] == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, loss, **program["compile"])
    return model, x, y


def build_callbacks(program: Program, folder: Path, x: Any, y: Any) -> list[Any]:
    """Return the callbacks, which write into a folder."""
    return [_callback(name, folder, x, y) for name in program["callbacks"]]


def train(program: Program, model: Any, x: Any, y: Any, callbacks: list[Any]) -> Any:
    """Run `fit`; return its history."""
    validation = {}
    if program["validation"]:
        validation = {"validation_data": (x, y), "validation_batch_size": 32}
    keras.utils.set_random_seed(program["seed"] + 1)
    return model.fit(
        **fit_arguments(program, x, y),
        **validation,
        epochs=EPOCHS,
        verbose=0,
        callbacks=callbacks,
    )


def loss_of(model: Any, x: Any, y: Any) -> float:
    """Return the loss on all data."""
    result = model.evaluate(x, y, batch_size=32, verbose=0, return_dict=True)
    return float(result["loss"])


def _callback(name: str, folder: Path, x: Any, y: Any) -> Any:
    arguments = dict(CALLBACKS[name])
    for key in "directory", "log_dir", "filename", "filepath":
        if key in arguments:
            arguments[key] = str(folder / arguments[key])
    if "data" in arguments:
        arguments["data"] = (x, y)
    if name.startswith("keras."):
        if "schedule" in arguments:
            arguments["schedule"] = lambda epoch, rate: rate * 0.9  # noqa: ARG005
        return getattr(keras.callbacks, name.removeprefix("keras."))(**arguments)
    if "schedule" in arguments:
        start, end = (1, 3) if name == "BatchRamp" else (0.01, 0.001)
        arguments["schedule"] = kol.schedules.Linear(start, 10, end)
    return getattr(kol.callbacks, name)(**arguments)


def weights_of(model: Any) -> list[np.ndarray]:
    """Return the weights, those for evaluation where there are two sets."""
    return [np.asarray(w, "float64") for w in model.get_weights()]
