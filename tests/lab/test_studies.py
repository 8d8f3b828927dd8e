import json
import os
import subprocess
import sys

import pytest

from keras_optlab.lab.studies import Records, Study


def a_record(key, **more):
    return {"key": key, "status": "complete", **more}


def test_a_record_is_read_again(tmp_path):
    Records(tmp_path / "r.jsonl").add(a_record("a", value=0.5))
    assert dict(Records(tmp_path / "r.jsonl"))["a"]["value"] == 0.5


def test_the_last_record_of_a_key_counts(tmp_path):
    records = Records(tmp_path / "r.jsonl")
    for value in (1, 2):
        records.add(a_record("a", value=value))
    again = Records(tmp_path / "r.jsonl")
    assert [r["value"] for r in again.values()] == [2]


@pytest.mark.parametrize("torn", [b'{"key": "b"', b'{"key": "b"}', b"\xff{"])
def test_a_torn_last_line_is_cut_off(tmp_path, torn):
    path = tmp_path / "r.jsonl"
    Records(path).add(a_record("a"))
    with path.open("ab") as file:
        file.write(torn)
    assert list(Records(path, write=False)) == ["a"]
    records = Records(path)
    records.add(a_record("c"))
    assert list(Records(path)) == ["a", "c"]


def test_a_line_that_is_no_record_is_named(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"key": "a"}\nnothing\n{"key": "b"}\n')
    with pytest.raises(ValueError, match="line 2 of .*nothing.*Delete the line"):
        Records(path)


def test_a_full_disk_loses_no_earlier_record(tmp_path, monkeypatch):
    records = Records(tmp_path / "r.jsonl")
    records.add(a_record("a"))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        records.add(a_record("b"))
    monkeypatch.undo()
    assert list(Records(tmp_path / "r.jsonl")) == ["a"]
    records.add(a_record("b"))
    assert list(Records(tmp_path / "r.jsonl")) == ["a", "b"]


def test_the_same_study_goes_on_and_another_one_is_refused(tmp_path):
    Study(tmp_path, {"trials": 3, "problem": "a"})
    Study(tmp_path, {"trials": 3, "problem": "a"})
    with pytest.raises(ValueError, match=r"another study.*trials: 3, now 4"):
        Study(tmp_path, {"trials": 4, "problem": "a"})


def test_a_folder_without_a_study(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no study.*study\.json"):
        Study(tmp_path / "nothing")


def test_a_study_of_another_version_is_refused(tmp_path):
    Study(tmp_path, {})
    path = tmp_path / "study.json"
    content = json.loads(path.read_text())
    content["versions"]["keras-optlab"] = "0.0.1"
    path.write_text(json.dumps(content | {"format": 0}))
    with pytest.raises(ValueError, match=r"another version.*made by 0\.0\.1"):
        Study(tmp_path)


def test_a_damaged_description_is_named(tmp_path):
    Study(tmp_path, {})
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(ValueError, match="no description of a study"):
        Study(tmp_path)


def test_a_folder_is_for_one_process(tmp_path):
    study = Study(tmp_path, {})
    with (
        study.opened({"engine": "here"}),
        pytest.raises(RuntimeError, match="Another process works on this study"),
        Study(tmp_path, {}).opened({}),
    ):
        pass
    with study.opened({"engine": "ray"}):
        pass
    assert [run["engine"] for run in study.runs] == ["here", "ray"]


@pytest.mark.every
def test_a_lock_ends_with_its_process(tmp_path):
    code = (
        "import os, sys\n"
        "from keras_optlab.lab.studies import Study\n"
        "with Study(sys.argv[1], {}).opened({}):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    with Study(tmp_path, {}).opened({}):
        pass
