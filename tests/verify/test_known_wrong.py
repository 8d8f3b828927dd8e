"""Known errors of other packages: they differ from the paper, keras_optlab does not."""

import keras
import pytest

from keras_optlab.verify.comparisons import TOLERANCE
from keras_optlab.verify.known_wrong import DIFFERENT, KNOWN_WRONG
from keras_optlab.verify.libraries import is_installed

BACKEND = keras.backend.backend()


@pytest.mark.sampled
@pytest.mark.parametrize("it", KNOWN_WRONG, ids=str)
def test_differs_from_the_paper_and_from_ours(it):
    oracle = it.comparison.oracle
    home = {"keras": BACKEND, "optax": "jax"}.get(oracle.partition(".")[0], "torch")
    if home != BACKEND:
        pytest.skip(f"{home} is loaded only where it is the backend")
    if not is_installed(oracle):
        pytest.skip(f"{oracle} is not installed")
    theirs, ours = it.difference(), it.of_ours()
    if BACKEND in it.backends:
        assert theirs > DIFFERENT
        assert it.figure is None or it.figure / 3 < theirs < it.figure * 3
    else:
        assert theirs < TOLERANCE["library"]
    assert ours is None or ours < TOLERANCE["float64"]
