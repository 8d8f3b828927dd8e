"""`recommend`: the race, and the models that it takes."""

import sys

import keras
import numpy as np
import pytest

from keras_optlab import lab
from tests.lab.fakes import computed

race = sys.modules["keras_optlab.lab.race"]
X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
Y = X @ np.array([[1.0], [2.0], [3.0]], "float32")


class NoRate:
    found = False


@pytest.fixture
def quick(monkeypatch):
    """Compute the records of trials, and find no rate."""

    def train(trial, report, problem):
        return computed(trial) | {"updates": problem().updates}

    monkeypatch.setattr(race, "train", train)
    monkeypatch.setattr(race, "find_rate", lambda *_, **__: NoRate)


def a_model(kind="functional"):
    inputs = keras.Input((3,))
    dense = keras.layers.Dense(1)
    if kind == "sequential":
        model = keras.Sequential([dense])  # not built
    elif kind == "subclass":
        model = Subclass()
    else:
        model = keras.Model(inputs, dense(inputs))
    model.compile("adam", "mse", metrics=["mae"])
    return model


class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, x):
        return self.dense(x)


def test_the_better_half_goes_on_until_one_is_left(quick):
    told = []
    found = lab.recommend(
        a_model(),
        (X, Y),
        epochs=1000,
        optimizers=["adamw", "sgd", "lion"],
        progress=lambda record, passed, budget: told.append((record["label"], budget)),
    )
    assert [len(r.records) for r in found.rounds] == [6, 3]
    best = [r["setting"] for r in found.rounds[0].records[:3]]
    assert all(r["setting"] in best for r in found.rounds[1].records)
    assert found.rounds[1].records[0]["updates"] > found.rounds[0].records[0]["updates"]
    assert found.label == found.rounds[-1].records[0]["label"] == "adamw"
    assert told[0] == ("adamw", pytest.approx(300))
    assert len(told) == 1 + 6 + 3  # one is a measurement of time
    assert "kol.optimizers.AdamW(" in str(found)
    assert "loss=model.loss" in found.code


@pytest.mark.every
@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_a_model_is_copied_and_not_changed(kind):
    model = a_model(kind)
    before = [w.numpy().copy() for w in model.weights]
    found = lab.recommend(model, (X, Y), budget="2s", optimizers=["adamw", "sgd"])
    assert {r["label"] for r in found.rounds[0].records} == {"adamw", "sgd"}
    assert all(
        (a == w.numpy()).all() for a, w in zip(before, model.weights, strict=True)
    )
    assert model.built == (kind == "functional")
    model.compile(found.optimizer(updates=20), "mse")
    losses = model.fit(X, Y, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_a_function_may_return_a_model_of_any_kind(quick):
    found = lab.recommend(lambda: a_model("subclass"), (X, Y), optimizers=["sgd"])
    assert found.label == "sgd"


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: a_model("subclass"), "a subclassed model cannot be copied"),
        (
            lambda: keras.Sequential([keras.layers.Dense(1)]),
            "expected a compiled model",
        ),
    ],
)
def test_a_model_that_cannot_be_copied(model, says):
    with pytest.raises(TypeError, match=says):
        lab.recommend(model(), (X, Y))


@pytest.mark.parametrize("budget", ["soon", "-3", 0, "5 weeks", None])
def test_a_budget_that_is_no_time(budget):
    with pytest.raises(ValueError, match="must be a time such as '90s'"):
        lab.recommend(a_model(), (X, Y), budget=budget)


def test_a_race_in_which_nothing_trains_says_why(quick, monkeypatch):
    def fails(trial, *_):
        failed = {"status": "failed", "error": "ValueError: NaN", "total_seconds": 1}
        return trial.as_dict() | failed

    monkeypatch.setattr(race, "train", fails)
    with pytest.raises(ValueError, match="could be trained. Received: ValueError: NaN"):
        lab.recommend(a_model(), (X, Y), optimizers=["sgd"])
