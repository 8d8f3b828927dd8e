"""`lab.train`: one device, several devices, several processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_optlab.lab import Data, Problem, train
from keras_optlab.lab.studies import Study
from tests.support.devices import on_two_devices

BACKEND = keras.backend.backend()
ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
from keras_optlab import lab
record = lab.train("mnist-mlp", "sgd(learning_rate=0.05, momentum=0.9)",
                   changes={"epochs": 60 / 390.625}, **json.loads(sys.argv[1]))
print(json.dumps(record))
"""
shares_batches = pytest.mark.skipif(BACKEND == "torch", reason="refused on torch")


def problem(rows=31, batch_size=8):
    """Return a problem whose rows two devices cannot share equally."""
    x = np.random.default_rng(0).normal(size=(rows, 3)).astype("float32")
    arrays = x, np.tanh(x.sum(1, keepdims=True))

    def model():
        dense = keras.layers.Dense
        return keras.Sequential([keras.Input((3,)), dense(4, "tanh"), dense(1)])

    data = Data(arrays, arrays, arrays)
    return Problem(model, data, "mse", ["mae"], batch_size=batch_size, epochs=4)


@pytest.mark.slow
def test_the_record_and_the_progress(tmp_path):
    seen = []
    record = train(
        problem(),
        "adam",
        arguments={"schedule": "one_cycle", "length": 0.5},
        progress=lambda *now: seen.append(now),
        folder=tmp_path,
    )
    assert record["status"] == "complete", record
    assert record["purpose"] == "final"
    assert record["threads"] >= 1
    updates = record["updates"]
    assert [s[:2] for s in seen] == [(i + 1, updates) for i in range(updates)]
    assert seen[-1][2]["loss"] > 0
    assert record["setting"]["schedule"] == "one_cycle"
    assert Study(tmp_path).records[record["key"]] == record


@pytest.mark.slow
def test_a_name_alone_has_a_constant_rate():
    assert train(problem(), "adam")["setting"]["schedule"] == "constant"


@pytest.mark.every
@shares_batches
@on_two_devices
def test_two_devices_equal_one(float64):  # noqa: ARG001
    one, two = (train(problem(), "adamw", devices=n) for n in (1, 2))
    assert two["status"] == "complete", two
    assert two["devices"] == 2
    for name in ("loss", "mae", "train_loss"):  # records have six digits
        np.testing.assert_allclose(
            one["curve"][name], two["curve"][name], rtol=2e-6, err_msg=name
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"devices": 0}, "devices=0"),
        ({"coordinator": "a:1"}, "belong together"),
        ({"process": 0, "processes": 2}, "belong together"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        train(problem(), "adam", **arguments)


@shares_batches
@on_two_devices
def test_a_batch_that_devices_cannot_share_is_refused():
    with pytest.raises(ValueError, match="batch_size=6 or 8"):
        train(problem(batch_size=7), "adam", devices=2)


@shares_batches
def test_devices_that_are_not_there_are_refused():
    keras.ops.add(1.0, 1.0)  # CPUs can be divided before the first operation only
    with pytest.raises(ValueError, match="of 64 devices are there"):
        train(problem(), "adam", devices=64)


@pytest.mark.skipif(BACKEND != "torch", reason="of torch")
def test_torch_refuses_devices():
    with pytest.raises(ValueError, match="does not share batches"):
        train(problem(), "adam", devices=2)


@pytest.mark.skipif(BACKEND == "jax", reason="possible on JAX")
def test_processes_are_refused():
    why = {"tensorflow": "20585", "torch": "KERAS_BACKEND=jax"}[BACKEND]
    with pytest.raises(ValueError, match=why):
        train(problem(), "adam", coordinator="localhost:1234", process=0, processes=2)


def started(**arguments):
    """Start a training in another process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": BACKEND}
    environment.pop("XLA_FLAGS", None)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def curves(*processes):
    return [
        json.loads(p.communicate(timeout=550)[0].splitlines()[-1])["curve"]
        for p in processes
    ]


def assert_equal(one, other):
    for name in ("loss", "train_loss"):
        np.testing.assert_allclose(one[name], other[name], atol=1e-5, rtol=0)


@pytest.mark.slow
@shares_batches
def test_two_devices_of_a_process_train_mnist_like_one():
    assert_equal(*(curves(started(devices=n))[0] for n in (1, 2)))


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "jax", reason="of JAX")
def test_two_processes_train_mnist_like_one(tmp_path):
    alone = curves(started())[0]
    together = {"coordinator": "127.0.0.1:45931", "processes": 2}
    folders = [tmp_path / "0", tmp_path / "1"]
    both = curves(
        *(started(process=i, folder=str(f), **together) for i, f in enumerate(folders))
    )
    for curve in both:
        assert_equal(alone, curve)
    assert [f.exists() for f in folders] == [True, False]  # one record, by process 0
