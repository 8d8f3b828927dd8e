import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from keras_optlab.lab.problems import find
from keras_optlab.lab.problems.quadratic import CONDITION, NOISE, factor, loss


def test_the_condition_number_is_as_stated():
    eigenvalues = np.linalg.eigvalsh(factor().T @ factor())
    assert eigenvalues[-1] / eigenvalues[0] == pytest.approx(CONDITION, rel=1e-6)
    assert CONDITION == 1e4
    diagonal = np.diag(factor().T @ factor())
    assert diagonal.max() / diagonal.min() < 30  # the axes are not those of the weights


def test_noise_is_in_the_gradients_only():
    (_, y), (_, exact), _ = find("quadratic-100").splits
    assert exact.shape == (1, 100)
    np.testing.assert_array_equal(exact, 1)
    np.testing.assert_allclose(y.mean(axis=0), 1, atol=1e-5)
    assert y.std() == pytest.approx(NOISE, rel=0.01)
    best = np.linalg.solve(factor(), np.ones(100))
    for w, value in ((best, 0.0), (np.zeros(100), 50.0)):
        given = (keras.ops.convert_to_tensor(a, "float32") for a in (exact, [w]))
        found = keras.ops.convert_to_numpy(loss(*given))
        assert found == pytest.approx([value], abs=1e-4)


@pytest.mark.every
def test_gradient_descent_has_the_curvature_that_is_stated():
    problem = find("quadratic-100")
    for rate, falls in ((0.019, True), (0.021, False)):  # 2 / 100 is the bound
        model = problem.model()
        model.compile(optimizers.SGD(rate), loss=problem.loss)
        x, y = problem.splits.train
        model.fit(x[:1024], y[:1024], batch_size=4, verbose=0)
        end = model.evaluate(*problem.splits.validation, verbose=0)
        assert (end < 50) == falls
