"""Extreme numbers: each rule on weights, gradients and step counts at the limits.

    python -m tests.campaign.numbers
    python -m tests.campaign.numbers --only adam muon --cases huge

In each case a rule takes some compiled steps. Then all weights are finite, and those
with a normal gradient have moved; or the optimizer has skipped the steps and counts
them; or an error with `Received` came before the first.
"""

from __future__ import annotations

import argparse
import collections
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab import optimizers
from keras_optlab.engine.backend.variables import read
from keras_optlab.verify.problems import compiled, values, variables
from tests.campaign.random.draw import Draw

BACKEND = keras.backend.backend()
RANDOM = np.random.default_rng(0)
RANKS = [(), (3,), (2, 3), (2, 3, 2), (2, 1, 3, 2), (2, 1, 2, 1, 3)]
SIZES = [(0,), (0, 3), (1,), (1, 1), (4,)]
SMALL = [(4, 3), (3,)]
ZEROS = 1000  # steps with gradients of zero

Arrays = list[np.ndarray]


def trained(
    optimizer: Any,
    shapes: list[tuple[int, ...]],
    gradients: list[float],
    dtype: str = "float32",
    count: int = 0,
) -> tuple[Arrays, Arrays]:
    """Return the weights before and after steps with gradients of these sizes.

    With a `count`, all steps but two come after so many.
    """
    start = [np.asarray(0.1 * RANDOM.normal(size=s), "float32") for s in shapes]
    ws = variables(start, dtype)
    optimizer.build(ws)
    step, before = compiled(optimizer, ws), values(ws)
    draws = [np.asarray(RANDOM.normal(size=s)) for s in shapes]
    for i, size in enumerate(gradients):
        if i == 2 and count:
            for counter in optimizer.iterations, optimizer.updates:
                counter.assign(ops.cast(count, counter.dtype))
            before = values(ws)
        step([ops.convert_to_tensor(np.asarray(size * g, dtype)) for g in draws])
    return before, values(ws)


CASES: dict[str, tuple[Callable[[Any], tuple[Arrays, Arrays]], bool]] = {
    # name: the steps, and whether weights must move
    "ranks": (lambda o: trained(o, RANKS, [1.0] * 3), True),
    "sizes": (lambda o: trained(o, SIZES, [1.0] * 3), True),
    "a million": (lambda o: trained(o, [(1000, 1000)], [1.0] * 2), True),
    "float16": (lambda o: trained(o, SMALL, [1.0] * 3, "float16"), False),
    "bfloat16": (lambda o: trained(o, SMALL, [1.0] * 3, "bfloat16"), False),
    "float64": (lambda o: trained(o, SMALL, [1.0] * 3, "float64"), True),
    "1e-30": (lambda o: trained(o, SMALL, [1e-30] * 3), False),
    "1e30": (lambda o: trained(o, SMALL, [1e30] * 3), False),
    "1e30, then 1": (lambda o: trained(o, SMALL, [1e30] * 2 + [1.0] * 3), True),
    "denormal": (lambda o: trained(o, SMALL, [1e-40] * 3), False),
    "zeros, then 1": (lambda o: trained(o, SMALL, [0.0] * ZEROS + [1.0] * 3), True),
    "1e-30, then 1": (lambda o: trained(o, SMALL, [1e-30] * 20 + [1.0] * 3), True),
    "2**24 steps": (lambda o: trained(o, SMALL, [1.0] * 5, count=2**24 - 2), True),
}
if BACKEND == "tensorflow":  # the others count in int32
    count = 2**31 - 2
    CASES["2**31 steps"] = (lambda o: trained(o, SMALL, [1.0] * 5, count=count), True)


def outcome(name: str, case: str) -> str:
    """Return `finite`, `skipped` or `refused`, or what is wrong."""
    optimizer = optimizers.create(name)
    steps, moves = CASES[case]
    try:
        before, after = steps(optimizer)
    except Exception as error:  # noqa: BLE001  # any failure is judged
        kind = type(error).__name__
        return "refused" if "Received" in str(error) else f"{kind}: {error}"[:300]
    if not all(np.isfinite(w).all() for w in after):
        return "weights that are not finite"
    still = [
        i
        for i, (a, b) in enumerate(zip(before, after, strict=True))
        if a.size and np.array_equal(a, b)
    ]
    if moves and still:
        return f"weights {still} did not move"
    return "skipped" if int(read(optimizer.skipped_steps)) else "finite"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", help="rules", default=optimizers.names())
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--minutes", type=float, help="start no more after this time")
    parser.add_argument("--first", type=int, default=0, help="of the order of rules")
    args = parser.parse_args()
    ends: collections.Counter[str] = collections.Counter()
    begin = time.monotonic()
    for name in Draw(args.first).shuffled(args.only):
        for case in args.cases:
            if args.minutes and time.monotonic() - begin > 60 * args.minutes:
                break
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                end = outcome(name, case)
            known = end in ("finite", "skipped", "refused")
            ends[f"{case}: {end}" if known else "faults"] += 1
            if not known:
                print(f"{name}, {case}: {end}", flush=True)
        keras.backend.clear_session()
    for text, times in sorted(ends.items()):
        print(f"{text:30} {times}")
    sys.exit(bool(ends["faults"]))


if __name__ == "__main__":
    main()
