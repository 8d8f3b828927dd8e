import re
import sys

import keras
import pytest

from keras_optlab import lab
from keras_optlab.lab.studies import Study
from tests.lab.fakes import a_problem, computed

NAMES = ["adam", "sgd"]
# the functions have the names of their modules
module, tune_module, preparation = (
    sys.modules[f"keras_optlab.lab.{name}"]
    for name in ("compare", "tune", "preparation")
)


@pytest.fixture(autouse=True)
def _computed(monkeypatch):
    monkeypatch.setattr(module, "run_trial", computed)
    monkeypatch.setattr(tune_module, "run_trial", computed)
    monkeypatch.setattr(preparation, "reference_of", lambda *_: "problem")
    monkeypatch.setattr(preparation, "fingerprint", lambda _: "")


def compare(folder, optimizers=NAMES, trials=6, **more):
    how = {"trials": trials, "seeds": 3, "folder": folder, "engine": "here"}
    return lab.compare(a_problem(), optimizers, **(how | more))


def test_each_optimizer_has_the_same_budget(tmp_path):
    result = compare(tmp_path)
    for label in NAMES:
        counts = [len(result.records(label, p)) for p in ("search", "confirm", "final")]
        assert counts == [6, 6, 3]
    assert result.is_finished


def test_the_best_setting_is_chosen_and_rerun_with_fresh_seeds(tmp_path):
    result = compare(tmp_path, objective="final")
    for label in NAMES:
        searched = result.records(label, "search")
        best = sorted(searched, key=lambda r: r["value"])[:3]
        assert result.settings[label].as_dict() in [r["setting"] for r in best]
        seeds = {r["seed"] for r in result.records(label)}
        chosen_by = {r["seed"] for r in searched + result.records(label, "confirm")}
        assert len(seeds) == 3
        assert not seeds & chosen_by


def test_the_better_one_is_named(tmp_path):
    result = compare(tmp_path, objective="final")
    assert result.best == "adam"
    assert "adam is better than sgd" in str(result)
    assert result.code().startswith("kol.optimizers.Adam(")


def test_a_study_goes_on_where_it_was_ended(tmp_path, monkeypatch):
    whole = compare(tmp_path / "whole")
    calls = []

    def ends(trial, report=None):
        calls.append(trial.key)
        if len(calls) in (3, 9, 20):
            raise KeyboardInterrupt
        return computed(trial, report)

    monkeypatch.setattr(module, "run_trial", ends)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            compare(tmp_path / "ended")
    ended = compare(tmp_path / "ended")
    assert dict(ended.study.records) == dict(whole.study.records)
    assert len(calls) == len(whole.study.records) + 3


def test_a_trial_that_failed_is_run_again(tmp_path, monkeypatch):
    def fails(trial, report=None):
        if trial.label == "sgd" and trial.index == 2:
            return trial.as_dict() | {"status": "failed", "error": "by chance"}
        return computed(trial, report)

    monkeypatch.setattr(module, "run_trial", fails)
    compare(tmp_path)
    statuses = [r["status"] for r in Study(tmp_path).records.values()]
    assert statuses.count("failed") == 1
    monkeypatch.setattr(module, "run_trial", computed)
    again = compare(tmp_path)
    assert all(r["status"] == "complete" for r in again.study.records.values())


def test_a_study_in_which_nothing_works_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(
        module,
        "run_trial",
        lambda trial: trial.as_dict() | {"status": "failed", "error": "no such file"},
    )
    with pytest.raises(RuntimeError, match="trials failed.*no such file"):
        compare(tmp_path)


def test_optimizers_may_be_added(tmp_path):
    adam, sgd = ("adam(learning_rate=0.01)", "sgd(learning_rate=0.1)")
    before = dict(compare(tmp_path, [adam], objective="final").study.records)
    result = compare(tmp_path, [sgd, adam], objective="final")
    after = dict(result.study.records)
    assert after.items() > before.items()
    assert set(result.table()["optimizer"]) == {adam, sgd}
    with pytest.raises(ValueError, match="another study.*optimizers: "):
        compare(tmp_path, [sgd], objective="final")


def test_one_setting_is_not_searched(tmp_path):
    result = compare(tmp_path, ["adam(learning_rate=0.01)"], objective="final")
    assert {r["purpose"] for r in result.study.records.values()} == {"final"}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"trials": 0}, "must be an integer >= 1. Received: trials=0"),
        ({"seeds": 0.0}, "must be an integer >= 1. Received: seeds=0.0"),
        ({"optimizers": []}, "Received: optimizers=[]"),
        ({"optimizers": ["adam", "adam"]}, "expected different optimizers"),
        ({"objective": "speed"}, "expected an objective of updates, seconds, final"),
        ({"engine": "proceses"}, "Did you mean 'processes'"),
    ],
)
def test_bad_arguments(tmp_path, more, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        compare(tmp_path, **more)


def test_records_of_two_backends_are_not_mixed(tmp_path, monkeypatch):
    compare(tmp_path)
    monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
    with pytest.raises(ValueError, match="another study.*backend: .*now 'numpy'"):
        compare(tmp_path)


def test_progress_is_told(tmp_path):
    seen = []
    compare(tmp_path, progress=lambda record, done, total: seen.append((done, total)))
    assert seen == [(i, 30) for i in range(1, 31)]


def test_tune_ends_in_the_best_setting(tmp_path):
    result = lab.tune(
        a_problem(target=None),
        NAMES,
        trials=30,
        seeds=2,
        folder=tmp_path,
        engine="here",
    )
    assert result.best == "adam"
    rate = result.settings["adam"].arguments["learning_rate"]
    assert 0.004 < rate < 0.025
    statuses = {r["status"] for r in result.records("adam", "search")}
    assert "pruned" in statuses
    assert "def " not in result.code()


def test_tune_goes_on_where_it_was_ended(tmp_path, monkeypatch):
    def tune(folder):
        return lab.tune(
            a_problem(), NAMES, trials=14, seeds=2, folder=folder, engine="here"
        )

    whole = tune(tmp_path / "whole")
    calls = []

    def ends(trial, report=None):
        calls.append(trial.key)
        if len(calls) in (3, 9, 15, 18):
            raise KeyboardInterrupt
        return computed(trial, report)

    monkeypatch.setattr(tune_module, "run_trial", ends)
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            tune(tmp_path / "ended")
    ended = tune(tmp_path / "ended")
    assert dict(ended.study.records) == dict(whole.study.records)
