import math

import keras
import numpy as np
import pytest

from keras_optlab.lab.problems import Data, Problem, Target
from keras_optlab.lab.trials import Setting, Trial
from keras_optlab.lab.trials.run import order, target_of, train

X = np.random.default_rng(0).normal(size=(200, 3)).astype("float32")
Y = X @ np.array([[1.0], [2.0], [3.0]], "float32")


def a_problem(**changes):
    def model():
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])

    data = Data((X[:100], Y[:100]), (X[100:150], Y[100:150]), (X[150:], Y[150:]))
    fields = {"batch_size": 10, "epochs": 4, "evaluate_every": 10}
    fields |= {"model": model, "data": data, "loss": "mse"}
    return Problem(**(fields | changes))


def run(problem, rate=0.1, report=None, optimizer="sgd", **trial):
    setting = Setting(optimizer, {"learning_rate": rate})
    made = Trial("a problem", optimizer, setting, **trial)
    return train(made, report, lambda: problem)


@pytest.mark.slow
def test_a_trial_is_repeated_exactly():
    first, second = (run(a_problem()) for _ in range(2))
    for record in (first, second):
        del record["curve"]["seconds"]
    assert first["curve"] == second["curve"]
    assert first["value"] == second["value"] < 0.1
    assert first["updates"] == 40
    assert "problem" not in first  # it may be a path of this machine
    assert first["curve"]["updates"] == [10, 20, 40]


@pytest.mark.every
def test_the_search_reads_the_validation_data_and_the_end_the_test_data():
    problem = a_problem()
    for purpose, split in (("search", 1), ("final", 2)):
        record = run(problem, purpose=purpose)
        keras.utils.set_random_seed(0)
        model = problem.model()
        model.compile(keras.optimizers.SGD(0.1), "mse")
        rows = order(100, 10, 40, 0)
        for batch in rows:
            model.train_on_batch(X[:100][batch], Y[:100][batch])
        expected = model.evaluate(*problem.splits[split], verbose=0)
        assert record["value"] == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_the_target_is_reached_and_ends_the_search():
    problem = a_problem(target=Target("loss", 1.0))
    record = run(problem, stop_at_target=True)
    assert record["status"] == "target"
    assert 0 < record["reached"]["updates"] < 40
    losses = record["curve"]["loss"]
    assert losses[-1] <= 0.99  # a little harder, so that other seeds reach it too
    assert all(loss > 0.99 for loss in losses[:-1])


@pytest.mark.every
def test_there_are_fewer_evaluations_after_the_target():
    problem = a_problem(target=Target("loss", 1.0), evaluate_every=1)
    record = run(problem, purpose="final")
    reached = record["reached"]["updates"]
    points = record["curve"]["updates"]
    assert points[:reached] == [*range(1, reached + 1)]
    few = [i for i in range(reached + 1, 41) if i % 10 == 1]
    assert points[reached:] == [*few, 40]


def test_a_search_asks_for_more_than_the_target():
    accurate = a_problem(target=Target("accuracy", 0.9))
    for purpose, expected in (("final", 0.9), ("confirm", 0.9 + math.sqrt(0.09 / 50))):
        trial = Trial("a problem", "sgd", Setting("sgd"), purpose=purpose)
        assert target_of(accurate, trial).value == pytest.approx(expected)


def test_a_training_that_diverges_is_ended():
    record = run(a_problem(epochs=40), rate=1e6)
    assert record["status"] == "diverged"
    assert record["updates"] < 400
    assert record["value"] is None


@pytest.mark.every
def test_a_trial_that_is_behind_is_ended():
    seen = []

    def report(updates, seconds, value):
        seen.append((updates, seconds, value))
        return updates >= 20

    record = run(a_problem(), report=report)
    assert record["status"] == "pruned"
    assert [s[0] for s in seen] == [10, 20]


def test_an_error_is_recorded():
    def broken():
        raise RuntimeError("no data today")

    record = run(a_problem(data=broken))
    assert record["status"] == "failed"
    assert record["error"] == "RuntimeError: no data today"


@pytest.mark.every
def test_averages_are_evaluated():
    record = run(a_problem(), optimizer="schedulefreesgd", rate=0.1)
    assert record["status"] == "complete"
    assert record["value"] < 1.0


@pytest.mark.every
def test_a_compiled_model_keeps_its_loss_and_metrics():
    def model():
        made = keras.Sequential([keras.layers.Dense(1)])
        made.compile("adam", "mae", metrics=["mse"])
        return made

    record = run(a_problem(model=model, loss=None))
    assert set(record["curve"]) == {"updates", "seconds", "train_loss", "loss", "mse"}


@pytest.mark.every
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.data")
@pytest.mark.parametrize("known", [True, False])
def test_a_dataset_is_trained_and_evaluated(known):
    import tensorflow as tf

    def data():
        train = tf.data.Dataset.from_tensor_slices((X[:100], Y[:100])).batch(8)
        if not known:
            train = train.filter(lambda x, y: True)
        whole = tf.data.Dataset.from_tensor_slices((X[100:], Y[100:])).batch(30)
        return Data(train, whole)

    problem = a_problem(data=data, target=None)
    record = run(problem, purpose="final")
    assert record["status"] == "complete"
    assert record["updates"] == 4 * 13
    assert record["value"] < 0.1


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.data")
def test_a_dataset_must_come_from_a_function_and_end():
    import tensorflow as tf

    endless = tf.data.Dataset.from_tensors((X, Y)).repeat()
    with pytest.raises(TypeError, match="Pass a function that returns"):
        _ = a_problem(data=Data(endless.take(2))).splits
    with pytest.raises(ValueError, match="Leave `repeat` out"):
        _ = a_problem(data=lambda: Data(endless)).splits


def test_all_batches_are_full_and_all_rows_come_once_a_pass():
    rows = order(rows=10, batch_size=4, updates=5, seed=3)
    assert rows.shape == (5, 4)
    first, second = rows.reshape(2, 10)
    assert sorted(first) == sorted(second) == list(range(10))
    assert list(first) != list(second)
    assert order(3, 100, 2, 0).shape == (2, 3)
