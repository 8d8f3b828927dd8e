"""Trials that are computed, not trained."""

import math

from keras_optlab.lab.problems import Data, Problem, Target


def a_problem(**changes):
    """Return a problem of 100 updates that is never trained."""
    import numpy as np

    x = np.zeros((100, 1), "float32")
    fields = {"target": Target("loss", 0.1), "batch_size": 10, "epochs": 10}
    data = Data((x, x), (x, x), (x, x))
    return Problem(lambda: None, data, "mse", **(fields | changes))


def computed(trial, report=None):
    """Return a record whose loss is lowest at a rate of 0.01."""
    rate = trial.setting.arguments.get("learning_rate", 1.0)
    noise = 0.01 * math.sin(37 * trial.seed + 11 * rate)
    value = 0.05 * (1 + math.log10(rate / 0.01) ** 2 + noise)
    if trial.setting.optimizer == "sgd":
        value *= 3
    updates = round(100 * trial.setting.length)
    curve = {"updates": [updates // 2, updates], "loss": [2 * value, value]}
    pruned = report is not None and report(updates // 2, 0.1, 2 * value)
    reached = value <= 0.1
    return trial.as_dict() | {
        "status": "pruned" if pruned else "complete",
        "value": value,
        "reached": {"updates": updates, "seconds": updates / 10} if reached else None,
        "updates": updates,
        "planned": updates,
        "seconds": updates / 10,
        "step_seconds": 0.1,
        "first_seconds": 1.0,
        "total_seconds": 2.0,
        "curve": curve | {"train_loss": [1.0, 1.0], "seconds": [0.1, 0.2]},
        "parameters": 10,
        "optimizer_bytes": 80,
    }
