"""The settings that `tune` tries."""

import math

import pytest

from keras_optlab.core.tuning import LogUniform
from keras_optlab.lab.sampler import Sampler
from keras_optlab.lab.trials import Candidate


def sampler(*names, seed=0):
    candidates = [Candidate.parse(name) for name in names]
    return Sampler(
        candidates, {c.label: c.domains(fine=True) for c in candidates}, seed
    )


def run(made, score, number):
    """Ask for settings one after another; return them with their scores."""
    done = []
    for _ in range(number):
        label, setting = made.ask(done, [])
        done.append((label, setting, score(label, setting)))
    return done


def far(label, setting):
    """Return how far a setting is from Adam at a rate of 0.002."""
    rate = math.log10(setting.arguments["learning_rate"] / 0.002)
    return 1 + rate**2 + (3 if label == "sgd" else 0)


def test_the_middles_come_first():
    made = sampler("adam", "sgd")
    first = run(made, far, 2)
    assert [label for label, *_ in first] == ["adam", "sgd"]
    domain = Candidate.parse("adam").domains()["learning_rate"]
    assert isinstance(domain, LogUniform)
    assert first[0][1].arguments["learning_rate"] == domain.at(0.5)


def test_it_learns_from_scores():
    scores = [score for *_, score in run(sampler("adam", "sgd"), far, 40)]
    assert sum(scores[-10:]) < 0.7 * sum(scores[2:12])


def test_the_same_records_give_the_same_setting():
    done = run(sampler("adam", "sgd"), far, 12)
    asked = [sampler("adam", "sgd").ask(done, []) for _ in range(2)]
    assert asked[0] == asked[1]
    assert sampler("adam", "sgd", seed=7).ask(done, []) != asked[0]


@pytest.mark.parametrize("score", [math.inf, 1e9, 0.0])
def test_scores_without_a_logarithm_are_survived(score):
    made = sampler("adam")
    _, first = made.ask([], [])
    label, setting = made.ask([("adam", first, score)] * 12, [("adam", first)])
    assert label == "adam"
    assert 0 < setting.arguments["learning_rate"] < 1
