import re
import sys

import pytest

from keras_optlab import lab
from keras_optlab.cli import compare as module
from keras_optlab.cli.progress import outcome
from keras_optlab.lab.comparison import Comparison
from tests.lab.fakes import a_problem, computed

GIVEN = ["--optimizers", "adam(beta_1=0.8, learning_rate=0.01),sgd", "--engine", "here"]
compare_module, tune_module, preparation = (
    sys.modules[f"keras_optlab.lab.{name}"]
    for name in ("compare", "tune", "preparation")
)


@pytest.fixture(autouse=True)
def computed_studies(monkeypatch):
    """Compute the records of trials in place of training."""
    monkeypatch.setattr(compare_module, "run_trial", computed)
    monkeypatch.setattr(tune_module, "run_trial", computed)
    monkeypatch.setattr(preparation, "reference_of", lambda *_: "problem")
    monkeypatch.setattr(preparation, "as_problem", lambda *_: a_problem())
    monkeypatch.setattr(
        Comparison, "report", lambda self, path: path or self.study.folder / "r.html"
    )


def test_a_comparison_ends_with_ranking_verdicts_setting_and_report(optlab):
    output = optlab("compare", "mnist-mlp", *GIVEN, "--trials", "6", "--seeds", "3")
    text = " ".join(output.stdout.split())
    for label in ("adam(beta_1=0.8, learning_rate=0.01)", "sgd"):
        assert label in text
    assert "kol.optimizers." in text
    assert "Report: studies/mnist-mlp/r.html" in text
    assert re.search(r"\d+ of \d+ trials, \d+ s left: sgd \(search\)", output.stderr)


def test_a_comparison_fits_a_terminal(optlab, screen):
    read = screen(60)
    optlab("compare", "mnist-mlp", *GIVEN, "--trials", "4", "--seeds", "2")
    wide = [line for line in read().splitlines() if len(line) > 60]
    assert all("kol." in line for line in wide)  # code to copy is not broken


def test_a_study_is_reported_again(optlab):
    optlab("compare", "mnist-mlp", *GIVEN, "--trials", "4", "--seeds", "2")
    output = optlab("report", "studies/mnist-mlp", "--output", "mine.html").stdout
    assert "mine.html" in output
    assert "no study.json" in optlab("report", "elsewhere", code=1).output


def test_several_studies_are_shown_side_by_side(optlab, monkeypatch):
    for folder, seeds in (("studies/a", "2"), ("studies/b", "3")):
        given = [*GIVEN, "--trials", "2", "--seeds", seeds, "--folder", folder]
        optlab("compare", "mnist-mlp", *given)
    assert (
        "different problems"
        in optlab("report", "studies/a", "studies/b", code=2).output
    )
    overview = sys.modules["keras_optlab.lab.overview"]
    monkeypatch.setattr(overview, "_title", lambda study: study.study.folder.name)
    output = optlab("report", "studies/a", "studies/b").stdout
    assert re.search(r"optimizer +a +b +within 1x", output)
    assert re.search(r"sgd +[\d.-]+ +[\d.-]+ +0%", output)
    said = optlab("report", "studies/a", "studies/b", "--output", "x.html", code=2)
    assert "of one study" in " ".join(said.output.split())


def test_arguments_reach_the_lab(optlab, monkeypatch):
    given = {}

    def compare(problem, optimizers, **more):
        given.update(problem=problem, optimizers=optimizers, **more)
        raise ValueError("enough")

    monkeypatch.setattr(lab, "compare", compare)
    options = "--epochs 0.5 --target 0.9 --objective final --folder f --seed 3"
    optlab("compare", "p.py", *GIVEN, *options.split(), "--devices", "2", code=2)
    assert given["optimizers"] == ["adam(beta_1=0.8, learning_rate=0.01)", "sgd"]
    assert (given["trials"], given["seeds"], given["devices"]) == (12, 5, 2)
    assert (given["epochs"], given["target"], given["objective"]) == (0.5, 0.9, "final")
    assert (str(given["folder"]), given["seed"], given["engine"].workers) == ("f", 3, 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "disk full")])
def test_a_study_that_is_ended_says_how_to_go_on(optlab, monkeypatch, error):
    real = computed
    calls = []

    def ended(trial, *more):
        calls.append(trial)
        if len(calls) == 3:
            raise error
        return real(trial, *more)

    def add(self, record):
        if isinstance(error, OSError) and len(calls) == 2:
            raise error
        return kept(self, record)

    records = sys.modules["keras_optlab.lab.studies.records"].Records
    kept = records.add
    monkeypatch.setattr(records, "add", add)
    monkeypatch.setattr(compare_module, "run_trial", ended)
    command = ["compare", "mnist-mlp", *GIVEN, "--trials", "4", "--seeds", "2"]
    code = 130 if error is KeyboardInterrupt else 1
    output = " ".join(optlab(*command, code=code).output.split())
    assert re.search(r"[12] records are kept in studies/mnist-mlp", output)
    assert "optlab compare mnist-mlp --optimizers 'adam(" in output
    monkeypatch.setattr(compare_module, "run_trial", real)
    monkeypatch.setattr(records, "add", kept)
    optlab(*command)  # goes on
    assert lab.Comparison("studies/mnist-mlp").is_finished


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--optimizers", "adan,adamv"], "'adam"),
        (["--optimizers", "adam,adam"], "different optimizers"),
        (["--optimizers", "adam", "--engine", "rya"], "'ray'"),
        (["--optimizers", "adam(lr=1)"], "learning_rate"),
        (["--optimizers", "adam", "--objective", "best"], "updates, seconds, final"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(optlab, arguments, hint):
    assert hint in optlab("compare", "mnist-mlp", *arguments, code=2).output


def test_tuning_ends_with_code_to_paste(optlab):
    output = optlab("tune", "mnist-mlp", *GIVEN, "--trials", "8").stdout
    assert "The best of 8 settings" in output
    assert "kol.optimizers." in output
    assert "studies/mnist-mlp-tuned" in output


def test_recommend_passes_the_problem_with_its_sizes(optlab, monkeypatch):
    given = {}

    class Found:
        label, code = "adam", "model.compile(...)"

        def __str__(self):
            return f"{self.code}\n\nValidation loss 0.5"

    def recommend(problem, data, **more):
        given.update(more, problem=problem.name)
        return Found()

    monkeypatch.setattr(lab, "recommend", recommend, raising=False)
    output = optlab("recommend", "mnist-cnn", "--budget", "90s").stdout
    assert "  model.compile(...)\n\nEvidence\n  Validation loss 0.5" in output
    assert (given["budget"], given["batch_size"], given["epochs"]) == ("90s", 128, 6)


def test_a_record_is_told_in_a_few_words():
    record = {"label": "adam", "purpose": "final", "status": "diverged", "value": 2.0}
    assert outcome(record) == "adam (final): 2, diverged"
    failed = {**record, "status": "failed", "error": "x", "key": "k"}
    assert outcome(failed) == "adam (final): failed"
    reached = {**record, "reached": {"updates": 30}}
    assert outcome(reached) == "adam (final): target after 30 updates"


def test_folders_are_named_after_problems():
    assert module.folder_name("a/b.c:d e") == "b.c-d-e"


@pytest.mark.slow
def test_a_small_comparison_is_trained(optlab, tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Comparison, "report", lambda self, path: tmp_path / "r.html")
    given = "--optimizers sgd,adam --trials 2 --seeds 2 --epochs 0.05 --workers 1"
    output = optlab("compare", "mnist-logreg", *given.split()).stdout
    assert "sgd" in output
    assert lab.Comparison("studies/mnist-logreg").is_finished
