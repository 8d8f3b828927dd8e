"""Rules with two sets of weights resume from a file as if uninterrupted."""

import copy
import gc
import os
import pickle
import subprocess
import sys
import warnings
import weakref
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, callbacks, optimizers, schedules
from keras_optlab.verify.problems import values
from tests.engine.test_evaluation_weights import MOVERS, mover
from tests.support.problems import regression

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()
HOW = {"batch_size": 16, "verbose": 0, "shuffle": False}


def small(optimizer, **how):
    """Return a small seeded network whose optimizer is built in its first step."""
    keras.utils.set_random_seed(3)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((8,)), dense(4, "tanh"), dense(1)])
    model.compile(optimizer, "mse", **how)
    return model


def trained(model, epochs=2):
    model.fit(*regression(48), epochs=epochs, **HOW)
    return model


def both_sets(model):
    """Return the evaluation weights and the training weights."""
    evaluated = values(model.trainable_variables)
    with model.optimizer.training_weights():
        return evaluated, values(model.trainable_variables)


def assert_close(a, b, tolerance=1e-5):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=10 * tolerance, atol=tolerance)


def assert_same_run(a, b):
    """Check that both sets of weights are equal, and still are after more training."""
    for x, y in zip(both_sets(a), both_sets(b), strict=True):
        assert_close(x, y)
    assert_close(values(trained(a).weights), values(trained(b).weights))


@mover
@pytest.mark.parametrize("way", ["fit", "run_eagerly", "train_on_batch", "own loop"])
@pytest.mark.slow
def test_resumes_from_a_weights_file(name, way, tmp_path):
    path = tmp_path / "m.weights.h5"
    a = trained(small(MOVERS[name]()))
    a.save_weights(path)
    b = small(MOVERS[name](), run_eagerly=way == "run_eagerly")
    b.load_weights(path)
    x, y = regression(16)
    if way == "train_on_batch":
        for model in (a, b):
            model.train_on_batch(x, y)
    elif way == "own loop":
        for model in (a, b):
            with model.optimizer.training_weights():
                g = [w.value * 0.1 for w in model.trainable_variables]
                model.optimizer.apply(g, model.trainable_variables)
    trained(a)
    trained(b)
    assert_same_run(a, b)


@pytest.mark.every
@mover
def test_resumes_after_several_saves_from_what_was_never_trained_on(name, tmp_path):
    paths = [tmp_path / f"{i}.weights.h5" for i in range(3)]
    a = trained(small(MOVERS[name]()))
    a.save_weights(paths[0])
    for here, there in zip(paths[:-1], paths[1:], strict=True):
        model = small(MOVERS[name]())
        model.load_weights(here)
        model.save_weights(there)
    last = small(MOVERS[name]())
    last.load_weights(paths[-1])
    for loaded in (copy.deepcopy(last), pickle.loads(pickle.dumps(last)), last):
        assert_same_run(copy.deepcopy(a), trained(loaded, 0))


@mover
@pytest.mark.slow
def test_a_file_read_into_a_model_that_has_trained(name, tmp_path):
    path = tmp_path / "m.weights.h5"
    a = trained(small(MOVERS[name]()))
    a.save_weights(path)
    b = trained(small(MOVERS[name]()), 5)
    b.load_weights(path)
    assert_same_run(a, b)


@mover
@pytest.mark.slow
def test_a_file_read_in_the_middle_of_fit(name, tmp_path):
    path = tmp_path / "m.weights.h5"
    a = trained(small(MOVERS[name]()))
    a.save_weights(path)

    class Back(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.load_weights(path)

    b = small(MOVERS[name]())
    b.fit(*regression(48), epochs=3, callbacks=[Back()], **HOW)
    assert_same_run(trained(a), b)


@mover
@pytest.mark.slow
def test_checkpoints_of_weights_within_fit(name, tmp_path):
    keep = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}.weights.h5", save_weights_only=True
    )
    a = small(MOVERS[name]())
    a.fit(*regression(48), epochs=4, callbacks=[keep], **HOW)
    b = small(MOVERS[name]())
    b.load_weights(tmp_path / "2.weights.h5")
    assert_same_run(a, trained(b))


