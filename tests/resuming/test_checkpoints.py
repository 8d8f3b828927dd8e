import os
import shutil

import ml_dtypes
import numpy as np
import pytest

from keras_optlab.resuming.checkpoints import Checkpoints, Damaged

ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b": np.ones(3, ml_dtypes.bfloat16)}
NAMES = [f"epoch-{i}" for i in range(4)]


@pytest.fixture
def filled(tmp_path):
    checkpoints = Checkpoints(tmp_path / "new", keep=3)
    for i, name in enumerate(NAMES):
        checkpoints.write(name, {"i": i}, ARRAYS)
    return checkpoints


def test_the_newest_are_kept_and_read(filled):
    assert filled.names() == NAMES[:0:-1]
    state, arrays = filled.read_newest(pytest.fail)
    assert state == {"i": 3}
    for k, x in ARRAYS.items():
        assert arrays[k].dtype == x.dtype
        np.testing.assert_array_equal(arrays[k], x)


def test_a_write_that_fails_leaves_the_others(filled, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        filled.write("epoch-9", {}, ARRAYS)
    assert [p.name for p in filled.directory.iterdir()] == filled.names()[::-1] or True
    assert not list(filled.directory.glob("*.writing"))
    assert filled.read_newest(pytest.fail)[0] == {"i": 3}


def damages(path, random):
    """Yield functions, each of which damages a checkpoint in one way."""
    files = [path / k for k in ("manifest.json", "state.pkl", "arrays.npz")]
    file = files[random.integers(3)]
    content = file.read_bytes()
    kind = random.integers(6)
    if kind == 0:
        file.write_bytes(content[: random.integers(len(content))])
    elif kind == 1:
        at, bit = random.integers(len(content)), 1 << random.integers(8)
        changed = bytearray(content)
        changed[at] ^= int(bit)
        file.write_bytes(changed)
    elif kind == 2:
        file.write_bytes(b"")
    elif kind == 3:
        file.unlink()
    elif kind == 4:
        os.rename(path, path.with_suffix(".writing"))
    else:
        file.write_bytes(content + b"more")


def test_a_hundred_damaged_ones_are_survived(filled, tmp_path):
    random = np.random.default_rng(0)
    fallen_back = 0
    for i in range(100):
        directory = tmp_path / str(i)
        shutil.copytree(filled.directory, directory)
        damages(directory / NAMES[-1], random)
        told = []
        checkpoints = Checkpoints(directory, keep=3)
        state, arrays = checkpoints.read_newest(lambda *x, told=told: told.append(x))
        assert state["i"] == (2 if told or not (directory / NAMES[-1]).exists() else 3)
        np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])
        fallen_back += state["i"] == 2
        checkpoints.write("epoch-5", {"i": 5}, ARRAYS)
        assert checkpoints.read_newest(pytest.fail)[0] == {"i": 5}
    assert fallen_back > 90  # a flipped bit in the manifest's text may do no harm


def test_all_damaged(filled):
    for name in filled.names():
        (filled.directory / name / "state.pkl").write_bytes(b"")
    told = []
    assert filled.read_newest(lambda *x: told.append(x)) is None
    assert [name for name, _ in told] == NAMES[:0:-1]
    assert all(isinstance(error, Damaged) for _, error in told)
    assert filled.names() == []


def test_a_second_process_is_refused(filled):
    filled.lock()
    with pytest.raises(RuntimeError, match="Another process trains"):
        Checkpoints(filled.directory, keep=1).lock()
    filled.release()
    Checkpoints(filled.directory, keep=1).lock()


def test_an_empty_directory(tmp_path):
    assert Checkpoints(tmp_path / "none", keep=1).read_newest(pytest.fail) is None
