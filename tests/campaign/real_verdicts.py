"""Verdicts of real studies whose truth is known.

    python -m tests.campaign.real_verdicts --studies 20

On `quadratic-100`: Adam against Adam under another name, where any verdict is false,
and Adam at the rate found there against Adam at 0.03 of it, which must be named.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from keras_optlab import lab

TRIALS, SEEDS, EPOCHS = 12, 5, 2


def same(folder, seed):
    """Return a study of Adam against Adam."""
    return compare(["adam", lab.Candidate("adam", label="adam again")], folder, seed)


def slow(folder, seed, setting):
    """Return the verdict on Adam with a setting against Adam at 0.03 of its rate."""
    rate = setting.arguments["learning_rate"]
    pair = [at(setting, rate, "found"), at(setting, 0.03 * rate, "low")]
    return compare(pair, folder, seed).judge().verdict("found", "low").outcome


def at(setting, rate, label):
    """Return Adam with a setting, but another rate; nothing is searched."""
    fixed = {**setting.arguments, "learning_rate": rate, "schedule": setting.schedule}
    return lab.Candidate("adam", fixed, label=label)


def compare(candidates, folder, seed):
    how = {"trials": TRIALS, "seeds": SEEDS, "epochs": EPOCHS, "objective": "final"}
    return lab.compare("quadratic-100", candidates, folder=folder, seed=seed, **how)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=20)
    options = parser.parse_args()
    false = found = 0
    for number in range(options.studies):
        with tempfile.TemporaryDirectory() as place:
            seed = 100_000 * number
            twins = same(Path(place, "same"), seed)
            false += twins.judge().pairs[0].outcome != "not distinguishable"
            found += slow(Path(place, "slow"), seed, twins.settings["adam"]) == "better"
        print(
            f"{number + 1} studies: {false} false verdicts, {found} true ones",
            flush=True,
        )
    return int(false > 0.1 * options.studies or found < 0.9 * options.studies)


if __name__ == "__main__":
    sys.exit(main())