@mover
@pytest.mark.slow
def test_a_model_pickled_within_fit(name):
    found = []

    class Pickling(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found.append(pickle.loads(pickle.dumps(self.model)))

    a = small(MOVERS[name]())
    a.fit(*regression(48), epochs=4, callbacks=[Pickling()], **HOW)
    assert_same_run(a, trained(found[1]))


@mover
@pytest.mark.parametrize("source", ["no optimizer", "stock", "set_weights"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_weights_without_another_set_begin_both(name, source, when, tmp_path):
    """If a file has one set of weights, both sets start at it."""
    path = tmp_path / "m.weights.h5"
    theirs = small(keras.optimizers.SGD(0.1))
    if source == "stock":
        trained(theirs)
    theirs.set_weights([w + 0.5 for w in theirs.get_weights()])
    if source == "no optimizer":
        theirs = keras.models.clone_model(theirs)
        theirs.set_weights([w + 0.5 for w in theirs.get_weights()])
    theirs.save_weights(path)
    model = small(MOVERS[name]())
    if when == "after":
        trained(model)
    if source == "set_weights":
        model.set_weights(theirs.get_weights())
    else:
        with warnings.catch_warnings():  # stock SGD has no such slots
            warnings.simplefilter("ignore")
            model.load_weights(path)
            model.optimizer.build(model.trainable_variables)
    if when == "before":
        model.optimizer.build(model.trainable_variables)
    for weights in both_sets(model):
        assert_close(weights, theirs.get_weights(), 1e-6)
    trained(model)
    assert np.isfinite(model.evaluate(*regression(), verbose=0))


@mover
@pytest.mark.slow
def test_putting_the_same_weights_back_changes_nothing(name):
    class Putting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.set_weights(self.model.get_weights())

    a, b = (trained(small(MOVERS[name]())) for _ in range(2))
    b.set_weights(b.get_weights())
    for x, y in zip(both_sets(a), both_sets(b), strict=True):
        assert_close(x, y, 0)
    b.fit(*regression(48), epochs=2, callbacks=[Putting()], **HOW)
    assert_close(values(trained(a).weights), values(b.weights))


@mover
def test_weights_set_within_fit_are_where_both_sets_go_on(name):
    target = [np.full(w.shape, 0.25) for w in small("sgd").weights]

    class Setting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.set_weights(target)
            assert_close(self.model.get_weights(), target, 1e-6)
            self.training = values(self.model.trainable_variables)

    setting = Setting()
    model = small(MOVERS[name]())
    model.fit(*regression(48), callbacks=[setting], **HOW)
    assert_close(setting.training, target, 1e-6)


@mover
@pytest.mark.slow
def test_state_trees_are_those_of_evaluation(name):
    found = []

    class Reading(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found.append(self.model.get_state_tree("numpy_array"))

    a = small(MOVERS[name]())
    a.fit(*regression(48), epochs=3, callbacks=[Reading()], **HOW)
    keras.utils.clear_session(free_memory=False)  # state trees use names
    b = trained(small(MOVERS[name]()), 1)
    b.set_state_tree(found[1])
    assert_same_run(a, trained(b, 1))


@mover
def test_a_loop_of_ones_own_saves_where_it_is(name):
    """Without a model, saved state belongs to the weights that the loop saves."""
    g = [ops.ones((2,))]
    a, w = MOVERS[name](), keras.Variable([1.0, -2.0], name="w")
    for _ in range(3):
        a.apply(g, [w])
    store, weights = {}, values([w])[0]
    a.save_own_variables(store)
    b, v = MOVERS[name](), keras.Variable(np.float32(weights), name="w")
    b.load_own_variables(store)
    for optimizer, x in ((a, w), (b, v)):
        optimizer.apply(g, [x])
    assert_close(values([w]), values([v]))
    for optimizer, x in ((a, w), (b, v)):
        with optimizer.evaluation_weights():
            found = values([x])
    assert_close(values([w]), values([v]))
    assert not np.array_equal(found[0], values([v])[0])


@pytest.mark.slow
@mover
def test_resumes_in_a_new_process(name, tmp_path):
    code = (
        "import sys\n"
        "from tests.engine.test_two_sets import MOVERS, small, trained\n"
        f"model = small(MOVERS[{name!r}]())\n"
        "if sys.argv[1] == 'on':\n"
        "    model.load_weights('m.weights.h5')\n"
        "trained(model).save_weights('m.weights.h5')\n"
    )
    root = str(Path(__file__).parents[2])
    for step in ("begin", "on"):
        subprocess.run(
            [sys.executable, "-c", code, step],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": root},
            check=True,
        )
    b = small(MOVERS[name]())
    b.load_weights(tmp_path / "m.weights.h5")
    assert_same_run(trained(trained(small(MOVERS[name]()))), trained(b, 0))


# The move between the two sets.


@pytest.mark.skipif(BACKEND == "torch", reason="nothing is compiled")
@mover
def test_a_move_is_compiled_once(name, monkeypatch):
    cls, calls = type(MOVERS[name]()), []
    for method in ("to_evaluation", "to_training"):
        rule = getattr(cls, method)

        def counted(self, w, s, h, rule=rule):
            calls.append(w)
            return rule(self, w, s, h)

        monkeypatch.setattr(cls, method, counted)
    model = small(MOVERS[name]())
    x, y = regression(16)
    for _ in range(3):
        model.train_on_batch(x, y)
    seen = len(calls)
    for _ in range(5):
        model.train_on_batch(x, y)
    assert len(calls) == seen > 0


def test_a_move_reads_hyperparameters_when_it_is_made():
    def moved(change):
        optimizer, w = optimizers.ScheduleFreeSGD(0.1), keras.Variable([1.0, -2.0])
        optimizer.apply([ops.ones((2,))], [w])
        optimizer.apply([ops.ones((2,))], [w])
        with optimizer.evaluation_weights():
            pass
        change(optimizer)
        with optimizer.evaluation_weights():
            return values([w])[0]

    beta = "beta_1"
    free = [
        moved(lambda o: None),
        moved(lambda o: o.adjust(beta, 0.5)),
        moved(lambda o: o.drive(beta, schedules.Constant(0.5))),
        moved(lambda o: (o.drive(beta, 0.5), o.release(beta))),
    ]
    assert not np.allclose(free[0], free[1])
    np.testing.assert_allclose(free[1], free[2], rtol=1e-6)
    np.testing.assert_allclose(free[0], free[3], rtol=1e-6)


def test_groups_move_by_hyperparameters_of_their_own():
    """With constant gradients, the average does not depend on the interpolation."""
    optimizer = optimizers.ScheduleFree(
        optimizers.SGD(0.1), groups=[Group("b", interpolation=0.5)]
    )
    ws = [keras.Variable([1.0, -2.0], name=n) for n in "ab"]
    for _ in range(3):
        optimizer.apply([ops.ones((2,))] * 2, ws)
    assert not np.allclose(*values(ws))
    with optimizer.evaluation_weights():
        np.testing.assert_allclose(*values(ws), rtol=1e-5)


@mover
@pytest.mark.slow
def test_an_optimizer_and_its_compiled_moves_are_freed(name):
    model = trained(small(MOVERS[name]()), 1)
    model.train_on_batch(*regression(16))
    gone = weakref.ref(model.optimizer)
    del model
    keras.utils.clear_session()
    gc.collect()
    assert gone() is None


@mover
@pytest.mark.slow
def test_short_weights_move_too(name):
    keras.config.set_dtype_policy("bfloat16")
    try:
        model = trained(small(MOVERS[name]()))
        for _ in range(3):
            model.train_on_batch(*regression(16))
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(np.isfinite(w).all() for w in values(model.weights))


@pytest.mark.slow
@mover
def test_an_optimizer_of_two_models_harms_neither(name):
    optimizer = MOVERS[name]()
    a, b = small(optimizer), small("sgd")
    trained(a)
    sets = both_sets(a)
    b.compile(optimizer, "mse")
    before = values(b.weights)
    with pytest.raises(ValueError, match="built for weights of another model"):
        trained(b)
    b.set_weights(before)
    b.evaluate(*regression(16), verbose=0)
    assert_close(values(b.weights), before, 0)
    for x, y in zip(sets, both_sets(a), strict=True):
        assert_close(x, y)
    same = keras.Sequential(a.layers)
    same.compile(optimizer, "mse")
    trained(same)
    assert_close(same.get_weights(), a.get_weights(), 0)
    assert optimizer.at_evaluation_weights


def test_early_stopping_of_ours_goes_on_from_the_best_weights():
    model = small(MOVERS["ema"]())
    x, y = regression(48)
    stop = callbacks.EarlyStopping("val_loss", patience=1, restore_best=True)
    model.fit(x, y, epochs=6, validation_data=(x, -y), callbacks=[stop], **HOW)
    evaluated, training = both_sets(model)
    assert_close(evaluated, training, 1e-6)
