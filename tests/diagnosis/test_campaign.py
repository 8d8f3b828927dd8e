"""A sample of the campaign: trainings that are made ill, and healthy ones."""

import keras
import pytest

from tests.campaign.diagnosis import healthy, kits_for
from tests.campaign.diseases import DISEASES
from tests.campaign.kits import HELD_OUT, TUNING

BACKEND = keras.backend.backend()
FAST = ["wrong_logits"]  # in a plain run
ORDER = [*FAST, *(x for x in DISEASES if x not in FAST)]


@pytest.mark.every
@pytest.mark.parametrize(
    "name",
    [pytest.param(x, marks=[] if x in FAST else pytest.mark.every) for x in ORDER],
)
def test_a_made_disease_is_named(name):
    if name == "loss_scale" and BACKEND == "torch":
        pytest.skip("Keras' LossScaleOptimizer does not work on torch")
    kit = kits_for(name, TUNING)[0]
    assert name.partition(" ")[0] in DISEASES[name](kit).rules


@pytest.mark.every
@pytest.mark.parametrize(
    "kit",
    [TUNING[0], *(pytest.param(k, marks=pytest.mark.every) for k in TUNING[1:])],
    ids=str,
)
def test_a_healthy_training_is_left_in_peace(kit):
    readings = dict(healthy(kit, "plain"))
    for name in "plain, Monitor", "plain, History":
        assert readings[name]() == []


def test_the_held_out_kits_are_others():
    for name in "seed", "body", "make":
        tuned = {getattr(k, name) for k in TUNING}
        held = {getattr(k, name) for k in HELD_OUT}
        assert not tuned & held
        assert len(held) >= 3
