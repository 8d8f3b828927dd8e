"""Files, pickles and copies of optimizers in any state, and loading what matches."""

import copy
import pickle
import threading
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, optimizers, transforms
from keras_optlab.verify.problems import gradients, step, values, variables, weights
from tests.optimizers.test_wrappers import WRAPPERS
from tests.support.problems import accumulating, fit, mlp, state

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()
SHAPES = {"wide": (3, 5), "tall": (5, 3), "vector": (4,)}
NAMES = optimizers.names()
COUNTS = "accumulated_gradients"  # one entry per weight
FEW = {"sam", "ema", "mechanic"}  # the other wrappers only in `pytest -m every`
each = pytest.mark.parametrize(
    "name",
    [
        *NAMES,
        *(
            pytest.param(n, marks=() if n in FEW else pytest.mark.every)
            for n in WRAPPERS
        ),
    ],
)


def make(name, **options):
    """Return a rule, or a wrapper around Adam."""
    if name in NAMES:
        return optimizers.create(name, **options)
    inner = optimizers.Adam(0.01, **options)
    return optimizers.create(name, optimizer=inner, **WRAPPERS[name])


def small_weights(shapes=SHAPES):
    return variables(weights(shapes, size=0.5))


def trained(optimizer, ws, steps=3, start=0):
    for g in gradients(SHAPES, steps=start + steps)[start:]:
        given = [ops.convert_to_tensor(x, "float32") for x in g]
        step(optimizer, given[: len(ws)], ws)
    return optimizer


class Store(dict):
    """A store that refuses a second write to a key, as a file does."""

    def __setitem__(self, key, value):
        assert key not in self, key
        assert "/" not in key
        super().__setitem__(key, value)


def saved(optimizer):
    store = Store()
    optimizer.save_own_variables(store)
    return store


def assert_same_store(a, b):
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


@pytest.mark.long
@each
@pytest.mark.parametrize("way", [pickle, copy], ids=["pickle", "deepcopy"])
def test_pickles_and_copies_with_its_state(name, way):
    def again(x):
        return copy.deepcopy(x) if way is copy else pickle.loads(pickle.dumps(x))

    optimizer, ws = make(name), small_weights()
    assert repr(again(optimizer)) == repr(again(again(optimizer)))
    built = make(name)
    built.build(ws)
    trained(optimizer, ws)
    for one in (built, optimizer):
        other = again(one)
        assert type(other) is type(one)
        assert other.get_config() == one.get_config()
        assert_same_store(saved(other), saved(one))  # before it has weights
        other.build(ws)
        assert_same_store(saved(other), saved(one))
    assert int(other.updates) > 0


@pytest.mark.long
@each
def test_state_that_waits_for_weights_is_saved_again(name):
    ws = small_weights()
    whole = saved(trained(make(name), ws))
    store = whole
    for _ in range(2):
        optimizer = make(name)
        optimizer.load_own_variables(store)
        store = saved(optimizer)
        assert_same_store(store, whole)
    optimizer.learning_rate = 0.123  # by hand, before the first step
    optimizer.build(ws)
    assert float(optimizer.learning_rate) == pytest.approx(0.123)
    assert_same_store(saved(optimizer), whole | {"learning_rate": np.float32(0.123)})


@pytest.mark.long
@each
def test_what_an_untrained_optimizer_saved_brings_another_to_its_beginning(name):
    for build_first in (False, True):
        ws = small_weights()
        fresh = make(name)
        if build_first:
            fresh.build(ws)
        store = saved(fresh)
        optimizer = trained(make(name), ws)
        for w, x in zip(ws, values(small_weights()), strict=True):
            w.assign(x)
        optimizer.load_own_variables(store)
        fresh.build(ws)
        assert_same_store(saved(optimizer), saved(fresh))


