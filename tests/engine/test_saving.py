"""Files, pickles and copies of optimizers in any state, and loading what matches."""

import contextlib
import copy
import pickle
import threading
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, callbacks, optimizers, schedules, transforms
from keras_optlab.verify.problems import gradients, step, values, variables, weights
from tests.optimizers.test_wrappers import WRAPPERS
from tests.support.problems import (
    accumulating,
    compiled_model,
    fit,
    mirrored_strategy,
    mlp,
    regression,
    state,
)

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


# Whole models.


def net():
    keras.utils.set_random_seed(5)
    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((8,)), dense(6), dense(6), dense(1)])


def freeze(model):
    model.layers[0].trainable = False


def unfreeze(model):
    for layer in model.layers:
        layer.trainable = True


CHANGES = {
    "frozen": freeze,
    "all frozen": lambda m: setattr(m, "trainable", False),
    "lora": lambda m: m.layers[1].enable_lora(2),
    "int8": lambda m: m.layers[1].quantize("int8"),
    "whole int8": lambda m: m.quantize("int8"),
    "unfrozen": unfreeze,
}
rest = "schedulefreeadamw", "lookahead", "muon"
CHANGED = [pytest.param(n, marks=pytest.mark.every) for n in rest]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["adamw", "ema", *CHANGED])
def test_a_model_changed_before_shipping(name, change, tmp_path):
    model = net()
    if change == "unfrozen":
        freeze(model)
    model.compile(make(name), "mse")
    x, y = regression(32)
    model.fit(x, y, verbose=0)
    CHANGES[change](model)
    model.save(tmp_path / "m.keras")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        loaded = keras.saving.load_model(tmp_path / "m.keras")
    told = [str(x.message) for x in told if "saved state" in str(x.message)]
    assert len(told) == 1
    assert model.layers[0 if "frozen" in change else 1].name in told[0]
    np.testing.assert_allclose(
        model.predict(x, verbose=0), loaded.predict(x, verbose=0), rtol=1e-4, atol=1e-4
    )
    with optimizers.strict_loading(), pytest.raises(ValueError, match="does not fit"):
        keras.saving.load_model(tmp_path / "m.keras")
    if loaded.trainable_variables:
        loaded.fit(x, y, verbose=0)


