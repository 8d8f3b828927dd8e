"""Count the made diseases that `kol.diagnose` names, and the healthy runs it disturbs.

python -m tests.campaign.diagnosis            # held-out kits
python -m tests.campaign.diagnosis --tuning   # kits on which limits were set
python -m tests.campaign.diagnosis --only plateau overfitting
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras

import keras_optlab as kol
from keras_optlab.diagnosis import Diagnosis
from tests.campaign.diseases import DISEASES, NEEDS, probe
from tests.campaign.kits import HELD_OUT, SECOND, TUNING, Kit

PER_DISEASE = 3  # kits


def kits_for(name: str, kits: tuple[Kit, ...]) -> list[Kit]:
    """Return the kits that can have a disease, at most three, in turn."""
    needs = NEEDS[name]
    if kits is HELD_OUT and name.startswith(("rate_too_high", "unscaled_targets")):
        kits = SECOND
    able = [k for k in kits if all(getattr(k, a) == v for a, v in needs.items())]
    shift = list(DISEASES).index(name) % len(able)
    return (able[shift:] + able[:shift])[:PER_DISEASE]


def healthy(kit: Kit, setting: str) -> Iterator[tuple[str, Callable[[], Diagnosis]]]:
    """Yield the readings of a healthy training of a kit, by their descriptions."""
    arguments, epochs, size = SETTINGS[setting]
    made = arguments(kit)
    runs: list[Any] = []

    def run() -> Any:
        if not runs:
            model = kit.model(_optimizer(kit, made))
            runs.append(kit.fit(model, epochs=epochs, size=size))
        return runs[0]

    if setting != "long":
        model = kit.model(_optimizer(kit, made))
        yield f"{setting}, probe before", lambda: probe(kit, model)
    yield f"{setting}, History", lambda: kol.diagnose(run().history)
    yield f"{setting}, Monitor", lambda: kol.diagnose(run().monitor)
    if setting == "plain":
        yield f"{setting}, probe afterwards", lambda: probe(kit, run().model)


def _optimizer(kit: Kit, made: dict[str, Any]) -> Any:
    return kit.optimizer(**{k: v() if callable(v) else v for k, v in made.items()})


def _scheduled(kit: Kit) -> dict[str, Any]:
    steps = 8 * -(-1500 // kit.batch_size)
    if kit.ours:
        return {
            "factor": lambda: kol.schedules.Warmup(kol.schedules.Cosine(kit.rate), 20)
        }
    schedule = keras.optimizers.schedules.CosineDecay
    return {
        "factor": lambda: schedule(
            kit.rate / 10, steps, warmup_target=kit.rate, warmup_steps=20
        )
    }


# Arguments of the optimizer, epochs and examples of healthy trainings.
SETTINGS: dict[str, tuple[Callable[[Kit], dict[str, Any]], int, int]] = {
    "plain": (lambda kit: {}, 8, 1500),
    "schedule": (_scheduled, 8, 1500),
    "long": (lambda kit: {"factor": 0.3, "global_clipnorm": 2.0}, 14, 3000),
}


def cases(
    kits: tuple[Kit, ...], only: list[str]
) -> Iterator[tuple[str, str, Kit, Any]]:
    """Yield the rule that is expected (`""`: none), what is run, kit and reading.

    The first kit of every disease comes first, then the healthy runs.
    """

    def ill(turns: range) -> Iterator[tuple[str, str, Kit, Any]]:
        for i in turns:
            for name, make in DISEASES.items():
                rule = name.partition(" ")[0]
                for kit in kits_for(name, kits)[i : i + 1]:
                    if not only or rule in only:
                        yield rule, name, kit, lambda m=make, k=kit: m(k)

    yield from ill(range(1))
    for setting in SETTINGS:
        for kit in kits if not only or "healthy" in only else ():
            for name, reading in healthy(kit, setting):
                yield "", name, kit, reading
    yield from ill(range(1, PER_DISEASE))


def main(arguments: list[str]) -> int:
    """Run all cases, print a line for each, and both counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tuning", action="store_true")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args(arguments)
    named = made = silent = sound = 0
    missed: dict[str, list[str]] = {}
    for rule, what, kit, reading in cases(
        TUNING if given.tuning else HELD_OUT, given.only
    ):
        start = time.time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = reading()
                rules = found.rules
            except Exception:
                traceback.print_exc()
                found, rules = None, ["failed"]
        keras.utils.clear_session()
        right = rule in rules if rule else not rules
        made, named = made + bool(rule), named + (bool(rule) and right)
        sound, silent = sound + (not rule), silent + (not rule and right)
        if not right:
            missed.setdefault(rule or "healthy", []).append(f"{what}: {kit}")
        mark = "   " if right else "!! "
        print(
            f"{mark}{rule or 'healthy'}: {what} ({kit}): {', '.join(rules) or '-'} "
            f"[{time.time() - start:.1f} s]",
            flush=True,
        )
        if given.verbose or (not right and found is not None):
            print(found, flush=True)
    print(
        f"named {named} of {made} made diseases; silent on {silent} of {sound} readings"
    )
    print(f"rules with a miss: {missed or 'none'}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
