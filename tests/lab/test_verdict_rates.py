"""How often verdicts are false or right, in simulated studies."""

from pathlib import Path

import numpy as np
import pytest

from keras_optlab.lab.statistics import Measure, judge
from keras_optlab.lab.statistics.judge import ALPHA
from keras_optlab.lab.statistics.pair_tests import pairs_of
from tests.campaign.verdicts import (
    KINDS,
    SEEDS,
    Study,
    false_winners,
    power,
    rates,
    verdicts,
)

ROOT = Path(__file__).parents[2]
STUDIES = 8_000
FIRST = ["normal, some luck", "skewed, some luck", "unequal, some luck"]


@pytest.mark.parametrize("kind", FIRST)
def test_equal_optimizers_are_rarely_told_apart(kind):
    assert rates(Study(5, **KINDS[kind]), STUDIES).wrong <= ALPHA


@pytest.mark.every
@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_study_has_more_false_verdicts(kind, seeds):
    assert rates(Study(seeds, **KINDS[kind]), STUDIES).wrong <= ALPHA


def test_a_large_difference_is_found():
    found = rates(Study(5, lead=6.0), 1_000)
    assert found.right > 0.85
    assert found.wrong < ALPHA


@pytest.mark.every
def test_the_margin_alone_does_not_cover_much_luck_of_tuning():
    study = Study(5, luck="much")
    assert rates(study, STUDIES, "margin alone").wrong > 2 * ALPHA
    assert rates(study, STUDIES, "no margin").wrong > 4 * ALPHA


@pytest.mark.every
@pytest.mark.parametrize("kind", ["normal, some luck", "one noisy, much luck"])
def test_the_rates_in_the_documentation_are_those_of_the_command(kind):
    text = (ROOT / "docs" / "statistics.md").read_text()
    for table in false_winners, power:
        _, row = table(STUDIES, [kind])
        line = next(x for x in text.splitlines() if x.split() == " ".join(row).split())
        text = text.replace(line, "")


def test_judge_gives_the_verdicts_that_are_simulated():
    study = Study(3, noise="unequal", lead=4.0, optimizers=4)
    reruns, scores, _ = study.draw(np.random.default_rng(0), 30)
    _, apart = verdicts(reruns, scores, "as built")
    assert 20 < apart.sum() < 160
    for at in range(30):
        labels = "abcd"
        found = judge(
            dict(zip(labels, scores[at].tolist(), strict=True)),
            Measure("value"),
            reruns=dict(zip(labels, reruns[at].tolist(), strict=True)),
        )
        for i, j, is_apart in zip(*pairs_of(4), apart[at], strict=True):
            outcome = found.verdict(labels[i], labels[j]).outcome
            assert (outcome != "not distinguishable") == is_apart
