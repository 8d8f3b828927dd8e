"""Every rule on two replicas: they stay equal, and equal one device; or it refuses.

Each replica sees its own half of each batch. Computed in float64, so that only the
order of sums differs from one device. Rules in `FULL_RANK` amplify even that, since
their first steps are not unique here; their replicas must still be equal.
"""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_optlab.engine.backend.variables import raw
from keras_optlab.verify.comparisons import precision
from keras_optlab.verify.problems import FULL_RANK
from tests.support.devices import on_two_devices
from tests.support.problems import mirrored_strategy
from tests.support.replicas import (
    CASES,
    FEW,
    REPLICAS,
    distances,
    flat,
    network,
    one_device,
    second_pass,
    train,
)

BACKEND = keras.backend.backend()
# To one device, over the distance moved. Gradients of the same rows differ by 1e-7 on
# torch if their batch has another size.
TOLERANCE = 1e-4 if BACKEND == "torch" else 1e-8
# Kernels of TensorFlow may round differently in the two replicas.
BETWEEN = 1e-12 if BACKEND == "tensorflow" else 0


def in_two_processes(tmp_path, how, labels):
    """Return the results of two processes of torch that train these cases together."""
    paths = [os.fspath(tmp_path / f"{rank}.json") for rank in range(REPLICAS)]
    command = [sys.executable, "-m", "tests.support.torch_replica"]
    environment = os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [*command, str(rank), os.fspath(tmp_path / "meeting"), path, how, *labels],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, path in enumerate(paths)
    ]
    errors = [process.communicate(timeout=600)[1] for process in running]
    assert not any(process.returncode for process in running), "\n".join(errors)
    results = []
    for path in paths:
        with open(path) as file:
            results.append(json.load(file))
    return {label: [one[label] for one in results] for label in labels}


@pytest.mark.sampled
@pytest.mark.skipif(BACKEND != "torch", reason="processes of torch")
@pytest.mark.parametrize(
    ("how", "labels"),
    [("hand", FEW), ("hand", list(CASES)), ("keras", list(CASES))],
    ids=["few", "by hand", "keras"],
)
def test_processes_of_torch(how, labels, tmp_path):
    """`DistributedDataParallel`, by hand and as Keras from 3.16 on uses it."""
    if how == "keras" and not hasattr(keras.Model, "_initialize_ddp"):
        pytest.skip("this Keras does not distribute on torch")
    ends = in_two_processes(tmp_path, how, labels)
    refused = {k: v for k, v in ends.items() if isinstance(v[0], str)}
    assert not refused
    apart = {k: distances(*one_device(k), np.array(v)) for k, v in ends.items()}
    assert not {k: d for k, d in apart.items() if d[0] > 0}  # not one bit
    unlike = {k: d for k, d in apart.items() if d[1] > TOLERANCE}
    assert not unlike.keys() - FULL_RANK


@pytest.mark.skipif(BACKEND != "torch", reason="processes of torch")
@pytest.mark.slow
def test_processes_that_keep_their_gradients_are_refused(tmp_path):
    """A second pass would mix derivatives of models that have nothing in common."""
    labels = ["adahessian", "sam", "sophia"]
    ends = in_two_processes(tmp_path, "apart", labels)
    for both in ends.values():
        for end in both:
            assert end.startswith("untrained: ")
            assert "Received: others in each" in end


@pytest.mark.sampled
@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TensorFlow strategy")
@pytest.mark.parametrize("name", CASES)
def test_mirrored_strategy(name):
    with precision("float64"):
        with mirrored_strategy().scope():
            model = network()
        replicas = [raw(v).values for v in model.trainable_variables]
        start = flat([v.numpy() for parts in replicas for v in parts])
        if second_pass(name):
            with (
                mirrored_strategy().scope(),
                pytest.raises(ValueError, match="not possible under a `tf.distribute`"),
            ):
                train(model, name)
            ends = flat([v.numpy() for parts in replicas for v in parts])
            np.testing.assert_array_equal(ends, start)
            return
        with mirrored_strategy().scope():
            train(model, name)
    assert_equal(name, [flat(x) for x in zip(*replicas, strict=True)])


@pytest.mark.sampled
@pytest.mark.skipif(BACKEND != "jax", reason="a JAX distribution")
@on_two_devices
@pytest.mark.parametrize("name", CASES)
def test_data_parallel_on_jax(name):
    distribution = keras.distribution.DataParallel(
        devices=keras.distribution.list_devices()[:REPLICAS], auto_shard_dataset=False
    )
    with precision("float64"), distribution.scope():
        model = train(network(), name)
        values = [raw(v) for v in model.trainable_variables]
    parts = [[s.data for s in x.addressable_shards] for x in values]
    assert_equal(name, [flat(x) for x in zip(*parts, strict=True)])


def assert_equal(name, replicas):
    assert len(replicas) == REPLICAS
    between, apart = distances(*one_device(name), replicas)
    assert between <= BETWEEN
    assert apart <= TOLERANCE or name in FULL_RANK
