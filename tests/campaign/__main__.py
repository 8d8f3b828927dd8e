"""A campaign: all its parts in turn, each for a share of the time.

    python -m tests.campaign --minutes 60
    python -m tests.campaign --minutes 60 --first 2000

Programs, pairs, rules and names are drawn from seeds, the first of which is `--first`:
with another one, others are tried. A part that finds a fault prints what it needs to be
run again, and the campaign ends with an error.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARES = {"programs": 0.45, "pairs": 0.3, "numbers": 0.15, "arguments": 0.1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--minutes", type=float, default=60, help="default: %(default)s"
    )
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    args = parser.parse_args()
    failed = []
    for part, share in SHARES.items():
        print(f"\n{part}", flush=True)
        command = [sys.executable, "-m", f"tests.campaign.{part}"]
        command += ["--minutes", str(share * args.minutes), "--first", str(args.first)]
        command += ["--count", "1000000"] if part in ("programs", "pairs") else []
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            failed.append(part)
    if failed:
        sys.exit(f"\nfaults in {', '.join(failed)}")


if __name__ == "__main__":
    main()