@pytest.mark.long
@each
def test_what_is_kept_has_one_key_each(name):
    """Also with the engine's gradient sums and averages beside the slots of a rule."""
    options = {"use_ema": True, "groups": [Group("w0", learning_rate=0.5)]}
    options |= {"gradient_transforms": [transforms.ZClip(), transforms.AutoClip()]}
    options["update_transforms"] = [transforms.Cautious()]
    if name in NAMES:
        optimizer = accumulating(name, gradient_accumulation_steps=2, **options)
    else:
        optimizer = make(name, **options)
    if optimizer is None:
        optimizer = make(name, **options)
    ws = small_weights()
    trained(optimizer, ws)
    store = saved(optimizer)
    kept = sum(x.size for x in state(optimizer))
    form = optimizer.has_evaluation_weights  # saved, but no variable
    assert sum(np.size(x) for x in store.values()) == kept + form
    other = type(optimizer).from_config(optimizer.get_config())
    other.build(ws)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        other.load_own_variables(store)
    assert_same_store(saved(other), store)


def test_files_of_earlier_versions_load():
    """Earlier versions saved the engine's sums and averages as slots."""
    ws = small_weights()
    options = {"use_ema": True, "gradient_accumulation_steps": 2}
    store = saved(trained(optimizers.Adam(**options), ws))
    old = {k.replace("kept|", "slot|"): v for k, v in store.items()}
    assert old.keys() != store.keys()
    other = optimizers.Adam(**options)
    other.build(ws)
    other.load_own_variables(old)
    assert_same_store(saved(other), store)


# Added and removed weights.


@pytest.mark.long
@each
def test_what_fits_is_read_and_the_rest_told_once(name):
    few, many = small_weights(), small_weights()
    for a, b in ((few[:2], many), (many, few[:2])):
        source, optimizer = trained(make(name), a), make(name)
        optimizer.build(b)
        fresh, store = saved(optimizer), saved(source)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            optimizer.load_own_variables(store)
        found = saved(optimizer)
        both = [k for k in found if k in store and k != COUNTS]
        assert_same_store({k: found[k] for k in both}, {k: store[k] for k in both})
        slots = [k for k in found if k.startswith("slot|")]
        new = [k for k in slots if k not in store]
        copies = {s.name for s in optimizer.slots if s.init == "weight"}
        for k in (k for k in new if k.split("|")[1] not in copies):
            np.testing.assert_array_equal(found[k], fresh[k])
        gone = [k for k in store if k.startswith("slot|") and k not in found]
        told = [x for x in told if "saved state" in str(x.message)]
        assert len(told) == bool(new or gone)
        for k in [*new, *gone]:
            assert k.split("|")[3] in str(told[0].message)
            assert k.split("|")[1] in str(told[0].message)
        if new or gone:
            with optimizers.strict_loading(), pytest.raises(ValueError, match="fit"):
                optimizer.load_own_variables(store)
        optimizer.learning_rate = 0.01
        step(optimizer, [ops.ones(w.shape) for w in b], b)


def test_a_slot_of_another_shape_begins_anew():
    a = trained(optimizers.Adam(), small_weights())
    ws = variables([np.ones((3, 4)), np.ones((5, 3)), np.ones(4)])
    b = optimizers.Adam()
    b.build(ws)
    said = r"w0: m has shape \(3, 5\) in the file and \(3, 4\) here; reinitialized"
    with pytest.warns(UserWarning, match=said):
        b.load_own_variables(saved(a))
    m = [p.slots["m"] for p in b.plan.parameters]
    assert [bool(np.any(x)) for x in values(m)] == [False, True, True]


def test_another_optimizers_state_is_left_out_whole():
    source = trained(optimizers.RMSprop(0.5), small_weights())
    for build_first in (True, False):
        optimizer, ws = optimizers.Adam(0.01), small_weights()
        if build_first:
            optimizer.build(ws)

        def load(optimizer=optimizer, ws=ws):
            optimizer.load_own_variables(saved(source))
            optimizer.build(ws)

        with pytest.warns(UserWarning, match="state of another optimizer"):
            load()
        fresh = optimizers.Adam(0.01)
        fresh.build(ws)
        assert_same_store(saved(optimizer), saved(fresh))


