"""Programs in which the campaign found faults, run again.

A program that ends in a fault is added to `found.json` once it is mended: what was
wrong, how the program has to end, and the program as `programs.py --show` prints it.
"""

import json
from pathlib import Path

import keras
import pytest

from tests.campaign.programs import outcome

BACKENDS = "tensorflow", "jax", "torch"
FOUND = json.loads((Path(__file__).parent / "found.json").read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("found", FOUND, ids=[x["what"] for x in FOUND])
def test_what_was_mended_stays_mended(found):
    if keras.backend.backend() not in found.get("backends", BACKENDS):
        pytest.skip("is of another backend")
    end = outcome(found["program"])
    assert end["end"] == found["end"], end
