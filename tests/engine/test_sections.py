"""Weights that count their own updates, without `fit`."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers, schedules
from keras_optlab.core.groups import Group
from keras_optlab.engine import count_apart
from keras_optlab.engine.backend.variables import to_numpy
from tests.support.problems import ALL, apply, label, values, variables

SHAPES = (4, 3), (3,), (5, 2)
START = [np.random.default_rng(i).normal(size=s) for i, s in enumerate(SHAPES)]
GRADS = [
    [np.random.default_rng(10 * t + i).normal(size=s) for i, s in enumerate(SHAPES)]
    for t in range(12)
]
LATE = 5  # updates without the last two weights
UNALIKE = {"looksam", "sophia", "adahessian", "sam", "asam"}  # look at a batch twice


def rules():
    """Yield the settings of all rules that treat each weight by itself."""
    for name, settings in ALL:
        cls = optimizers.info(name).cls
        sums = cls.use_sums is not optimizers.Optimizer.use_sums
        if name not in UNALIKE and not sums and not settings.get("global_clipnorm"):
            yield name, settings


def trained(optimizer, grads, rows):
    """Return some weights after updates by their gradients alone."""
    ws = variables([START[i] for i in rows])
    for g in grads:
        apply(optimizer, [g[i] for i in rows], ws)
    return values(ws)


def trained_late(optimizer):
    """Return all weights; the last two are updated from update `LATE` on."""
    ws = variables(START)
    optimizer.build(ws)
    assert count_apart(optimizer, [ws[1:]])
    assert not count_apart(optimizer, [ws[1:]])
    for t, g in enumerate(GRADS):
        n = 1 if t < LATE else len(ws)
        optimizer.apply([ops.convert_to_tensor(x, "float32") for x in g[:n]], ws[:n])
    return values(ws)


@pytest.mark.sampled
@pytest.mark.parametrize("case", [*rules()], ids=label)
def test_late_weights_train_as_with_a_new_optimizer(case):
    name, settings = case
    head = trained(optimizers.create(name, **settings), GRADS, [0])
    late = trained(optimizers.create(name, **settings), GRADS[LATE:], [1, 2])
    got = trained_late(optimizers.create(name, **settings))
    for x, y in zip(got, head + late, strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-6, atol=1e-7)


@pytest.mark.slow
def test_without_it_the_first_steps_of_adam_are_too_long():
    ws = variables(START)
    optimizer = optimizers.Adam(0.1)
    optimizer.build(ws)
    for t in range(300):
        g = [ops.convert_to_tensor(x, "float32") for x in GRADS[t % 12]]
        optimizer.apply(g[:1], ws[:1])
    optimizer.apply(g, ws)
    step = np.abs(values(ws)[1] - START[1]).max()
    assert 0.15 < step < 0.4  # instead of 0.1


def test_weights_that_have_trained_keep_their_slots_and_count():
    optimizer, ws = optimizers.Nadam(0.1), variables(START)
    optimizer.build(ws)
    for g in GRADS[:3]:
        apply(optimizer, g, ws)
    count_apart(optimizer, [[ws[1]], [ws[2]]])
    for g in GRADS[3:6]:
        apply(optimizer, g[:1], ws[:1])
    for g in GRADS[6:]:
        apply(optimizer, g, ws)
    expected = trained(optimizers.Nadam(0.1), [*GRADS[:3], *GRADS[6:]], [1, 2])
    for x, y in zip(values(ws)[1:], expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-6, atol=1e-7)
    counts = [int(to_numpy(s.updates)) for s in optimizer.plan.sections.values()]
    assert (counts, int(to_numpy(optimizer.updates))) == ([9, 9], 12)


def many_small():
    """Return weights that some rules update as one vector, and gradients of them."""
    rng = np.random.default_rng(3)
    start = [rng.normal(size=(4,)) for _ in range(40)]
    return start, [[rng.normal(size=(4,)) for _ in start] for _ in range(6)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adam", "adamax", "lion", "nadam"])
def test_buckets_are_divided_and_keep_their_values(name):
    start, grads = many_small()
    ws, alone = variables(start), variables(start)
    optimizer, expected = optimizers.create(name), optimizers.create(name)
    for g in grads[:3]:
        apply(optimizer, g, ws)
        apply(expected, g, alone)
    count_apart(optimizer, [ws[:15], ws[15:25]])
    for bucket in optimizer.plan.buckets:
        assert len({p.section for p in bucket.members}) == 1
    for g in grads[3:]:
        apply(optimizer, g, ws)
        apply(expected, g, alone)
    for x, y in zip(values(ws), values(alone), strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-6, atol=1e-7)


def test_groups_keep_their_values_in_sections():
    groups = [Group("w1", learning_rate=0.5, beta_1=0.5)]
    got = trained_late(optimizers.Adam(0.1, groups=groups))
    expected = trained(optimizers.Adam(0.05, beta_1=0.5), GRADS[LATE:], [1])
    np.testing.assert_allclose(got[1], expected[0], rtol=2e-6, atol=1e-7)
    expected = trained(optimizers.Adam(0.1), GRADS[LATE:], [2])
    np.testing.assert_allclose(got[2], expected[0], rtol=2e-6, atol=1e-7)


def test_schedules_count_all_updates():
    rate = schedules.Piecewise([LATE], [1.0, 0.1])
    got = trained_late(optimizers.Adam(rate))
    expected = trained(optimizers.Adam(0.1), GRADS[LATE:], [1, 2])
    for x, y in zip(got[1:], expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["dog", "prodigy", "mechanic"])
def test_a_rule_with_sums_shares_its_step_size(name):
    optimizer = (
        optimizers.Mechanic(optimizers.Adam(0.1))
        if name == "mechanic"
        else optimizers.create(name)
    )
    got = trained_late(optimizer)
    assert all(np.isfinite(x).all() for x in got)
    assert all(np.any(x != y) for x, y in zip(got, START, strict=True))
    (key,) = optimizer.plan.sections
    assert optimizer.plan.shared[key] is optimizer.plan.shared[-1]


def store_of(optimizer):
    store = {}
    optimizer.save_own_variables(store)
    return store


@pytest.mark.parametrize("first", ["built", "unbuilt"])
def test_saved_and_loaded(first):
    optimizer, ws = optimizers.Nadam(0.1), variables(START)
    optimizer.build(ws)
    count_apart(optimizer, [[ws[1]], [ws[2]]])
    for t, g in enumerate(GRADS[:8]):
        n = 1 if t < LATE else 2 if t < LATE + 1 else 3
        apply(optimizer, g[:n], ws[:n])
    store = store_of(optimizer)
    again, copies = optimizers.Nadam(0.1), variables(values(ws))
    if first == "built":
        again.build(copies)
    again.load_own_variables(store)
    for g in GRADS[8:]:
        apply(optimizer, g, ws)
        apply(again, g, copies)
    for x, y in zip(values(ws), values(copies), strict=True):
        np.testing.assert_array_equal(x, y)
    counts = [int(to_numpy(s.updates)) for s in again.plan.sections.values()]
    assert sorted(counts) == [6, 7]


def test_a_state_without_counts_is_one_of_all_updates():
    plain, ws = optimizers.Adam(0.1), variables(START)
    for g in GRADS[:4]:
        apply(plain, g, ws)
    optimizer = optimizers.Adam(0.1)
    optimizer.build(variables(START))
    count_apart(optimizer, [optimizer.weights[1:]])
    optimizer.load_own_variables(store_of(plain))
    (section,) = optimizer.plan.sections.values()
    assert int(to_numpy(section.updates)) == 4
    fresh = optimizers.Adam(0.1)
    fresh.build(variables(START))
    optimizer.load_own_variables(store_of(fresh))
    assert int(to_numpy(section.updates)) == 0


def test_a_skipped_step_does_not_count():
    optimizer, ws = optimizers.Adam(0.1), variables(START)
    optimizer.build(ws)
    count_apart(optimizer, [ws[1:]])
    apply(optimizer, [np.full(s, np.nan) for s in SHAPES], ws)
    (section,) = optimizer.plan.sections.values()
    assert int(to_numpy(section.updates)) == 0


def test_accumulation_leaves_frozen_weights_alone():
    optimizer = optimizers.Adam(0.1, gradient_accumulation_steps=2)
    ws = variables(START)
    optimizer.build(ws)
    count_apart(optimizer, [ws[1:]])
    for v in ws[1:]:
        v.trainable = False
    for g in GRADS[:4]:
        apply(optimizer, g[:1], ws[:1])
    (section,) = optimizer.plan.sections.values()
    assert int(to_numpy(section.updates)) == 0
    for v in ws[1:]:
        v.trainable = True
    for g in GRADS[4:]:
        apply(optimizer, g, ws)
    alone = optimizers.Adam(0.1, gradient_accumulation_steps=2)
    expected = trained(alone, GRADS[4:], [1, 2])
    for x, y in zip(values(ws)[1:], expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-6, atol=1e-7)


def test_values_of_other_weights_are_refused_on_jax():
    optimizer, ws = optimizers.Adam(0.1), variables(START)
    optimizer.build(ws)
    with pytest.raises(ValueError, match="Unknown variables"):
        optimizer.weights_of([v.value for v in ws[:1]])
    count_apart(optimizer, [ws[1:]])
    with pytest.raises(ValueError, match="Unknown variables"):
        optimizer.weights_of([v.value for v in ws[:1]])
    for v in ws[1:]:
        v.trainable = False
    assert optimizer.weights_of([v.value for v in ws[:1]]) == ws[:1]
    assert isinstance(ws[0], keras.Variable)
