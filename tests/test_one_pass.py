"""A weight updated in one pass over memory ends where the plain rule leads it."""

import keras
import numpy as np
import pytest

import keras_optlab as kol
from keras_optlab import optimizers
from keras_optlab.engine import kernels, one_pass
from tests.problems import (
    ALL,
    compiled,
    gradients,
    label,
    trajectory,
    values,
    variables,
    weights,
)

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="XLA compiles the others' steps"
)

SHAPES = {"vector": (4,), "wide": (3, 5), "also": (3, 5), "kernel": (2, 3, 4, 5)}
NEVER = 2**60
OPTIONS = {
    "alone": {},
    "decay": {"weight_decay": 0.1, "decay_mask": "matrices"},
    "clipped": {"global_clipnorm": 0.5, "l1": 0.01, "l2": 0.01},
    "proximal": {"l1_proximal": 0.01, "weight_decay": 0.01},
    "accumulated": {"gradient_accumulation_steps": 3, "clipvalue": 0.5},
    "averaged": {"use_ema": True, "weight_decay": 0.1},
}


def steps(n=100):
    """Return gradients, two of them not finite."""
    grads = gradients(SHAPES, n)
    grads[5][1][0, 0], grads[40][3][0, 0, 0, 0] = np.nan, np.inf
    return grads


def assert_same(ends, others):
    """Compare by the distance moved, but no closer than float32 stores a weight."""
    for x, y, start in zip(ends, others, weights(SHAPES), strict=True):
        moved = np.abs(y - start).max()
        np.testing.assert_allclose(x, y, rtol=0, atol=3e-6 * moved + 1e-8)


def groups():
    return [
        kol.Group(lambda v: v.path == "w1", learning_rate=0.5),
        kol.Group(lambda v: v.path == "w3", weight_decay=0.0),
    ]


def ends(monkeypatch, worth_it, make):
    """Return where the weights end if weights from this size on take one pass."""
    monkeypatch.setattr(one_pass, "WORTH_IT", worth_it)
    return trajectory(make(), weights(SHAPES), steps())


@pytest.mark.parametrize("case", ALL, ids=label)
def test_one_pass_is_the_plain_rule(case, monkeypatch):
    name, kwargs = case
    plain, fused = (
        ends(monkeypatch, n, lambda: optimizers.create(name, **kwargs))
        for n in (NEVER, 1)
    )
    assert_same(fused, plain)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", ["adam", "lion"])
def test_one_pass_keeps_every_option(name, options, monkeypatch):
    def make():
        return optimizers.create(name, learning_rate=0.01, groups=groups(), **options)

    plain, fused = (ends(monkeypatch, n, make) for n in (NEVER, 1))
    assert_same(fused, plain)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
@pytest.mark.parametrize("name", ["adam", "lion"])
def test_one_pass_in_other_types(name, dtype, monkeypatch):
    def end(worth_it):
        monkeypatch.setattr(one_pass, "WORTH_IT", worth_it)
        return trajectory(
            optimizers.create(name, learning_rate=0.01), weights(SHAPES), steps(), dtype
        )

    assert_same(end(1), end(NEVER))


@pytest.mark.parametrize("name", ["adam", "adamw", "lion"])
def test_state_moves_between_one_pass_and_the_plain_rule(name, monkeypatch):
    grads = steps(60)

    def run(first, then):
        ws, optimizer = (
            variables(weights(SHAPES)),
            optimizers.create(name, learning_rate=0.01),
        )
        optimizer.build(ws)
        for worth_it, some in (first, grads[:30]), (then, grads[30:]):
            monkeypatch.setattr(one_pass, "WORTH_IT", worth_it)
            held = {}
            optimizer.save_own_variables(held)
            optimizer = optimizers.create(name, learning_rate=0.01)
            optimizer.build(ws)
            optimizer.load_own_variables(held)
            step = compiled(optimizer, ws)
            for g in some:
                step([keras.ops.convert_to_tensor(x, "float32") for x in g])
        return values(ws)

    plain = run(NEVER, NEVER)
    for first, then in (1, NEVER), (NEVER, 1):
        assert_same(run(first, then), plain)


def test_kernels_are_of_optimizers_that_exist():
    assert set(kernels.KERNELS) <= set(optimizers.names())


def test_weights_of_one_shape_share_a_compiled_step(monkeypatch):
    monkeypatch.setattr(one_pass, "WORTH_IT", 1)
    traced = []
    lion = optimizers.create("lion")
    update = type(lion).update
    monkeypatch.setattr(
        type(lion),
        "update",
        lambda self, w, *rest: traced.append(w.shape) or update(self, w, *rest),
    )
    trajectory(lion, weights(SHAPES), gradients(SHAPES, 2))
    assert sorted(map(tuple, traced)) == sorted(set(SHAPES.values()))


def test_rules_of_whole_tensors_stay_plain(monkeypatch):
    monkeypatch.setattr(one_pass, "WORTH_IT", 1)
    lion = optimizers.create("lion")
    monkeypatch.setattr(type(lion), "elementwise", False)
    monkeypatch.setattr(one_pass.Passes, "run", lambda *_: pytest.fail("compiled"))
    trajectory(lion, weights(SHAPES), gradients(SHAPES, 2))
