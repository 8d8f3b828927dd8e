import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from keras_optlab.lab.problems import find

NAMES = ["rosenbrock", "beale", "rastrigin", "saddle"]


def path(problem, optimizer, updates):
    """Train; return the loss and the point in the end."""
    model = problem.model()
    model.compile(optimizer, loss=problem.loss)
    nothing = np.zeros((updates, 1), "float32")
    model.fit(nothing, nothing, batch_size=1, verbose=0)
    loss = model.evaluate(*problem.splits.validation, verbose=0)
    return loss, keras.ops.convert_to_numpy(model.trainable_variables[0])


@pytest.mark.parametrize("name", NAMES)
def test_the_minimum_is_where_it_is_said_to_be(name):
    surface = find(name).surface
    assert surface.function(*surface.minimum) == pytest.approx(0.0, abs=1e-12)
    _, _, height = surface.grid(401)
    assert height.min() >= 0
    for x, y in (surface.start, surface.minimum):
        (left, right), (low, high) = surface.domain
        assert left < x < right
        assert low < y < high
    around = np.array(surface.minimum) + 1e-3 * np.array([[1, 0], [0, 1], [1, 1]])
    assert all(surface.function(*point) > 0 for point in around)


@pytest.mark.sampled
@pytest.mark.parametrize("name", NAMES)
def test_the_loss_is_the_function_and_falls(name):
    problem = find(name)
    surface = problem.surface
    still, point = path(problem, optimizers.SGD(0.0), 1)
    assert point.tolist() == pytest.approx(surface.start)
    assert still == pytest.approx(float(surface.function(*surface.start)), rel=1e-5)
    loss, point = path(problem, optimizers.Adam(0.01), 100)
    assert loss < 0.9 * still
    assert loss == pytest.approx(surface.function(*map(float, point)), rel=1e-4)


@pytest.mark.every
def test_momentum_jumps_over_local_minima_of_rastrigin():
    problem = find("rastrigin")
    stuck, _ = path(problem, optimizers.Adam(0.03), 1000)
    assert stuck == pytest.approx(12.93, abs=0.1)
    jumped, _ = path(problem, optimizers.Momentum(5e-3, momentum=0.9), 1000)
    assert jumped < problem.target.value


@pytest.mark.every
def test_plain_descent_runs_into_the_saddle_first():
    problem = find("saddle")
    loss, point = path(problem, optimizers.SGD(0.05), 60)
    assert loss == pytest.approx(0.25, abs=0.01)
    assert abs(point).max() < 0.1
    _, point = path(problem, optimizers.SGD(0.05), 400)
    assert point == pytest.approx(problem.surface.minimum, abs=0.01)
