"""Verdicts of real studies whose truth is known.

    python -m tests.campaign.real_verdicts --studies 20

On `quadratic-100`: Adam against Adam under another name, where any verdict is false,
and Adam at its tuned rate against Adam at 0.03 of it, which must be named.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from keras_optlab import lab

TRIALS, SEEDS = 6, 5


def same(folder, seed):
    """Return whether Adam was told from itself."""
    twins = [lab.Candidate("adam"), lab.Candidate("adam", label="adam again")]
    found = compare(twins, folder, seed)
    return found.judge().pairs[0].outcome != "not distinguishable"


def slow(folder, seed):
    """Return whether the tuned rate was told from 0.03 of it."""
    adam = lab.Candidate("adam")
    tuned = compare([adam], folder / "tuned", seed)
    setting = tuned.settings["adam"]
    rate = 0.03 * setting.arguments["learning_rate"]
    fixed = {**setting.arguments, "learning_rate": rate, "schedule": setting.schedule}
    low = lab.Candidate("adam", fixed, label="low rate")
    found = compare([adam, low], folder / "both", seed)
    return found.judge().verdict("adam", "low rate").outcome == "better"


def compare(candidates, folder, seed):
    how = {"trials": TRIALS, "seeds": SEEDS, "objective": "final", "engine": "here"}
    return lab.compare("quadratic-100", candidates, folder=folder, seed=seed, **how)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=20)
    options = parser.parse_args()
    false = found = 0
    for number in range(options.studies):
        with tempfile.TemporaryDirectory() as place:
            false += same(Path(place, "same"), 100_000 * number)
            found += slow(Path(place, "slow"), 100_000 * number)
        print(
            f"{number + 1} studies: {false} false verdicts, {found} true ones",
            flush=True,
        )
    return int(false > 0.1 * options.studies or found < 0.9 * options.studies)


if __name__ == "__main__":
    sys.exit(main())
