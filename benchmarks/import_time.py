"""What `import keras_optlab` adds to `import keras`, in milliseconds."""

import argparse
import json
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
    parser.add_argument("--json", type=pathlib.Path, help="file to write it to")
    args = parser.parse_args()
    runs = [
        subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, check=True)
        for _ in range(7)
    ]
    median = statistics.median(float(run.stdout) for run in runs)
    print(f"import keras_optlab adds {1000 * median:.0f} ms to import keras")
    if args.json:
        args.json.write_text(json.dumps({"ms": 1000 * median}) + "\n")


if __name__ == "__main__":
    main()
