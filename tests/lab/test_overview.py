"""Several studies side by side."""

import pytest

from keras_optlab.lab import Overview
from tests.lab.synthetic import write_study


def of_problem(folder, problem, factors, **more):
    """Write a study whose optimizers need 100 updates times a factor, or fail."""

    def change(record):
        factor = factors[record["label"]]
        reached = {"updates": 100 * (factor or 1), "seconds": 1.0}
        record |= {"reached": None if factor is None else reached}

    study = write_study(folder, [*factors], trials=1, seeds=2, change=change, **more)
    study.study.config.update({"problem": problem, "changes": {}})
    return study


@pytest.fixture
def studies(tmp_path):
    first = of_problem(tmp_path / "1", "digits", {"adam": 2, "muon": 1, "sgd": 4})
    second = of_problem(tmp_path / "2", "prices", {"muon": 3, "adam": 2, "lion": 1})
    return [first, second]


def test_medians_and_profiles_of_the_optimizers_that_all_studies_have(studies):
    overview = Overview(studies)
    assert overview.costs == {
        "adam": {"digits": 200, "prices": 200},
        "muon": {"digits": 100, "prices": 300},
    }
    adam, muon = overview.profiles()
    assert (adam.at(1), adam.at(2), muon.at(1), muon.at(1.5)) == (0.5, 1, 0.5, 1)
    assert list(overview.table().loc["muon"]) == [100, 300]
    head, first, _ = str(overview).splitlines()
    assert head.split()[:2] == ["digits", "prices"]
    assert first.split() == ["100", "300", "50%", "50%", "100%", "100%", "100%", "muon"]


def test_the_error_of_an_accuracy_counts(tmp_path, studies):
    final = of_problem(tmp_path / "3", "cats", {"adam": 1, "muon": 1}, target=None)
    costs = Overview([studies[0], final]).costs
    expected = sorted(1 - s for s in final.scores("adam", "final"))
    assert costs["adam"]["cats"] == pytest.approx(sum(expected) / 2)


def test_who_misses_the_target_has_no_median(tmp_path, studies):
    lost = of_problem(tmp_path / "3", "cats", {"adam": None, "muon": 1})
    overview = Overview([studies[0], lost])
    assert overview.costs["adam"]["cats"] is None
    assert " - " in str(overview)


def test_what_cannot_be_shown_together(tmp_path, studies):
    with pytest.raises(ValueError, match="two or more.*Received: studies of digits"):
        Overview(studies[:1])
    with pytest.raises(ValueError, match="different problems.*digits, digits"):
        Overview([studies[0], studies[0]])
    other = of_problem(tmp_path / "3", "cats", {"lion": 1})
    with pytest.raises(ValueError, match="cats: \\['lion'\\]"):
        Overview([studies[0], other])
