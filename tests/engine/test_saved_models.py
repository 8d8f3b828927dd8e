"""Files of whole models, and of optimizers that hold others."""

import contextlib
import copy
import pickle
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, callbacks, optimizers, schedules
from keras_optlab.verify.problems import values
from tests.engine.test_saving import each, make, small_weights
from tests.support.problems import (
    compiled_model,
    fit,
    mirrored_strategy,
    mlp,
    regression,
)

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()


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
@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.every
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
@pytest.mark.slow
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


@pytest.mark.every
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
