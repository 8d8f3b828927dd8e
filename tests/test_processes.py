"""Training in processes that were forked or spawned, after the package was imported."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_started_process_trains(start):
    command = [sys.executable, "-m", "tests.support.started_process", start]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=200, check=False
    )
    assert "ended with 0" in done.stdout, done.stderr[-2000:]
