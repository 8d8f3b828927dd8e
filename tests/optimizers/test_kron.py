"""PSGD Kron: its preconditioner whitens the gradients."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, optimizers
from keras_optlab.optimizers.kron import fits
from keras_optlab.verify.problems import (
    apply,
    compiled,
    gradients,
    trajectory,
    values,
    variables,
)


def factors(rng, shape):
    """Return a matrix for each axis, far from a multiple of the unit matrix."""
    return [rng.normal(size=(n, n)) + 2 * np.eye(n) for n in shape]


def coloured(rng, matrices):
    """Return a random tensor whose covariance is a Kronecker product."""
    x = rng.normal(size=[len(a) for a in matrices])
    for i, a in enumerate(matrices):
        x = np.moveaxis(np.tensordot(a, x, (1, i)), 0, i)
    return x


def preconditioner(optimizer, i=0):
    """Return Q of a weight as one matrix for the flattened gradient."""
    slots = optimizer.plan.parameters[i].slots
    qs = [values([v])[0] for name, v in slots.items() if name.startswith("q_")]
    whole = np.ones((1, 1))
    for q in qs:
        whole = np.kron(whole, q if q.ndim == 2 else np.diag(q))
    return whole


def test_gradients_come_out_white():
    """P C P approaches I, where C is the covariance of the gradients."""
    rng, shape = np.random.default_rng(0), (3, 4)
    matrices = factors(rng, shape)
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 700, 0.1)
    optimizer = optimizers.Kron(0.0, beta_1=0.0, fit_rate=rate, period=1)
    ws = variables([np.zeros(shape)])
    optimizer.build(ws)
    step = compiled(optimizer, ws)
    root = np.ones((1, 1))
    for a in matrices:
        root = np.kron(root, a)
    covariance = root @ root.T
    errors = []
    for count in (1, 700):
        for _ in range(count):
            step([ops.convert_to_tensor(coloured(rng, matrices), "float32")])
        q = preconditioner(optimizer)
        p = q.T @ q
        white = np.linalg.eigvalsh(p @ covariance @ p)
        errors.append(np.abs(np.log(white)).max())
        assert np.linalg.eigvalsh(p).min() > 0
        np.testing.assert_allclose(p, p.T)
    assert errors[0] > 2.0
    assert errors[1] < 0.5


@pytest.mark.slow
def test_factors_are_triangular_and_long_axes_diagonal():
    optimizer = optimizers.Kron(0.1, max_size=4)
    shapes = {"matrix": (3, 5), "vector": (4,), "scalar": (), "kernel": (2, 1, 3)}
    trajectory(optimizer, [np.zeros(s) for s in shapes.values()], gradients(shapes, 9))
    found = [
        {k: values([v])[0] for k, v in p.slots.items() if k != "m"}
        for p in optimizer.plan.parameters
    ]
    sizes = [[q.shape for q in each.values()] for each in found]
    assert sizes == [[(3, 3), (5,)], [(4,)], [(1,)], [(2, 2), (3, 3)]]
    for q in (q for each in found for q in each.values()):
        if q.ndim == 2:
            np.testing.assert_array_equal(q, np.triu(q))
            assert np.abs(np.triu(q, 1)).max() > 0
        assert np.diagonal(q if q.ndim == 2 else np.diag(q)).min() > 0


@pytest.mark.slow
def test_steps_do_not_depend_on_the_scale_of_the_loss():
    shapes = {"matrix": (3, 5), "vector": (4,)}
    start, grads = [np.zeros(s) for s in shapes.values()], gradients(shapes, 25)

    def end(scale):
        scaled = [[scale * g for g in step] for step in grads]
        return trajectory(optimizers.Kron(0.1), start, scaled)

    for scale in 1e-25, 1e14:  # the square of 1e-25 is 0 in float32
        for x, y in zip(end(1.0), end(scale), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-4)


def test_no_update_is_larger_than_its_bound():
    ws = variables([np.zeros((3, 4))])
    optimizer = optimizers.Kron(1.0, max_rms=0.7)
    optimizer.build(ws)
    step, before = compiled(optimizer, ws), values(ws)[0]
    for i, (g,) in enumerate(gradients({"matrix": (3, 4)}, 20)):
        step([ops.convert_to_tensor(g * 2.0**i, "float32")])
        moved, before = values(ws)[0] - before, values(ws)[0]
        assert 0 < np.sqrt(np.mean(moved**2)) <= 0.7 * (1 + 1e-5)


@pytest.mark.slow
def test_what_has_no_gradient_harms_nothing():
    """Gradients may be zero in one row, in the first steps, or in all steps."""
    ws = variables([np.zeros((4, 3)), np.zeros((4, 3)), np.zeros((4, 3))])
    optimizer = optimizers.Kron(0.1, beta_1=0.0, period=1)
    optimizer.build(ws)
    step = compiled(optimizer, ws)
    rng = np.random.default_rng(0)
    for i in range(120):
        row, late = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)) * (i > 10)
        row[1] = 0.0
        grads = [row, late, np.zeros((4, 3))]
        step([ops.convert_to_tensor(g, "float32") for g in grads])
    _, late, never = values(ws)
    assert not np.any(never)
    assert np.all(late)
    for x in values(optimizer.variables):
        assert np.isfinite(x).all()
        assert np.abs(x).max(initial=0.0) < 1e6


def test_the_share_of_fits_falls_to_three_in_a_hundred():
    n = np.arange(1, 8001)
    share = np.maximum(0.03, np.minimum(1.0, np.exp(-(n - 500) / 1000)))
    counts = ops.convert_to_numpy(fits(ops.convert_to_tensor(n, "float32")))
    assert np.abs(counts - np.cumsum(share)).max() < 2
    due = np.diff(counts, prepend=0.0)
    assert set(due) == {0.0, 1.0}
    assert due[:500].all()
    assert due[-1000:].sum() == pytest.approx(30, abs=1)


@pytest.mark.parametrize("name", ["kron", "shampoo"])
def test_more_than_six_axes_that_are_no_matrix_are_refused(name):
    optimizer = optimizers.create(name, groups=[Group("w0", axes=None)])
    with pytest.raises(ValueError, match="up to 6 axes. Received: 7"):
        apply(optimizer, [np.ones((1,) * 7)], variables([np.ones((1,) * 7)]))
