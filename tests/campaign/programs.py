"""Random programs: each trains sanely, or is refused before it trains.

    python -m tests.campaign.programs --count 3000 --first 0
    python -m tests.campaign.programs --seeds 17 42 --show

A program is drawn from its seed: a model, an optimizer in up to two wrappers with any
arguments, schedules, groups and transforms, a dtype policy, data, callbacks, and how
the step runs. It ends in one of these ways:

- `sane`: all weights are finite, and the loss is below that of the untrained model, or
  within ten times that of plain SGD. Or they are not, and a warning of this package
  said so.
- `refused`: an error of this package before the first update, with `Received`.
- `fault`: anything else.

Processes train 40 programs each, since compiled steps stay in memory. A process that
dies is a fault of the program it was at.
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
IN_ONE_PROCESS = 40


def outcome(program: dict[str, Any]) -> dict[str, Any]:
    """Run a program; return how it ended."""
    import keras

    from tests.campaign.random.programs import build, build_callbacks, loss_of, train

    began = []
    notice = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: began.append(True)  # noqa: ARG005
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(record=True) as said,
    ):
        warnings.simplefilter("always")
        try:
            model, x, y = build(program)
            callbacks = build_callbacks(program, Path(folder), x, y)
            train(program, model, x, y, [*callbacks, notice])
            final = loss_of(model, x, y)
        except Exception as error:  # noqa: BLE001  # any failure is judged
            return judged_error(error, bool(began))
    return judged(program, model, final, warned=[w for w in said if is_ours(w)])


def judged_error(error: Exception, began: bool) -> dict[str, Any]:
    """Return whether an error is a refusal by this package, before training."""
    last = traceback.extract_tb(error.__traceback__)
    ours = any("keras_optlab" in frame.filename for frame in last)
    text = f"{type(error).__name__}: {error}"
    if ours and "Received" in text and not began:
        return {"end": "refused", "text": text}
    kind = "a late refusal" if ours and "Received" in text else "an error"
    trace = "".join(traceback.format_exception(error)[-6:])
    return {"end": "fault", "text": f"{kind}: {text}", "trace": trace}


def is_ours(warning: Any) -> bool:
    return "keras_optlab" in warning.filename or "kipped" in str(warning.message)


def judged(
    program: dict[str, Any], model: Any, final: float, warned: list[Any]
) -> dict[str, Any]:
    """Return whether a program that ran to its end has trained sanely."""
    import numpy as np

    from tests.campaign.random.programs import weights_of

    untrained, by_sgd = reference(program["model"])
    finite = all(np.isfinite(w).all() for w in weights_of(model))
    figures = {"loss": final, "untrained": untrained, "sgd": by_sgd}
    if finite and (final < untrained or final <= 10 * by_sgd):
        return {"end": "sane", **figures}
    if warned:
        texts = [str(w.message)[:200] for w in warned]
        return {"end": "sane", "warned": texts, **figures}
    text = "the loss" if finite else "weights that are not finite"
    return {"end": "fault", "text": f"{text}: {figures}", **figures}


@functools.cache
def reference(name: str) -> tuple[float, float]:
    """Return a model's loss before training, and after training by Keras' SGD."""
    import keras

    from tests.campaign.random.models import MODELS
    from tests.campaign.random.programs import EPOCHS, loss_of

    keras.utils.set_random_seed(0)
    model, x, y, loss = MODELS[name]()
    model.compile(keras.optimizers.SGD(0.01), loss)
    untrained = loss_of(model, x, y)
    model.fit(x, y, batch_size=16, epochs=EPOCHS, verbose=0)
    return untrained, loss_of(model, x, y)


def work(seeds: list[int], path: Path, seconds: float) -> None:
    """Run programs in this process for some seconds; write a line for each."""
    from tests.campaign.random.optimizers import described
    from tests.campaign.random.programs import draw_program

    until = time.monotonic() + seconds
    with path.open("a") as file:
        for seed in seeds:
            if time.monotonic() > until:
                break
            print(json.dumps({"seed": seed, "begins": True}), file=file, flush=True)
            program = draw_program(seed)
            call = described(program["optimizer"])
            rest = {k: v for k, v in program.items() if k != "optimizer"}
            line = {"program": rest, "optimizer": call}
            start = time.perf_counter()
            end = outcome(program)
            seconds = round(time.perf_counter() - start, 2)
            text = json.dumps({"seed": seed, **end, **line, "seconds": seconds})
            print(text, file=file, flush=True)


def results_of(path: Path) -> dict[int, dict[str, Any]]:
    """Return the last line of each seed."""
    if not path.exists():
        return {}
    lines = [json.loads(x) for x in path.read_text().splitlines()]
    return {line["seed"]: line for line in lines}


def run(
    seeds: list[int], path: Path, minutes: float | None, workers: int
) -> dict[int, dict[str, Any]]:
    """Run programs in processes of their own; return their results by seed.

    Seeds that the file has are not run again.
    """
    until = time.monotonic() + 60 * minutes if minutes else float("inf")
    left = [seed for seed in seeds if seed not in results_of(path)]
    running: dict[subprocess.Popen[bytes], list[int]] = {}
    while left or running:
        while left and len(running) < workers and time.monotonic() < until:
            some, left = left[:IN_ONE_PROCESS], left[IN_ONE_PROCESS:]
            running[_started(some, path, until - time.monotonic())] = some
        if time.monotonic() >= until:
            left = []
        for process in [p for p in running if p.poll() is not None]:
            some = running.pop(process)
            left = _after_death(process, some, path) + left
        time.sleep(0.2)
    return results_of(path)


def _started(seeds: list[int], path: Path, seconds: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.campaign.programs", "--work", str(path)]
    command += ["--seconds", str(seconds), "--seeds", *map(str, seeds)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with path.with_suffix(".txt").open("ab") as output:
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output
        )


def _after_death(process: Any, seeds: list[int], path: Path) -> list[int]:
    """Return the seeds that a process left; note at which one it died, if it did."""
    if process.returncode == 0:
        return []
    done = results_of(path)
    died = [s for s in seeds if done.get(s, {}).get("begins")]
    with path.open("a") as file:
        for seed in died:
            text = f"the process ended with {process.returncode}"
            print(json.dumps({"seed": seed, "end": "fault", "text": text}), file=file)
    return [s for s in seeds if s not in done]


def report(results: dict[int, dict[str, Any]]) -> bool:
    """Print how the programs ended, and all faults; return whether there are none."""
    ends = collections.Counter(r["end"] for r in results.values() if "end" in r)
    for seed, result in sorted(results.items()):
        if result.get("end") == "fault":
            print(f"\nseed {seed}: {result['text'][:400]}\n  {result.get('program')}")
            print(f"  {result.get('optimizer')}")
    warned = sum("warned" in r for r in results.values())
    print(f"\n{dict(ends)}, of the sane ones {warned} with a warning")
    return not ends["fault"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, nargs="+", help="only these")
    parser.add_argument("--minutes", type=float, help="start no more after this time")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--file", type=Path, help="of the results; to go on with")
    parser.add_argument("--show", action="store_true", help="run here, print all")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    seeds = args.seeds or list(range(args.first, args.first + args.count))
    if args.work:
        work(seeds, args.work, args.seconds)
        return
    if args.show:
        from tests.campaign.random.programs import draw_program

        for seed in seeds:
            program = draw_program(seed)
            print(json.dumps(program, indent=1))
            print(outcome(program))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = args.file or Path(folder) / "results.jsonl"
        results = run(seeds, path, args.minutes, args.workers)
    sys.exit(not report({s: results[s] for s in seeds if s in results}))


if __name__ == "__main__":
    main()
