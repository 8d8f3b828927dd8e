"""A comparison as Markdown, as CSV, and on TensorBoard's page HPARAMS."""

import pandas as pd
import pytest
from tensorboard.plugins.hparams import api_pb2

from tests.lab.synthetic import write_study
from tests.support.logs import hparams_rows, hparams_values, read


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    def change(record):
        if record["key"] == "muon search 1 seed 0":
            kept = ("key", "label", "setting", "index", "purpose", "seed")
            for name in set(record) - set(kept):
                del record[name]
            record |= {"status": "failed", "error": "OOM"}

    folder = tmp_path_factory.mktemp("study")
    names = ("adam(beta_1=0.8)", "muon")
    return write_study(folder, names, trials=12, seeds=2, change=change)


def test_markdown_has_the_verdict_the_table_and_the_settings(comparison):
    text = comparison.to_markdown()
    head, rule, *rows = [line for line in text.splitlines() if line.startswith("|")]
    assert text.startswith("**muon has the best updates to accuracy 0.98")
    assert len(rows) == 2
    assert rows[0].startswith("| muon | 1 | ")
    assert rows[1].startswith(r"| adam(beta\_1=0.8) | 2 | ")
    assert len({line.count(" | ") for line in (head, rule, *rows)}) == 1
    assert f"```python\n{comparison.code('muon')}\n```" in text


def test_csv_has_the_ranking_and_all_trials(comparison, tmp_path):
    ranking, trials = comparison.to_csv(tmp_path / "tables")
    assert list(pd.read_csv(ranking)["optimizer"]) == ["muon", "adam(beta_1=0.8)"]
    read_again = pd.read_csv(trials)
    assert len(read_again) == len(comparison.study.records) == 12 * 2 + 6 * 2 + 2 * 2
    pd.testing.assert_series_equal(read_again["value"], comparison.trials()["value"])
    with pytest.raises(NotADirectoryError, match="`path` must be a folder"):
        comparison.to_csv(ranking)


def test_every_trial_is_a_row_of_the_page_hparams(comparison, tmp_path):
    folder = comparison.log_hparams(tmp_path / "log")
    rows = hparams_rows(folder)
    assert len(rows) == len(comparison.study.records)
    by_key = dict(zip(comparison.study.records, sorted(rows), strict=True))
    key, record = next(
        (k, r) for k, r in comparison.study.records.items() if r["purpose"] == "final"
    )
    row = rows[by_key[key]]
    arguments = dict(record["setting"]["arguments"])
    others = {"schedule": "one_cycle", "length": 1.0, "warmup": 0.3}
    assert hparams_values(row) == {
        "optimizer": record["label"],
        "purpose": "final",
        "learning_rate": arguments.pop("learning_rate"),
        **{f"setting/{k}": v for k, v in (others | arguments).items()},
    }
    metrics = {m.name.tag: m.value for m in row.metric_values}
    assert metrics["result/accuracy"] == pytest.approx(record["value"])
    reached = record["reached"]["updates"]
    assert metrics["result/updates_to_target"] == reached
    curve = read(folder / by_key[key])["trial/accuracy"]
    assert list(curve) == record["curve"]["updates"]
    assert list(curve.values()) == pytest.approx(record["curve"]["accuracy"])
    failed = rows[by_key["muon search 1 seed 0"]]
    assert failed.sessions[0].status == api_pb2.STATUS_FAILURE


def test_a_folder_with_other_runs_is_refused(comparison, tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(FileExistsError, match="new or empty folder"):
        comparison.log_hparams(tmp_path)
