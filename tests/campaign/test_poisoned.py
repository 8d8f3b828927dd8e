"""The campaign of poisoned batches, with a small budget."""

import pytest

from keras_optlab.callbacks import SpikeGuard
from tests.campaign import poisoned


@pytest.mark.every
@pytest.mark.parametrize("name", ["SGD", "Keras' SGD"])
def test_a_few_steps(name):
    (x, y), test = poisoned.mnist()
    few = x[:12_800], y[:12_800]
    clean, without, guarded, guard = poisoned.compare(name, few, test, 1, seed=1)
    assert isinstance(guard, SpikeGuard)
    assert clean > 85
    assert without < 50
    assert guarded > clean - (2 if name == "SGD" else 15)  # undoes 20 of 100 steps
    assert guard.counts["accidents"] >= 3
