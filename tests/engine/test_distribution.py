"""Training on two devices equals training on one, on TensorFlow and JAX."""

import contextlib

import keras
import numpy as np
import pytest

from keras_optlab import Group, optimizers, schedules, transforms
from keras_optlab.verify.problems import values
from tests.support.devices import on_two_devices
from tests.support.problems import mirrored_strategy, regression

BACKEND = keras.backend.backend()

SETTINGS = {
    "clipped": {"global_clipnorm": 0.5, "use_ema": True, "ema_overwrite_frequency": 3},
    "everything": {
        "weight_decay": 0.1,
        "l2": 0.01,
        "groups": [Group("head", learning_rate=0.5)],
        "gradient_transforms": [transforms.Centralize(), transforms.ClipByNorm(0.5)],
        "update_transforms": [transforms.Cautious()],
        "gradient_accumulation_steps": 2,
        "use_ema": True,
    },
}


def model(**options):
    """Return a network without batch normalization: its statistics would differ."""
    keras.utils.set_random_seed(7)
    dense = keras.layers.Dense
    net = keras.Sequential(
        [keras.Input((8,)), dense(16, "tanh", name="hidden"), dense(1, name="head")]
    )
    net.compile(optimizers.Adam(schedules.Cosine(0.05), **options), "mse")
    return net


def trained(net, data=None, statistics=True):
    x, y = data or regression()
    net.optimizer.collect_statistics(every=1 if statistics else None)
    net.fit(x, y, batch_size=32, epochs=3, verbose=0, shuffle=False)
    if not statistics:
        return values(net.weights)
    s = net.optimizer.statistics()
    return [*values(net.weights), np.array([s.gradient_norm, s.update_norm, s.step])]


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-4, atol=1e-5)


@pytest.mark.sampled
@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TensorFlow strategy")
@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS.keys())
def test_mirrored_strategy_equals_one_device(options):
    strategy = mirrored_strategy()
    with strategy.scope():
        net = model(**options)
    assert strategy.num_replicas_in_sync == 2
    assert_same(trained(net), trained(model(**options)))


@pytest.mark.every
@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TensorFlow strategy")
def test_mirrored_strategy_skips_non_finite_steps():
    with mirrored_strategy().scope():
        net = model()
    x, y = regression()
    x[40] = np.nan  # seen by one of the replicas only
    with pytest.warns(UserWarning, match="skipped 1 of 4 steps"):
        trained(net, (x, y))
    assert all(np.isfinite(w).all() for w in values(net.weights))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TensorFlow strategy")
@pytest.mark.slow
def test_slots_that_an_argument_switches_are_built_in_a_replica():
    scope = mirrored_strategy().scope
    ends = []
    for context in (scope, contextlib.nullcontext):
        with context():
            net = model()
            net.compile(optimizers.SGD(0.01), "mse")
        ends.append(trained(net))
    assert_same(*ends)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TensorFlow strategy")
@pytest.mark.slow
def test_weights_of_two_dtypes_under_a_strategy():
    """`tf.distribute` adds up tensors of one dtype at a time."""
    ends = []
    for context in (mirrored_strategy().scope, contextlib.nullcontext):
        keras.utils.set_random_seed(7)
        dense = keras.layers.Dense
        layers = [dense(16, "tanh", dtype="float64"), dense(1)]
        with context():
            net = keras.Sequential([keras.Input((8,)), *layers])
            net.compile(optimizers.Adam(0.01, global_clipnorm=0.5), "mse")
        ends.append(trained(net))
    assert_same(*ends)


@pytest.mark.every
@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TensorFlow strategy")
def test_a_step_without_records_under_a_strategy():
    """A step that records nothing is traced in another way."""
    with mirrored_strategy().scope():
        net = model()
    assert_same(trained(net, statistics=False), trained(model(), statistics=False))


@pytest.mark.skipif(BACKEND != "jax", reason="a JAX distribution")
@on_two_devices
@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS.keys())
def test_data_parallel_equals_one_device(options):
    import jax

    assert len(jax.devices()) == 2
    alone = trained(model(**options))
    distribution = keras.distribution.DataParallel(
        devices=keras.distribution.list_devices(), auto_shard_dataset=False
    )
    keras.distribution.set_distribution(distribution)
    try:
        net = model(**options)
        assert_same(trained(net), alone)
        slot = net.optimizer.plan.parameters[0].slots["m"]
        assert len(slot.value.sharding.device_set) == 2
    finally:
        keras.distribution.set_distribution(None)
