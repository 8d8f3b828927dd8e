"""Crafted configurations, a sample of them, and crafted studies."""

import json

import pytest

from keras_optlab.lab import Comparison
from tests.campaign import crafted
from tests.lab.synthetic import write_study

AUDIT = crafted.Audit()  # a hook cannot be removed


def test_crafted_configurations_run_and_write_nothing():
    ends = crafted.campaign(range(10), 20, AUDIT)
    assert set(ends) == {"loaded", "refused"}


def test_the_audit_sees_what_a_configuration_must_not_do(tmp_path):
    with AUDIT.looking() as found:
        exec(crafted.CODE.replace(co_names=("sys",)))
        (tmp_path / "file").write_text("text")
        (tmp_path / "folder").mkdir()
    assert [x.partition("(")[0] for x in found] == ["exec", "open", "os.mkdir"]


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "../../outside"])
def test_the_report_of_a_crafted_study(label, tmp_path):
    write_study(tmp_path, optimizers=("sgd", "adamw"), trials=3)
    for name in "study.json", "records.jsonl":
        text = (tmp_path / name).read_text()
        text = text.replace('"sgd', json.dumps(label)[:-1])
        (tmp_path / name).write_text(text)
    with AUDIT.looking() as found:
        page = Comparison(tmp_path).report().read_text()
    assert label.replace("<", "&lt;").replace(">", "&gt;") in page
    assert "<script>alert" not in page
    assert all(str(tmp_path) in x for x in found)


def test_the_logs_of_a_crafted_study_stay_in_their_folder(tmp_path):
    write_study(tmp_path, optimizers=("sgd", "adamw"), trials=3)
    records = tmp_path / "records.jsonl"
    crafted_text = records.read_text().replace('"search"', '"../../../outside"')
    assert "outside" in crafted_text
    records.write_text(crafted_text)
    with AUDIT.looking() as found:
        Comparison(tmp_path).log_hparams(tmp_path / "logs")
    assert len(found) > 3
    assert [x for x in found if f"{tmp_path}/logs" not in x or "/../" in x] == []
