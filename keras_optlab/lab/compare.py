"""`compare`: which optimizer is best, each tuned with the same budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_optlab.core.arguments import optional_function
from keras_optlab.lab.comparison import Comparison
from keras_optlab.lab.engines import Engine, Running, make_engine
from keras_optlab.lab.phases import Plan
from keras_optlab.lab.preparation import Progress, prepared
from keras_optlab.lab.studies import Study
from keras_optlab.lab.trials import run_trial


def compare(
    problem: Any,
    optimizers: Sequence[Any],
    *,
    data: Any = None,
    trials: int = 12,
    seeds: int = 5,
    epochs: float | None = None,
    target: float | None = None,
    objective: str | None = None,
    folder: str | Path | None = None,
    engine: str | Engine = "processes",
    workers: int | None = None,
    address: str | None = None,
    devices: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Compare optimizers on a problem, each tuned with the same number of trials.

    1. *Search*: for each optimizer, `trials` settings of its declared space are trained
       once and evaluated on the validation data.
    2. *Confirmation*: its best three settings are trained with two more seeds. The one
       with the best mean is chosen. With `seeds=1`, which can judge nothing, the best
       of the search is.
    3. *Final*: the chosen setting is trained with fresh seeds and evaluated on the test
       data. Only these results are compared.

    A study that was ended, by Ctrl-C or a crash, goes on if called again with the same
    arguments. An error of a trial is recorded, and the study goes on.

    Args:
        problem: Name of a problem, `"module:function"`, `"file.py"`, a `Problem`, or a
            function that returns a new compiled model.
        optimizers: What to compare: names like `"adamw"`, `"ema(adamw)"`,
            `"adam(learning_rate=0.001)"`, `"keras.adam"`, or `Candidate`s.
        data: With a function that returns a model: `Data`, or `(x, y)`, which is split.
        trials: Settings tried for each optimizer; integer >= 1.
        seeds: Fresh seeds of the chosen setting; integer >= 1.
        epochs: Length of a training, if not that of the problem; > 0.
        target: Value of the target, if not that of the problem.
        objective: By what settings are chosen: `"updates"` or `"seconds"` to the
            target, or the `"final"` value. `None` is `"updates"` where the problem has
            a target.
        folder: Where to keep the study. `None` is `studies/<problem>`. A study that is
            there goes on with the same arguments, or with further optimizers.
        engine: `"processes"` of this machine, `"here"` in this process, `"ray"`, or an
            `Engine`.
        workers: Trials at once; integer >= 1. `None` is the number of cores.
        address: Address of a Ray cluster.
        devices: Devices that share each batch; integer >= 1.
        seed: First seed; integer >= 0.
        progress: Called after each trial with its record, the number of trials that are
            done, and that of all.

    Returns:
        A `Comparison`.

    Raises:
        TypeError: if an argument has a wrong type.
        ValueError: if an argument is out of range, or the folder has another study.
        RuntimeError: if another process works on the study, or all trials fail.
        OSError: if a record cannot be written. The others are not lost.

    Example:
        >>> from keras_optlab import lab
        >>> result = lab.compare(  # doctest: +SKIP
        ...     "mnist-mlp", ["sgd", "adam", "muon"], trials=6, seeds=3)
        >>> print(result)  # doctest: +SKIP
    """
    optional_function("progress", progress)
    plan, study = prepared(
        "compare",
        problem,
        optimizers,
        data,
        folder,
        {"epochs": epochs, "target": target},
        objective,
        {"trials": trials, "seeds": seeds, "devices": devices, "seed": seed},
    )
    run(plan, study, make_engine(engine, workers, address), progress)
    return Comparison(study)


def run(plan: Plan, study: Study, engine: Engine, progress: Progress | None) -> None:
    """Run the trials of a plan that have no record."""
    with study.opened(engine.description):
        total = plan.total()

        def keep(record: dict[str, Any]) -> None:
            study.records.add(record)
            if progress is not None:
                progress(record, len(study.records), total)

        for phase in range(len(plan.phases)):
            running = Running(engine, run_trial, keep)
            running.run(plan.missing(phase, study.records))
            study.check_progress()