@pytest.mark.parametrize("build_first", [False, True])
def test_weights_frozen_after_training_are_read_into_a_frozen_model(
    build_first, tmp_path
):
    model = fit(optimizers.Adam(), net())
    model.save_weights(tmp_path / "m.weights.h5")
    other = net()
    freeze(other)
    other.compile(optimizers.Adam(), "mse")
    if build_first:
        other.optimizer.build(other.trainable_variables)

    def load():
        other.load_weights(tmp_path / "m.weights.h5")
        other.optimizer.build(other.trainable_variables)

    with pytest.warns(UserWarning, match="ignored"):
        load()
    theirs = {p.path: p.slots["m"] for p in model.optimizer.plan.parameters}
    theirs = list(theirs.values())[2:]
    own = [p.slots["m"] for p in other.optimizer.plan.parameters]
    for a, b in zip(values(theirs), values(own), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.long
@each
def test_a_model_that_has_not_trained_yet(name, tmp_path):
    """An untrained model is saved, copied, and later restored from its file."""
    x, y = regression(32)
    how = {"batch_size": 16, "verbose": 0, "shuffle": False}
    model = net()
    model.compile(make(name), "mse")
    first = tmp_path / "first.weights.h5"
    model.save(tmp_path / "m.keras")
    model.save_weights(first)
    loaded = {
        "file": keras.saving.load_model(tmp_path / "m.keras"),
        "pickle": pickle.loads(pickle.dumps(model)),
        "deepcopy": copy.deepcopy(model),
    }
    model.fit(x, y, **how)
    end = values(model.weights)
    for other in loaded.values():
        other.fit(x, y, **how)
        for a, b in zip(end, values(other.weights), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    model.load_weights(first)
    model.fit(x, y, **how)
    for a, b in zip(end, values(model.weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


# Optimizers that hold others.


@contextlib.contextmanager
def half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")


TRACES = {
    "nothing": lambda: [],
    "clipping": lambda: [callbacks.GradientClipping(global_norm=1.0)],
    "scheduler": lambda: [
        callbacks.HyperparameterScheduler("weight_decay", schedules.Constant(0.1))
    ],
    "monitor": lambda: [callbacks.Monitor(every=1)],
}


@pytest.mark.parametrize("trace", TRACES)
@pytest.mark.parametrize("name", ["adamw", "ema"])
def test_the_loss_scale_is_kept(name, trace, tmp_path):
    with half_precision():
        model = net()
        model.compile(make(name), "mse")
        model.fit(*regression(32), verbose=0, epochs=5, callbacks=TRACES[trace]())
        updates = int(model.optimizer.inner_optimizer.updates)
        model.optimizer.dynamic_scale.assign(64.0)
        model.optimizer.step_counter.assign(7)
        model.save(tmp_path / "m.keras")
        model.save_weights(tmp_path / "m.weights.h5")
        late = net()
        late.compile(make(name), "mse")
        late.load_weights(tmp_path / "m.weights.h5")
        late.save_weights(tmp_path / "again.weights.h5")
        last = net()
        last.compile(make(name), "mse")
        last.load_weights(tmp_path / "again.weights.h5")
        for other in (keras.saving.load_model(tmp_path / "m.keras"), late, last):
            if not other.optimizer.built:
                other.optimizer.build(other.trainable_variables)
            assert float(other.optimizer.dynamic_scale) == 64
            assert int(other.optimizer.step_counter) == 7
            assert int(other.optimizer.inner_optimizer.updates) == updates > 0
        fresh = net()
        fresh.compile(make(name), "mse")
        fresh.save_weights(tmp_path / "fresh.weights.h5")
        model.load_weights(tmp_path / "fresh.weights.h5")
        assert float(model.optimizer.dynamic_scale) == model.optimizer.initial_scale
        assert int(model.optimizer.step_counter) == 0


def test_a_loss_scale_that_keras_wrote_loads():
    ws = small_weights()
    optimizer = keras.optimizers.LossScaleOptimizer(optimizers.Adam())
    optimizer.build(ws)
    optimizer.dynamic_scale.assign(128.0)
    written = {str(i): v for i, v in enumerate(values(optimizer.variables))}
    for build_first in (True, False):
        other = keras.optimizers.LossScaleOptimizer(optimizers.Adam())
        if build_first:
            other.build(ws)
        other.load_own_variables(written | {"99": np.zeros(3)})
        if not build_first:
            other.build(ws)
        assert float(other.dynamic_scale) == 128


def test_stock_optimizers_in_stock_ones_are_as_they_were():
    ws = small_weights()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())
    optimizer.build(ws)
    store = {}
    optimizer.save_own_variables(store)
    assert store.keys() == {str(i) for i in range(len(optimizer.variables))}


@pytest.mark.skipif(
    not hasattr(keras.optimizers, "MultiOptimizer"), reason="of a later Keras"
)
@pytest.mark.parametrize("name", ["adam", "ema"])
def test_several_optimizers_of_one_model(name, tmp_path):
    from keras.src.optimizers.multi_optimizer import OptimizerMap

    def model():
        model = net()
        there = OptimizerMap(make(name))
        there[f".*{model.layers[0].name}/.*"] = optimizers.SGD(0.01, momentum=0.9)
        model.compile(keras.optimizers.MultiOptimizer(there), "mse")
        return model

    a = model()
    x, y = regression(32)
    a.fit(x, y, verbose=0, shuffle=False)
    a.save(tmp_path / "m.keras")
    b = keras.saving.load_model(tmp_path / "m.keras")
    for m in (a, b):
        m.fit(x, y, verbose=0, shuffle=False)
    for p, q in zip(values(a.weights), values(b.weights), strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-4, atol=1e-5)
    assert int(b.optimizer.iterations) == 2
    a.layers[1].trainable = False
    a.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="ignored"):
        c = keras.saving.load_model(tmp_path / "m.keras")
    assert int(c.optimizer.iterations) == 2
    c.fit(x, y, verbose=0)


# Arguments that are objects.


class Harmonic(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that is not registered with Keras."""

    def __init__(self, d):
        self.d = d

    def __call__(self, step):
        return 0.1 / (1 + ops.cast(step, "float32") / self.d)

    def get_config(self):
        return {"d": self.d}


def constant_rate():
    return 0.01


def heads(variable):
    return "head" in variable.path


OBJECTS = {
    "schedule": (lambda: {"learning_rate": Harmonic(5.0)}, {"Harmonic": Harmonic}),
    "callable": (
        lambda: {"learning_rate": constant_rate},
        {"constant_rate": constant_rate},
    ),
    "group": (
        lambda: {"groups": [Group(heads, learning_rate=3.0)]},
        {"heads": heads},
    ),
    "mask": (lambda: {"weight_decay": 0.1, "decay_mask": heads}, {"heads": heads}),
    "driven": (lambda: {"weight_decay": Harmonic(5.0)}, {"Harmonic": Harmonic}),
}


@pytest.mark.parametrize("case", OBJECTS)
@pytest.mark.parametrize(
    "around", [(), ("sam",), ("ema",), ("grokfast", "sam", "ema")], ids="-".join
)
def test_objects_among_the_arguments_are_saved_however_wrapped(case, around, tmp_path):
    options, objects = OBJECTS[case]
    optimizer = optimizers.SGD(**options())
    for wrapper in around:
        optimizer = optimizers.create(wrapper, optimizer=optimizer)
    model = compiled_model(mlp(), optimizer)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", custom_objects=objects)
    assert type(loaded.optimizer) is type(optimizer)
    loaded.train_on_batch(*regression(16))
    again = type(optimizer).from_config(optimizer.get_config(), objects)
    assert again.get_config() == optimizer.get_config()


# Failures to build.

REFUSALS = {
    "adam": lambda g: optimizers.Adam(groups=g),
    "sam": lambda g: optimizers.SAM(optimizers.SGD(groups=g)),
    "sophia": lambda g: optimizers.Sophia(groups=g),
    "ema": lambda g: optimizers.EMA(optimizers.Adam(groups=g)),
    "schedulefreesgd": lambda g: optimizers.ScheduleFreeSGD(groups=g),
    "accumulating": lambda g: optimizers.Adam(
        groups=g, gradient_accumulation_steps=2, use_ema=True
    ),
}


@pytest.mark.parametrize("precision", [contextlib.nullcontext, half_precision])
@pytest.mark.parametrize("make", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_to_build_is_told_each_time(make, precision):
    with precision():
        model = net()
        model.compile(make([Group("typo", learning_rate=0.5)]), "mse")
        before = len(model.optimizer.variables)
        for _ in range(2):
            with pytest.raises(ValueError, match="matches no trainable weight"):
                model.fit(*regression(16), verbose=0)
            optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
            assert not optimizer.built
        assert len(model.optimizer.variables) == before
        model.compile(make([Group("kernel", learning_rate=0.5)]), "mse")
        model.fit(*regression(16), verbose=0)


# Under a strategy.


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TensorFlow strategy")
@pytest.mark.parametrize("name", ["adamw", "ema", "schedulefreeadamw"])
def test_everything_is_read_within_a_scope(name, tmp_path):
    x, y = regression(32)
    with mirrored_strategy().scope():
        model = net()
        model.compile(make(name), "mse")
        keep = keras.callbacks.ModelCheckpoint(tmp_path / "m.keras")
        watch = [keep, callbacks.Monitor(every=1), callbacks.TensorBoard(tmp_path)]
        model.fit(x, y, epochs=2, verbose=0, callbacks=watch, validation_data=(x, y))
        optimizer = model.optimizer
        optimizer.get_config()
        repr(optimizer)
        assert optimizer.current_learning_rate > 0
        assert optimizer.statistics() is not None
        optimizer.histograms()
        optimizer.learning_rate_scale = 0.5
        assert optimizer.current("learning_rate_scale") == 0.5
        model.load_weights(tmp_path / "m.keras")
        copy.deepcopy(optimizer)
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for a, b in zip(values(model.weights), values(loaded.weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert int(loaded.optimizer.updates) == 2
