"""Studies with made-up numbers, written as a study writes them: no training."""

import zlib

import numpy as np

from keras_optlab.lab import Candidate, Comparison
from keras_optlab.lab.points import points
from keras_optlab.lab.studies import Study
from keras_optlab.lab.trials import Trial

OPTIMIZERS = ("sgd", "adam", "adamw", "lion", "muon", "prodigy", "schedulefreeadamw")
UPDATES, EVERY = 469, 10
# How much faster than the slowest, and milliseconds of an update.
SPEED = {"sgd": 1.0, "adam": 1.9, "adamw": 2.0, "lion": 1.8, "muon": 5.5}
STEP = {"sgd": 4.5, "adam": 6.0, "muon": 31.0, "prodigy": 11.0}
MEGABYTES = {"sgd": 2.7, "adam": 5.4, "lion": 2.7, "muon": 2.9, "prodigy": 10.7}


def write_study(
    folder,
    optimizers=OPTIMIZERS,
    trials=12,
    seeds=3,
    *,
    kind="compare",
    metric="accuracy",
    target=0.98,
    objective=None,
    change=None,
    stop_after=None,
):
    """Write a study of an invented problem; return its `Comparison`.

    `change(record)` may alter a record, or return `False` to leave it out.
    """
    objective = objective or ("updates" if target else "final")
    fixed = {"length": 1.0}  # all trainings are equally long
    candidates = [
        Candidate(c.optimizer, {**c.fixed, **fixed}, label=c.label)
        for c in map(Candidate.parse, optimizers)
    ]
    config = _config(candidates, trials, seeds, metric, target, objective)
    study = Study(folder, config | {"kind": kind})
    random = np.random.default_rng(0)
    records = []
    for candidate in candidates:
        records += _records(candidate, study.config, random)
    by_phase = sorted(
        records, key=lambda r: ("search", "confirm", "final").index(r["purpose"])
    )
    engine = {"engine": "processes", "workers": 2, "threads": 1}
    with study.opened(engine):
        for record in by_phase[:stop_after]:
            if change is None or change(record) is not False:
                study.records.add(record)
    return Comparison(study)


def _config(candidates, trials, seeds, metric, target, objective):
    return {
        "kind": "compare",
        "problem": "mnist-mlp",
        "changes": {"epochs": 1},
        "problem_facts": {
            "summary": "MNIST, a perceptron of 784-512-512-10 (invented numbers).",
            "monitor": metric,
            "mode": "max" if metric == "accuracy" else "min",
            "target": target
            and {
                "metric": metric,
                "value": target,
                "mode": "max" if metric == "accuracy" else "min",
            },
            "updates": UPDATES,
            "batch_size": 128,
            "rows": 50_000,
            "test_rows": 10_000,
        },
        "optimizers": [
            {
                "label": c.label,
                "optimizer": c.optimizer,
                "fixed": dict(c.fixed),
                "space": {},
            }
            for c in candidates
        ],
        "trials": trials,
        "seeds": seeds,
        "objective": objective,
        "devices": 1,
        "seed": 0,
    }


def _records(candidate, config, random):
    domains = candidate.domains(with_length=config["objective"] != "final")
    seed = zlib.crc32(candidate.label.encode())
    found = points(domains, config["trials"], seed)
    settings = [candidate.at(point, domains) for point in found]
    best = 10 ** random.normal(-2.3, 0.4)
    rate = domains.get("learning_rate")
    best = rate.at(random.uniform(0.4, 0.7)) if rate else best

    def run(index, seed, purpose):
        trial = Trial(
            "mnist-mlp", candidate.label, settings[index], index, seed, purpose
        )
        return trial.as_dict() | _result(trial, best, config, random)

    found = [run(i, 0, "search") for i in range(len(settings)) if len(settings) > 1]
    ranked = sorted(range(len(found)), key=lambda i: _order(found[i], config))
    for i in ranked[:3] if config["seeds"] > 1 else []:
        found += [run(i, seed, "confirm") for seed in (1, 2)]
    chosen = ranked[0] if ranked else 0
    return found + [run(chosen, 1000 + s, "final") for s in range(config["seeds"])]


def _order(record, config):
    if record["reached"] and config["objective"] != "final":
        return 0, record["reached"][config["objective"]]
    value = record["value"]
    return 1, 9.0 if value is None else -value if config["problem_facts"][
        "mode"
    ] == "max" else value


def _result(trial, best, config, random):
    rate = trial.setting.arguments.get("learning_rate", best)
    away = max(0.0, abs(np.log10(rate / best)) - 0.35)  # a plateau of good rates
    speed = SPEED.get(trial.label, 2.5) / (1 + 2.5 * away**1.5)
    if rate > 8 * best:
        return {
            "status": "diverged",
            "value": None,
            "reached": None,
            "updates": 12,
            "seconds": 0.2,
            "step_seconds": 0.01,
            "first_seconds": 1.9,
            "curve": {},
            "parameters": 669_706,
            "optimizer_bytes": 5_400_000,
            "total_seconds": 4.0,
        }
    length = max(20, round(UPDATES * trial.setting.length))
    updates = np.unique([*range(EVERY, length + 1, EVERY), length])
    step = STEP.get(trial.label, 7.0) * 1e-3 * random.lognormal(0, 0.06)
    loss = 2.3 * (1 + speed * updates / 10) ** -1.1
    loss = (
        loss * random.lognormal(0, 0.04) * random.lognormal(0, 0.04, len(updates))
        + 0.012
    )
    target = config["problem_facts"]["target"]
    metric = config["problem_facts"]["monitor"]
    accuracy = np.round(1 - 0.3 * loss**1.0, 4)
    values = accuracy if metric == "accuracy" else loss
    reached = None
    if target:
        hit = (
            values >= target["value"]
            if metric == "accuracy"
            else values <= target["value"]
        )
        if hit.any():
            n = int(updates[hit.argmax()])
            reached = {"updates": n, "seconds": round(n * step, 4)}
    curve = {
        "updates": updates,
        "seconds": updates * step,
        "train_loss": loss * 0.9,
        "loss": loss,
        metric: values,
    }
    return {
        "status": "complete",
        "value": float(values[-1]),
        "reached": reached,
        "updates": length,
        "seconds": round(length * step, 4),
        "step_seconds": round(step, 7),
        "first_seconds": round(random.uniform(1.5, 3), 3),
        "curve": {k: [round(float(x), 6) for x in v] for k, v in curve.items()},
        "parameters": 669_706,
        "optimizer_bytes": int(MEGABYTES.get(trial.label, 5.4) * 1e6),
        "total_seconds": round(length * step + 3.5, 3),
    }
