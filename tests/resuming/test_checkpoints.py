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


def positions(checkpoints):
    return [name.rpartition("-")[0] for name in checkpoints.names()]


def test_the_newest_are_kept_and_read(filled):
    assert positions(filled) == NAMES[:0:-1]
    state, arrays = filled.read_newest(pytest.fail)
    assert state == {"i": 3}
    for k, x in ARRAYS.items():
        assert arrays[k].dtype == x.dtype
        np.testing.assert_array_equal(arrays[k], x)


def test_one_is_written_again(filled):
    filled.write(NAMES[-1], {"i": 9}, ARRAYS)
    assert positions(filled) == NAMES[:0:-1]
    assert filled.read_newest(pytest.fail)[0] == {"i": 9}


def test_a_write_that_fails_leaves_the_others(filled, monkeypatch):
    def full(file, **arrays):
        file.write(b"a part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        filled.write("epoch-9", {}, ARRAYS)
    assert sorted(p.name for p in filled.directory.iterdir()) == filled.names()[::-1]
    assert filled.read_newest(pytest.fail)[0] == {"i": 3}


def damage(path, random):
    """Damage a checkpoint in one of seven ways."""
    content = path.read_bytes()
    at = int(random.integers(len(content)))
    kind = random.integers(7)
    if kind == 0:
        path.write_bytes(content[:at])
    elif kind == 1:
        flipped = content[at] ^ (1 << int(random.integers(8)))
        path.write_bytes(content[:at] + bytes([flipped]) + content[at + 1 :])
    elif kind == 2:
        path.write_bytes(b"")
    elif kind == 3:
        path.unlink()
    elif kind == 4:  # killed before the rename
        path.rename(path.with_suffix(".writing"))
    elif kind == 5:
        path.write_bytes(content + b"more")
    else:
        path.write_bytes(bytes(len(content)))


def test_a_hundred_damaged_ones_are_survived(filled):
    random = np.random.default_rng(0)
    for i in range(100):
        at = f"epoch-9{i:03}"
        filled.write(at, {"i": i}, ARRAYS)
        filled.write(f"{at}-newest", {"i": -1}, ARRAYS)
        damage(filled.directory / filled.names()[0], random)
        state, arrays = filled.read_newest(lambda name, error: None)
        assert state == {"i": i}
        np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])


def test_all_damaged(filled):
    for name in filled.names():
        (filled.directory / name).write_bytes(b"")
    told = []
    assert filled.read_newest(lambda *x: told.append(x)) is None
    assert [name.rpartition("-")[0] for name, _ in told] == NAMES[:0:-1]
    assert all(isinstance(error, Damaged) for _, error in told)
    assert filled.names() == []
    assert len(list(filled.directory.glob("*.damaged"))) == 3


def test_a_second_process_is_refused(filled):
    filled.lock()
    with pytest.raises(RuntimeError, match="Another process trains"):
        Checkpoints(filled.directory, keep=1).lock()
    filled.release()
    Checkpoints(filled.directory, keep=1).lock()


def test_an_empty_directory(tmp_path):
    assert Checkpoints(tmp_path / "none", keep=1).read_newest(pytest.fail) is None
