"""Input of an optimizer: any form of gradients, any variables, any dtype."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, optimizers
from keras_optlab import transforms as T
from keras_optlab.verify.problems import (
    compiled,
    gradients,
    step,
    values,
    variables,
    weights,
)
from tests.engine.test_second_pass import LOOKERS
from tests.support.problems import TAMED, fit, regression, state

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()
SHAPES = {"kernel": (3, 4), "bias": (4,), "filter": (2, 3, 4)}
START = weights(SHAPES)
GRADIENTS = gradients(SHAPES, steps=2)
TRANSFORMS = sorted(set(T.__all__) - {"Transform", "TensorTransform"})
OTHERS = [*optimizers.wrappers(), *(f"transforms.{name}" for name in TRANSFORMS)]

on_tensorflow = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="of TensorFlow alone"
)
each_rule = pytest.mark.parametrize("name", optimizers.names())
each_other = pytest.mark.parametrize("name", OTHERS)


def make(name, **options):
    """Return a rule, a wrapper around Adam, or Adam with a transform."""
    if name in optimizers.wrappers():
        return optimizers.create(name, optimizer=optimizers.Adam(0.01, **options))
    if name.startswith("transforms."):
        cls = getattr(T, name.partition(".")[2])
        made = cls(1.0) if cls.__name__.startswith("ClipBy") else cls()
        arranged = {f"{made.sides[0]}_transforms": [made]}
        return optimizers.Adam(0.01, **arranged, **options)
    return optimizers.create(name, **TAMED.get(name, {}) | options)


def run(optimizer, ws, rows, function=None):
    """Return the weights after one step per row of gradients."""
    optimizer.build(ws)
    for row in rows:
        function(row) if function else optimizer.apply(row, ws)
    return values(ws)


# Dtypes other than `floatx`.


def trains(name, dtype, **how):
    """Check that two steps keep the dtype of the weights, and all values finite."""
    ws = variables(START, dtype)
    optimizer = make(name)
    optimizer.build(ws)
    function = compiled(optimizer, ws, **how)
    for row in GRADIENTS:
        function([ops.convert_to_tensor(g, dtype) for g in row])
    assert values([optimizer.micro_steps]) == [2]
    assert int(optimizer.skipped_steps) == 0
    for w in ws:
        assert keras.backend.standardize_dtype(w.dtype) == dtype
        assert np.isfinite(ops.convert_to_numpy(ops.cast(w, "float32"))).all()


if BACKEND == "jax":
    DTYPES = ["bfloat16", "float16"]  # float64 needs `jax_enable_x64`
else:
    DTYPES = ["bfloat16", "float64", "float16"]
# one narrower and one wider than `floatx`; float16 behaves as bfloat16 does
each_dtype = pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(d, marks=pytest.mark.every if d == "float16" else ())
        for d in DTYPES
    ],
)


@pytest.mark.long
@each_dtype
@each_rule
def test_every_rule_trains_weights_of_another_type(name, dtype):
    trains(name, dtype)


@pytest.mark.every
@each_dtype
@each_other
def test_wrappers_and_transforms_train_weights_of_another_type(name, dtype):
    trains(name, dtype)


@pytest.mark.every
@on_tensorflow
@each_dtype
@each_rule
def test_every_rule_trains_another_type_when_compiled(name, dtype):
    trains(name, dtype, jit_compile=True)


@pytest.mark.parametrize("name", LOOKERS)
@each_dtype
def test_second_passes_are_of_any_type(name, dtype):
    keras.config.set_dtype_policy(dtype)
    try:
        keras.utils.set_random_seed(2)
        hidden = keras.layers.Dense(4, activation="tanh")
        model = keras.Sequential([keras.Input((8,)), hidden, keras.layers.Dense(1)])
        fit(LOOKERS[name](), model, epochs=1, data=regression(96))
    finally:
        keras.config.set_dtype_policy("float32")
    assert int(model.optimizer.updates) == 3  # with and without a second pass


@pytest.mark.parametrize("name", LOOKERS)
def test_second_passes_bear_weights_of_several_types(name):
    keras.utils.set_random_seed(2)
    parts = [
        keras.layers.Dense(4, dtype=DTYPES[0]),
        keras.layers.Dense(4),
        keras.layers.Dense(1, dtype=DTYPES[-1]),
    ]
    model = keras.Sequential([keras.Input((8,)), *parts])
    fit(LOOKERS[name](), model, epochs=1, data=regression(96))
    assert int(model.optimizer.updates) == 3


# Gradients of unknown shape, and gradients that are not tensors.


def of_unknown_shape(optimizer, ws, jit=False):
    """Return a compiled step in which the first axis of gradients is unknown."""
    import tensorflow as tf

    specs = [tf.TensorSpec([None, *w.shape[1:]], w.dtype) for w in ws]
    return tf.function(
        lambda rows: step(optimizer, rows, ws), input_signature=[specs], jit_compile=jit
    )


def assert_static_shapes_do_not_matter(name):
    ends = []
    for function in (of_unknown_shape, compiled):
        ws, optimizer = variables(START), make(name)
        optimizer.build(ws)
        optimizer.collect_statistics(every=1, histograms_every=2)
        rows = [[ops.convert_to_tensor(g, "float32") for g in row] for row in GRADIENTS]
        ends.append(run(optimizer, ws, rows, function(optimizer, ws)))
        if int(optimizer.updates) == 2:  # else it accumulates
            assert optimizer.statistics().step == optimizer.histograms().step == 2
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.long
@on_tensorflow
@each_rule
@pytest.mark.slow
def test_rules_need_no_static_shape(name):
    assert_static_shapes_do_not_matter(name)


@pytest.mark.every
@on_tensorflow
@each_other
def test_wrappers_and_transforms_need_no_static_shape(name):
    assert_static_shapes_do_not_matter(name)


@pytest.mark.parametrize("name", LOOKERS)
def test_second_passes_know_the_shapes_of_gradients(name):
    """TensorFlow loses the shape for a `Dense` on 3 axes when the batch size varies."""
    dense, flatten = keras.layers.Dense, keras.layers.Flatten()
    hidden = dense(3, activation="tanh")
    model = keras.Sequential([keras.Input((4, 2)), hidden, flatten, dense(1)])
    data = np.ones((80, 4, 2)), np.ones((80, 1))
    fit(LOOKERS[name](), model, epochs=1, data=data)
    assert int(model.optimizer.updates) == 3


FORMS = {
    "arrays": lambda g: np.asarray(g, "float32"),
    "arrays of float64": lambda g: np.asarray(g),
    "lists": lambda g: np.asarray(g).tolist(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gradient_accumulation_steps": 2},
        {"loss_scale_factor": 4.0},
        {"global_clipnorm": 1.0, "use_ema": True},
        {"groups": [Group("w0", learning_rate=0.5)], "sparse": "lazy"},
    ],
    ids=lambda o: next(iter(o), "plain"),
)
def test_gradients_may_be_arrays(form, options):
    if form == "lists" and "loss_scale_factor" in options:
        pytest.skip("Keras divides them by the scale as they are")
    ends = []
    for given in (FORMS[form], lambda g: ops.convert_to_tensor(g, "float32")):
        ws, optimizer = variables(START), optimizers.Adam(0.01, **options)
        rows = [[given(g) for g in row] for row in GRADIENTS]
        ends.append(run(optimizer, ws, rows))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


# `tf.Variable`s.


def native(arrays):
    import tensorflow as tf

    return [tf.Variable(np.asarray(a, "float32")) for a in arrays]


def assert_plain_variables_train_alike(name, **options):
    ends = []
    for make_variables in (native, variables):
        ws, optimizer = make_variables(START), make(name, **options)
        optimizer.build(ws)
        function = compiled(optimizer, ws)
        rows = [[ops.convert_to_tensor(g, "float32") for g in row] for row in GRADIENTS]
        ends.append([*run(optimizer, ws, rows, function), *state(optimizer)])
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.long
@on_tensorflow
@each_rule
def test_every_rule_trains_plain_variables(name):
    assert_plain_variables_train_alike(name)


@pytest.mark.every
@on_tensorflow
@each_other
def test_wrappers_and_transforms_train_plain_variables(name):
    assert_plain_variables_train_alike(name)


@on_tensorflow
@pytest.mark.parametrize(
    "options",
    [
        {"gradient_accumulation_steps": 2},
        {"use_ema": True, "ema_overwrite_frequency": 1},
        {"weight_decay": 0.1, "decay_mask": "matrices"},
        {"sparse": "lazy"},
    ],
    ids=lambda o: next(iter(o)),
)
def test_plain_variables_have_all_that_others_have(options):
    assert_plain_variables_train_alike("adam", **options)


@on_tensorflow
def test_small_plain_variables_fill_a_bucket():
    ends = []
    for make_variables in (native, variables):
        ws, optimizer = make_variables([np.ones(3)] * 12), optimizers.RAdam(0.01)
        rows = [[ops.ones(3)] * 12] * 2
        ends.append(run(optimizer, ws, rows))
        assert optimizer.plan.buckets
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@on_tensorflow
def test_the_state_of_plain_variables_is_saved_by_name():
    ws, optimizer = native([np.ones(2)] * 2), optimizers.Adam(0.01)
    optimizer.apply([np.array([1.0, 2.0]), np.array([3.0, 4.0])], ws)
    store = {}
    optimizer.save_own_variables(store)
    other = optimizers.Adam(0.01)
    other.build(native([np.ones(2)] * 2))
    other.load_own_variables(store)
    for a, b in zip(state(optimizer), state(other), strict=True):
        np.testing.assert_array_equal(a, b)


@on_tensorflow
def test_groups_find_plain_variables_by_their_names():
    import tensorflow as tf

    ws = [tf.Variable(1.0, name=name) for name in ("frozen", "other")]
    optimizer = optimizers.SGD(0.5, groups=[Group("frozen*", frozen=True)])
    optimizer.apply([tf.constant(1.0)] * 2, ws)
    assert [float(w) for w in ws] == [1.0, 0.5]
