"""Time that `import keras_optlab` adds to `import keras`, in milliseconds."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

MEASURE = """
import time, keras
start = time.perf_counter()
import keras_optlab
print(time.perf_counter() - start)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=pathlib.Path, help="file for the result")
    args = parser.parse_args()
    command = [sys.executable, "-c", MEASURE]
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}  # cache the bytecode
    runs = [
        subprocess.run(command, capture_output=True, check=True, env=env)
        for _ in range(7)
    ]
    median = statistics.median(float(run.stdout) for run in runs)
    print(f"import keras_optlab adds {1000 * median:.0f} ms to import keras")
    if args.json:
        args.json.write_text(json.dumps({"ms": 1000 * median}) + "\n")


if __name__ == "__main__":
    main()
