"""Periodic work of rules beyond 2**24 updates, where float32 cannot count."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers, transforms
from keras_optlab.core import curvature
from keras_optlab.core.periods import as_integer_period, is_due
from keras_optlab.core.randomness import seed_at
from keras_optlab.core.registry import find, wrappers
from keras_optlab.engine.weights import weight_update
from keras_optlab.optimizers.kron import fits, recurrent
from keras_optlab.verify.comparisons import precision
from keras_optlab.verify.problems import (
    SPECTRAL,
    compiled,
    gradients,
    values,
    variables,
    weights,
)
from tests.support.problems import NEEDED, label

BEGUN = 2**24 + 5
SHAPES = {"square": (4, 4), "vector": (4,)}
PERIODS = {"period", "reset_every"}


def settings_of(name):
    """Return settings with a short period, if the rule has one."""
    own = {k: v for k, v in NEEDED.get(name, {}).items() if k != "max_size"}
    has_period = "period" in optimizers.info(name).hyperparameters
    return own | ({"period": 3} if has_period else {})


EVERY = [(name, settings_of(name)) for name in optimizers.names()]
FEW = [case for case in EVERY if PERIODS & case[1].keys()]
REST = [
    pytest.param(case, marks=pytest.mark.every) for case in EVERY if case not in FEW
]
WRAPPERS = {
    "grokfast": {},
    "lawa": {"average_checkpoints": 2, "average_period": 3},
    "lookahead": {"sync_period": 3},
    "looksam": {"sam_period": 3},
    "swa": {"average_from": 2, "average_period": 3},
}


def probes(xs, seed, count):
    """Return directions that depend only on the parity of the update count."""
    sign = ops.where(count % 2 == 0, 1.0, -1.0)
    return [ops.ones_like(x) * ops.cast(sign, x.dtype) for x in xs]


def end(make, dtype, begun=BEGUN):
    """Return weights and slots after 8 updates, counted from `begun`."""
    with precision(dtype):
        optimizer = make()
        ws = variables(weights(SHAPES))
        optimizer.build(ws)
        optimizer.updates.assign(begun)
        step = compiled(optimizer, ws)
        for grads in gradients(SHAPES, 8):
            step([ops.convert_to_tensor(g, dtype) for g in grads])
        assert int(optimizer.updates) == begun + 8
        slots = [v for p in optimizer.plan.parameters for v in p.slots.values()]
        return values([*ws, *slots])


def assert_exact(make, rough=False):
    """Compare a float32 run with a float64 run, which can count that far."""
    tolerance = 1e-2 if rough else 1e-4
    for x, y in zip(end(make, "float32"), end(make, "float64"), strict=True):
        np.testing.assert_allclose(
            x, y, rtol=tolerance, atol=tolerance * np.max(np.abs(y), initial=1e-6)
        )


@pytest.mark.parametrize("case", FEW + REST, ids=lambda case: label(case))
def test_a_rule_counts_on(case, monkeypatch):
    name, settings = case
    monkeypatch.setattr(curvature, "standard_normal", probes)
    assert_exact(lambda: optimizers.create(name, **settings), rough=name in SPECTRAL)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_counts_on(name):
    assert_exact(lambda: optimizers.create(name, optimizer=sgd(), **WRAPPERS[name]))


def sgd():
    return optimizers.SGD(0.05)


def test_every_period_of_a_rule_is_tried():
    with_periods = {
        name
        for name in optimizers.names()
        if PERIODS & optimizers.info(name).hyperparameters.keys()
    }
    assert with_periods == {name for name, _ in FEW}
    with_periods = {
        name
        for name in wrappers()
        if any(field.endswith("_period") for field in find(name).own_fields)
    }
    assert with_periods <= WRAPPERS.keys()


def test_periods_are_those_of_python():
    for count in [1, 2, 3, 6, 7, *range(BEGUN, BEGUN + 9), 2**31 - 2]:
        x = ops.convert_to_tensor(np.int32(count))
        for period in (1, 2, 3, 7, 1000, 2**24 + 1):
            assert bool(is_due(x, period)) == ((count - 1) % period == 0)


def test_a_period_that_a_schedule_drives_is_rounded_and_never_zero():
    count = ops.convert_to_tensor(np.int32(7))
    given = (2.6, 1.4, 0.2, 0.0)
    found = [
        int(as_integer_period(ops.convert_to_tensor(x, "float32"), count))
        for x in given
    ]
    assert found == [3, 1, 1, 1]


def test_kron_fits_in_3_percent_of_updates():
    def due(t):
        return fits(t) > fits(t - 1)

    first = ops.arange(4500, 4600)
    early = values([due(ops.cast(first, "float32"))])[0]
    assert early.sum() == 3
    for begun in (5000, 5100, 2**24):
        later = first + (begun - 4500) // 100 * 100
        x = ops.cast(recurrent(later), "float32")
        np.testing.assert_array_equal(values([due(x)])[0], early)


def test_random_numbers_differ_from_one_update_to_the_next():
    counts = [ops.convert_to_tensor(np.int32(BEGUN + i)) for i in range(3)]
    drawn = [values([keras.random.normal((4,), seed=seed_at(0, t))])[0] for t in counts]
    assert len({tuple(x) for x in drawn}) == 3


def test_noise_is_new_in_each_update():
    w = keras.Variable(np.zeros(4, "float32"))
    noise = transforms.AddNoise(0.3)
    optimizer = optimizers.SGD(1.0, gradient_transforms=[noise])
    optimizer.build([w])
    optimizer.updates.assign(BEGUN)
    ends = [values([w])[0]]
    for _ in range(4):
        optimizer.apply([ops.zeros((4,))])
        ends.append(values([w])[0])
    moves = {tuple(np.round(x, 9)) for x in np.diff(ends, axis=0)}
    assert len(moves) == 4


def test_norms_are_kept_in_turn():
    clip = transforms.AutoClip(length=3)
    optimizer = optimizers.SGD(0.1, gradient_transforms=[clip])
    w = keras.Variable([1.0])
    optimizer.build([w])
    optimizer.updates.assign(BEGUN)
    for norm in (1.0, 2.0, 3.0, 4.0):
        optimizer.apply([ops.convert_to_tensor([norm])])
    (norms,) = values(optimizer.plan.transform_shared[0].values())
    assert sorted(norms) == [2.0, 3.0, 4.0]
    assert norms[(BEGUN + 3) % 3] == 4.0


def test_what_is_rounded_is_rounded_anew(monkeypatch):
    module, salts = weight_update, []

    def rounded(x, salt):
        salts.append(int(salt))
        return ops.cast(x, "bfloat16")

    monkeypatch.setattr(module, "round_to_bfloat16", rounded)
    w = keras.Variable([1.0])
    optimizer = optimizers.Adam(0.1, slot_dtype="bfloat16")
    optimizer.build([w])
    optimizer.updates.assign(BEGUN)
    for _ in range(3):
        optimizer.apply([ops.convert_to_tensor([1.0])])
    assert len(set(salts)) == len(salts) == 6
