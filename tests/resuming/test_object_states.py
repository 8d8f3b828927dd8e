import pickle

import keras
import numpy as np
import pytest

from keras_optlab.resuming.object_states import set_state_of, state_of
from keras_optlab.stopping.wait import Wait


class Counter(keras.callbacks.Callback):
    def __init__(self, limit=3, path="a"):
        super().__init__()
        self.limit, self.path = limit, path
        self.count, self.values, self.random = 0, [], np.random.default_rng(0)
        self.layer = keras.layers.Dense(1)
        self.call = lambda: self.count
        self.wait = Wait("min", 2)
        self.nested = {"wait": self.wait, "n": 1}


class Own(Counter):
    def get_state(self):
        return {"count": self.count}

    def set_state(self, state):
        self.count = state["count"]


def moved(state, to):
    set_state_of(to, pickle.loads(pickle.dumps(state)))
    return to


def test_attributes_that_are_state_move():
    one = Counter()
    first = dict(vars(one))
    one.count, one.values = 5, [1.0, 2.0]
    one.random.random()
    one.wait.update(0.5, 1)
    other = moved(state_of(one, first), Counter(limit=7, path="b"))
    assert (other.count, other.values) == (5, [1.0, 2.0])
    assert other.random.random() == one.random.random()
    assert other.wait.best == 0.5
    assert (other.limit, other.path) == (7, "b")  # configuration stays
    assert other.layer is not one.layer
    assert other.call() == 5


def test_configuration_that_training_changes_is_state():
    one = Counter()
    first = dict(vars(one))
    one.limit = -1
    assert moved(state_of(one, first), Counter(limit=7)).limit == -1


def test_objects_stay_where_others_refer_to_them():
    one, other = Counter(), Counter()
    one.wait.update(0.25, 1)
    wait = other.wait
    moved(state_of(one, {}), other)
    assert other.wait is wait
    assert wait.best == 0.25


def test_own_methods_are_used():
    one = Own()
    one.count, one.values = 2, [1]
    other = moved(state_of(one, {}), Own())
    assert (other.count, other.values) == (2, [])


def test_a_state_is_a_copy():
    one = Counter()
    one.values = [1]
    state = state_of(one, {})
    one.values.append(2)
    assert moved(state, Counter()).values == [1]


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.EarlyStopping(min_delta=0.1, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(),
        keras.callbacks.ModelCheckpoint("a.keras"),
        keras.callbacks.History(),
        keras.callbacks.SwapEMAWeights(),
    ],
    ids=lambda c: type(c).__name__,
)
def test_callbacks_of_keras(callback):
    state = state_of(callback, dict(vars(callback)))
    moved(state, callback)
