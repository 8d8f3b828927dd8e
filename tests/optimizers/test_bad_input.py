"""Matrix optimizers on weights and gradients that do not suit them."""

import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from keras_optlab.verify.problems import apply, compiled, values, variables

pytestmark = pytest.mark.sampled

# settings with a decomposition in every step
RULES = {
    "muon": {},
    "scion": {},
    "soap": {"period": 1},
    "klsoap": {"period": 1},
    "soapmuon": {"period": 1},
    "shampoo": {"period": 1},
    "galore": {"period": 1, "rank": 1000},
    "apollo": {"period": 1, "rank": 1000, "projection": "svd"},
    "kron": {"period": 1},
}
each_rule = pytest.mark.parametrize("name", RULES)


def after(name, shapes, steps, **settings):
    """Return the optimizer and the weights, which start at 1, after these gradients."""
    optimizer = optimizers.create(name, learning_rate=0.01, **RULES[name] | settings)
    ws = variables([np.ones(shape) for shape in shapes])
    optimizer.build(ws)
    step = compiled(optimizer, ws)
    for grads in steps:
        step([ops.convert_to_tensor(g, "float32") for g in grads])
    return optimizer, values(ws)


def draws(shapes, steps=4):
    rng = np.random.default_rng(0)
    return [[rng.normal(size=s) for s in shapes] for _ in range(steps)]


@each_rule
def test_a_model_without_matrices_trains(name):
    shapes = [(3,), ()]
    optimizer, ends = after(name, shapes, draws(shapes))
    for end in ends:
        assert np.isfinite(end).all()
        assert np.all(end != 1)
    kept = {k for p in optimizer.plan.parameters for k in p.slots}
    assert not kept & {"basis", "direction"}


@pytest.mark.slow
@each_rule
def test_sides_of_one_and_ranks_above_the_dimensions(name):
    shapes = [(1, 1), (1, 5), (5, 1), (2, 3)]
    _, ends = after(name, shapes, draws(shapes))
    for end in ends:
        assert np.isfinite(end).all()
        assert np.all(end != 1)


@pytest.mark.parametrize(
    "name",
    [n for n in optimizers.names() if "max_size" in optimizers.info(n).cls.fields],
)
def test_what_is_too_large_for_matrices_is_said_once(name, recwarn):
    optimizer = optimizers.create(name, max_size=10)
    start = [np.zeros((12, 11)), np.zeros((3, 4)), np.zeros(50)]
    ws = variables(start)
    for _ in range(2):
        apply(optimizer, [np.ones_like(w) for w in start], ws)
    (said,) = (str(w.message) for w in recwarn if "max_size" in str(w.message))
    assert "'w0' (12, 11)" in said
    assert "w1" not in said
    assert "w2" not in said


@pytest.mark.parametrize("name", ["soap", "shampoo", "kron"])
def test_an_axis_that_is_too_long_has_no_matrix(name):
    optimizer, (end,) = after(name, [(50, 3)], draws([(50, 3)]), max_size=10)
    assert np.isfinite(end).all()
    for slot in optimizer.plan.parameters[0].slots.values():
        assert tuple(slot.shape) != (50, 50)


SINGULAR = {
    "zeros first": [np.zeros((3, 4))] * 2 + [np.eye(3, 4)] * 2,
    "rank one": [np.ones((3, 4))] * 4,
    "one entry": [np.eye(1, 12).reshape(3, 4)] * 4,
    "tiny": [1e-30 * (np.eye(3, 4) + 1)] * 4,
}


@each_rule
@pytest.mark.parametrize("grads", SINGULAR.values(), ids=SINGULAR)
def test_singular_matrices_leave_no_nan(name, grads):
    optimizer, (end,) = after(name, [(3, 4)], [[g] for g in grads])
    for x in [end, *values(optimizer.variables)]:
        assert np.isfinite(x).all()


@pytest.mark.slow
@each_rule
@pytest.mark.parametrize("size", [1e25, 3e38])
def test_a_gradient_whose_square_is_no_number_does_no_harm(name, size):
    """The step is skipped, as a running sum of squares would stay infinite."""
    shapes = [(3, 4), (5,)]
    good = draws(shapes, 6)
    bad = [[np.sign(g) * size for g in good[0]]]
    optimizer, ends = after(name, shapes, [*good[:3], *bad, *good[3:]])
    for x in [*ends, *values(optimizer.variables)]:
        assert np.isfinite(x).all()
    assert (int(optimizer.updates), int(optimizer.skipped_steps)) == (6, 1)
    _, before = after(name, shapes, good[:3])
    for x, y in zip(ends, before, strict=True):
        assert not np.array_equal(x, y)
        assert np.abs(x - y).max() < 1


@each_rule
def test_many_axes(name):
    shape = (1, 2, 1, 2, 1, 1, 2)
    assert np.all(after(name, [shape], draws([shape]))[1][0] != 1)