def test_a_slot_more_or_less():
    a = trained(optimizers.Adam(), small_weights())
    b = optimizers.Adam(amsgrad=True, use_ema=True)
    ws = small_weights()
    b.build(ws)
    with pytest.warns(UserWarning, match="not in the file; reinitialized"):
        b.load_own_variables(saved(a))
    assert int(b.updates) == 3
    average = values([v for v in b.averages])
    for x, w in zip(average, values(ws), strict=True):
        np.testing.assert_array_equal(x, w)  # a new average starts at the weight
    c = optimizers.Adam()
    c.build(ws)
    with pytest.warns(
        UserWarning, match="average, v_max in the file, not here; ignored"
    ):
        c.load_own_variables(saved(b))


def test_stock_state_that_does_not_fit_is_left_out(tmp_path):
    theirs = fit(keras.optimizers.RMSprop(0.01, momentum=0.9))
    theirs.save_weights(tmp_path / "m.weights.h5")
    model = mlp()
    model.compile(optimizers.Adam(0.02), "mse")
    model.load_weights(tmp_path / "m.weights.h5")
    with pytest.warns(UserWarning, match="unnamed values of shapes"):
        model.optimizer.build(model.trainable_variables)
    assert int(model.optimizer.updates) == int(model.optimizer.iterations) == 0
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)


def test_strictness_is_of_the_thread_and_waits_with_the_state():
    store = saved(trained(optimizers.Adam(), small_weights()))
    optimizer, found = optimizers.Adam(), []
    with optimizers.strict_loading():
        optimizer.load_own_variables(store)

        def elsewhere():
            other = optimizers.Adam()
            other.build(small_weights()[:2])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                other.load_own_variables(store)
            found.append(int(other.updates))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert found == [3]
    for _ in range(2):
        with pytest.raises(ValueError, match="w2: m, v in the file, not here"):
            optimizer.build(small_weights()[:2])
        assert not optimizer.built
    optimizer.build(small_weights())
    assert int(optimizer.updates) == 3


@pytest.mark.parametrize(
    ("theirs", "own", "weights", "pairs"),
    [
        ("a|k b|k", "b|k a|k", "", "a|k b|k"),
        ("dense|k dense_1|k", "dense_4|k dense_5|k", "", "dense_4|k dense_5|k"),
        ("dense_1|k dense_2|k", "dense|k dense_1|k", "", "dense|k dense_1|k"),
        ("old|k older|k", "new|k newer|k", "", "new|k newer|k"),
        ("dense|k dense_1|k", "dense_1|k", "", "- dense_1|k"),
        ("dense|k", "dense_1|k", "dense|k dense_1|k", "-"),  # another layer is frozen
        ("dense|k dense_1|k", "other|k", "", "- -"),
        ("m|dense|k m|dense_1|k", "dense|k dense_1|k", "", "dense|k dense_1|k"),
        ("m|dense|k m|dense_1|k", "dense_1|k", "dense|k dense_1|k", "- dense_1|k"),
        ("m|dense|k m|dense_1|k", "dense_8|k", "dense_7|k dense_8|k", "- dense_8|k"),
        ("dense|k", "dense_7|k dense_8|k", "", "-"),  # ambiguous
        ("a|dense|k b|dense|k", "b|dense|k", "a|dense|k b|dense|k", "- b|dense|k"),
    ],
)
def test_weights_are_matched_by_path_or_unambiguous_order(theirs, own, weights, pairs):
    from keras_optlab.engine.saving.matching import matched

    theirs, own, weights = theirs.split(), own.split(), (weights or own).split()
    expected = {t: p for t, p in zip(theirs, pairs.split(), strict=True) if p != "-"}
    assert matched(theirs, own, weights) == expected
