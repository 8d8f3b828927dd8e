import keras
import numpy as np
import pytest

from keras_optlab.lab.problems import Data, Problem, Surface, Target, split

X = np.arange(40.0).reshape(20, 2)
Y = X[:, :1]


def model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


def made(**changes):
    return Problem(**{"model": model, "data": (X, Y), "loss": "mse"} | changes)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"model": "mlp"}, TypeError, "function that returns a new model.*'mlp'"),
        ({"metrics": "accuracy"}, TypeError, "`metrics` must be a list.*'accuracy'"),
        ({"target": 0.98}, TypeError, "`target` must be a lab.Target.*target=0.98"),
        ({"surface": model}, TypeError, "`surface` must be a Surface"),
        ({"batch_size": 0}, ValueError, "`batch_size` .* must be an integer.*=0"),
        ({"batch_size": 1.5}, TypeError, "`batch_size` .* must be an integer.*=1.5"),
        ({"batch_size": True}, TypeError, "`batch_size` .* must be an integer.*=True"),
        ({"epochs": float("inf")}, ValueError, "`epochs` .* must be a number.*=inf"),
        ({"epochs": float("nan")}, ValueError, "`epochs` .* must be a number.*=nan"),
        ({"evaluate_every": -1}, ValueError, "`evaluate_every` .* must be an integer"),
        ({"monitor": "score"}, ValueError, "Pass mode='min'"),
    ],
)
def test_bad_arguments_are_refused(wrong, error, said):
    with pytest.raises(error, match=said):
        made(**wrong)


def test_a_built_model_is_no_function_that_makes_one():
    with pytest.raises(TypeError, match="function that returns a new model"):
        made(model=model())


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (X, TypeError, "`data` must be lab.Data"),
        ((X, Y[:19]), ValueError, r"same number of rows.*\(20, 2\), \(19, 1\)"),
        ((X[:3], Y[:3]), ValueError, "at least 4 rows.*rows=3"),
        (Data((X, Y), (X[:0], Y[:0])), ValueError, "at least 1.*validation"),
        (Data((X, Y), X), TypeError, r"expected \(x, y\).*validation="),
        (([1, 2, 3, 4], [1, 2, 3, 4]), ValueError, "same number of rows"),
    ],
)
def test_bad_data_is_refused(data, error, said):
    for given in (data, lambda: data):
        with pytest.raises(error, match=said):
            made(data=given).splits  # noqa: B018


def test_rows_are_split_once_and_stay_together():
    parts = split({"a": X, "b": X[:, 0]}, Y)
    assert [len(y) for _, y in parts] == [14, 3, 3]
    assert sorted(np.concatenate([y for _, y in parts])[:, 0]) == Y[:, 0].tolist()
    for x, y in parts:
        np.testing.assert_array_equal(x["a"][:, 0], y[:, 0])
        np.testing.assert_array_equal(x["b"], y[:, 0])


def test_data_is_loaded_when_it_is_needed_and_once():
    calls = []

    def data():
        calls.append(1)
        return Data((X, Y))

    problem = made(data=data, batch_size=8, epochs=1.5)
    assert not calls
    assert problem.updates_per_epoch == 2.5  # 20 rows
    assert problem.updates == 4
    assert problem.splits.rows == 20
    assert calls == [1]


def test_what_is_compared_follows_from_the_target():
    assert made().monitor == "loss"
    accurate = made(target=Target("accuracy", 0.9))
    assert (accurate.monitor, accurate.mode) == ("accuracy", "max")
    other = made(target=Target("accuracy", 0.9), monitor="loss")
    assert (other.monitor, other.mode) == ("loss", "min")
    mine = made(target=Target("score", 3.0, mode="max"))
    assert (mine.monitor, mine.mode) == ("score", "max")
    assert accurate.with_changes(epochs=3).target is accurate.target


def test_problems_are_compared_by_identity():
    problem = made()
    assert problem == problem  # noqa: PLR0124
    assert problem != made()
    assert len({problem, made()}) == 2


def test_a_surface_is_drawn_on_a_grid_over_its_domain():
    def bowl(x, y, xp=np):
        return xp.square(x) + 10 * xp.square(y)

    surface = Surface(bowl, (1.0, 2.0), (0.0, 0.0), ((-1.0, 1.0), (-2.0, 2.0)))
    x, y, height = surface.grid(5)
    assert x[0].tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert y[:, 0].tolist() == [-2.0, -1.0, 0.0, 1.0, 2.0]
    np.testing.assert_array_equal(height, x**2 + 10 * y**2)
    (point,) = surface.model().trainable_variables
    assert keras.ops.convert_to_numpy(point).tolist() == [1.0, 2.0]
