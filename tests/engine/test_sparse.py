"""Sparse gradients: all rows by default, or lazily only the rows with a gradient."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, optimizers
from keras_optlab.core.registry import find
from keras_optlab.engine.update import sparse as engine
from keras_optlab.engine.update.sparse import Touched, rests_without_gradient
from keras_optlab.transforms import Centralize
from keras_optlab.verify.problems import compiled, values, variables
from tests.support.problems import ALL, fit, label

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.skipif(
    BACKEND == "torch", reason="Keras has no sparse gradients on torch"
)
SHAPE = (6, 3)
AT = np.array([4, 1, 4])  # a row that occurs twice
ROWS = np.array([[1.0, 2.0, -1.0], [3.0, 4.0, 0.5], [5.0, -6.0, 2.0]])


def sparse(rows=ROWS, at=AT, shape=SHAPE):
    """Return a sparse gradient of the backend, with some rows."""
    rows = ops.convert_to_tensor(rows, "float32")
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.IndexedSlices(rows, tf.constant(at), tf.constant(shape))
    from jax.experimental.sparse import BCOO

    return BCOO((rows, ops.convert_to_tensor(at[:, None])), shape=shape)


def full(rows=ROWS, at=AT, shape=SHAPE):
    whole = np.zeros(shape)
    np.add.at(whole, at, rows)
    return whole


def start(shape=SHAPE):
    return 0.1 * np.random.default_rng(0).normal(size=shape)


def run(optimizer, gradient, shape=SHAPE, steps=5, **how):
    (w,) = variables([start(shape)])
    optimizer.build([w])
    step = compiled(optimizer, [w], **how)
    for _ in range(steps):
        step([gradient])
    return values([w])[0]


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm"])
@pytest.mark.parametrize("mode", ["dense", "lazy"])
def test_rows_that_occur_twice_are_summed_before_clipping(clip, mode):
    """Keras takes the norm of the slices without summing equal rows."""
    optimizer = optimizers.SGD(1.0, sparse=mode, **{clip: 0.5})
    clipped = 0.5 * full() / np.linalg.norm(full())
    end = run(optimizer, sparse(), steps=1)
    np.testing.assert_allclose(end, start() - clipped, rtol=1e-5)


@pytest.mark.sampled
@pytest.mark.parametrize("case", ALL, ids=label)
def test_lazy_is_the_rule_on_the_touched_rows(case):
    name, kwargs = case
    if not find(name).elementwise or find(name)().needs_second_pass:
        pytest.skip("a rule of whole tensors or of whole batches")
    options = {"weight_decay": 0.1, "l1": 0.01, "global_clipnorm": 1.0} | kwargs

    def make(**more):
        return optimizers.create(name, learning_rate=0.01, **options, **more)

    end = run(make(sparse="lazy"), sparse())
    touched = sorted(set(AT))
    others = [i for i in range(SHAPE[0]) if i not in touched]
    np.testing.assert_array_equal(end[others], np.float32(start())[others])
    (w,) = variables([start()[touched]])
    optimizer = make()
    for _ in range(5):
        optimizer.apply([ops.convert_to_tensor(full()[touched], "float32")], [w])
    np.testing.assert_allclose(end[touched], values([w])[0], rtol=1e-5, atol=1e-7)


def test_the_default_is_the_rule_on_all_rows():
    dense = ops.convert_to_tensor(full(), "float32")
    ends = [run(optimizers.Adam(0.01), g) for g in (sparse(), dense)]
    np.testing.assert_allclose(*ends, rtol=1e-6)


@pytest.mark.parametrize("kind", ["dense", "lazy"])
def test_with_a_factor_on_the_loss(kind):
    scaled = optimizers.Adam(0.1, sparse=kind, loss_scale_factor=8.0)
    plain = optimizers.Adam(0.1, sparse=kind)
    ends = [run(scaled, sparse(8.0 * ROWS)), run(plain, sparse())]
    np.testing.assert_allclose(*ends, rtol=1e-6)


def test_a_lazy_step_that_is_not_finite_is_skipped():
    bad = sparse(np.where(ROWS == 4.0, np.nan, ROWS))
    optimizer = optimizers.Adam(0.01, sparse="lazy")
    np.testing.assert_array_equal(run(optimizer, bad), np.float32(start()))
    assert int(optimizer.skipped_steps) == 5


def test_statistics_of_a_lazy_step():
    optimizer = optimizers.SGD(1.0, sparse="lazy")
    optimizer.collect_statistics(1)
    run(optimizer, sparse(), steps=1)
    record = optimizer.statistics()
    expected = np.linalg.norm(full()), np.linalg.norm(full()), np.linalg.norm(start())
    norms = record.gradient_norm, record.update_norm, record.weight_norm
    np.testing.assert_allclose(norms, expected, rtol=1e-5)


def test_histograms_of_a_lazy_step_count_all_rows():
    optimizer = optimizers.SGD(1.0, sparse="lazy")
    optimizer.collect_statistics(None, 1)
    run(optimizer, sparse(), steps=1)
    layers = optimizer.histograms().layers
    assert {sum(h.counts) for h in layers["w0"].__dict__.values()} == {np.prod(SHAPE)}


def test_a_small_table_lies_in_a_bucket():
    """One weight of the bucket has a sparse gradient, the others have dense ones."""
    arrays = [start(), start((4,)), start((2, 3))]
    whole = [np.ones((4,)), np.ones((2, 3))]

    def end(mode):
        ws = variables(arrays)
        optimizer = optimizers.SGD(0.1, momentum=0.9, sparse=mode)
        for _ in range(3):
            given = [ops.convert_to_tensor(g, "float32") for g in whole]
            optimizer.apply([sparse(), *given], ws)
        return values(ws)

    for x, y in zip(end("lazy"), end("dense"), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5)  # no decay: other rows stay


# ------------------------------ rules that change no row without a gradient

RESTING = [
    (name, kwargs)
    for name, kwargs in ALL
    if rests_without_gradient(optimizers.create(name, **kwargs))
]


@pytest.fixture
def touched(monkeypatch):
    """Return a list that grows whenever only touched rows of a weight are updated."""
    found, of = [], Touched.of
    monkeypatch.setattr(engine, "SMALL", 0)
    monkeypatch.setattr(Touched, "of", lambda *args: found.append(args) or of(*args))
    return found


def test_some_rules_move_nothing_without_a_gradient():
    assert {"sgd", "signsgd", "adagrad"} <= {name for name, _ in RESTING}


@pytest.mark.parametrize("case", RESTING, ids=label)
def test_they_do_not(case):
    name, kwargs = case
    optimizer = optimizers.create(name, **kwargs)
    (w,) = variables([start()])
    optimizer.apply([ops.convert_to_tensor(full(), "float32")], [w])
    before = values([w, *optimizer.plan.parameters[0].slots.values()])
    optimizer.apply([ops.zeros(SHAPE)], [w])
    after = values([w, *optimizer.plan.parameters[0].slots.values()])
    for x, y in zip(before, after, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", ["sgd", "signsgd", "adagrad"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clipnorm": 0.5},
        {"global_clipnorm": 0.5},
        {"clipvalue": 0.5},
        {"groups": [Group("*", learning_rate=0.5)]},
        {"weight_decay": 0.1, "decay_mask": lambda v: False},
    ],
    ids=lambda options: next(iter(options), "none"),
)
def test_their_touched_rows_are_all_that_is_updated(name, options, touched):
    dense = ops.convert_to_tensor(full(), "float32")
    ends = [
        run(optimizers.create(name, learning_rate=0.1, **options), g)
        for g in (sparse(), dense)
    ]
    assert touched
    np.testing.assert_allclose(*ends, rtol=1e-6)
    others = sorted(set(range(SHAPE[0])) - set(AT))
    np.testing.assert_array_equal(ends[0][others], np.float32(start())[others])


class Restless(optimizers.SGD, registered=False):
    """A subclass of SGD that moves weights also without a gradient."""

    def update(self, w, g, s, h, t):
        u, s = super().update(w, g, s, h, t)
        return u - 0.1 * w, s


SEE_ALL = {
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9),
    "weight_decay": lambda: optimizers.SGD(0.1, weight_decay=0.1),
    "l1": lambda: optimizers.SGD(0.1, l1=0.1),
    "l2": lambda: optimizers.SGD(0.1, l2=0.1),
    "l1_proximal": lambda: optimizers.SGD(0.1, l1_proximal=0.1),
    "use_ema": lambda: optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=2),
    "accumulation": lambda: optimizers.SGD(0.1, gradient_accumulation_steps=2),
    "adaptive_clipnorm": lambda: optimizers.SGD(0.1, adaptive_clipnorm=0.1),
    "transforms": lambda: optimizers.SGD(0.1, gradient_transforms=[Centralize()]),
    "group": lambda: optimizers.SGD(0.1, groups=[Group("*", weight_decay=0.1)]),
    "Lookahead": lambda: optimizers.Lookahead(optimizers.SGD(0.1), sync_period=2),
    "EMA": lambda: optimizers.EMA(optimizers.SGD(0.1)),
    "Grokfast": lambda: optimizers.Grokfast(optimizers.SGD(0.1)),
    "derived": lambda: Restless(0.1),
}


@pytest.mark.sampled
@pytest.mark.parametrize("make", SEE_ALL.values(), ids=SEE_ALL)
def test_what_moves_all_rows_sees_them_all(make, touched):
    dense = ops.convert_to_tensor(full(), "float32")
    ends = [run(make(), g) for g in (sparse(), dense)]
    assert not touched
    np.testing.assert_allclose(*ends, rtol=1e-6)


def test_decay_that_is_switched_on_later_moves_them(touched):
    optimizer = optimizers.SGD(0.1)
    (w,) = variables([start()])
    optimizer.apply([sparse()], [w])
    optimizer.drive("weight_decay", 0.5)
    before = values([w])[0]
    optimizer.apply([sparse()], [w])
    others = sorted(set(range(SHAPE[0])) - set(AT))
    np.testing.assert_allclose(values([w])[0][others], 0.95 * before[others], rtol=1e-6)
    assert len(touched) == 1


def test_a_small_weight_is_sooner_updated_as_a_whole(touched, monkeypatch):
    monkeypatch.setattr(engine, "SMALL", np.prod(SHAPE) + 1)
    run(optimizers.SGD(0.1), sparse())
    assert not touched


@pytest.mark.skipif(BACKEND != "tensorflow", reason="JAX is compiled in all tests")
@pytest.mark.parametrize(
    "options",
    [{}, {"global_clipnorm": 0.5}, {"sparse": "lazy", "weight_decay": 0.1}],
    ids=["sgd", "clipped", "lazy"],
)
@pytest.mark.slow
def test_xla_updates_rows_too(options, touched):
    ends = [
        run(optimizers.SGD(0.1, **options), sparse(), jit_compile=jit)
        for jit in (False, True)
    ]
    assert touched
    np.testing.assert_allclose(*ends, rtol=1e-6)


def embedding():
    keras.utils.set_random_seed(5)
    return keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            keras.layers.Embedding(20, 4),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )


class TestFit:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 10, (64, 3)), rng.normal(size=(64, 1))

    def test_an_embedding_by_default_is_as_with_keras(self):
        ours = fit(optimizers.SGD(0.1, momentum=0.9), embedding(), data=self.data)
        keras_sgd = keras.optimizers.SGD(0.1, momentum=0.9)
        theirs = fit(keras_sgd, embedding(), data=self.data)
        for a, b in zip(values(ours.weights), values(theirs.weights), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)

    @pytest.mark.skipif(
        BACKEND != "tensorflow", reason="Keras' embedding has a dense gradient"
    )
    @pytest.mark.parametrize(
        "jit", [False, pytest.param(True, marks=pytest.mark.every)]
    )
    def test_words_that_never_occur_stay_as_they_are(self, jit):
        groups = [Group("*embeddings", learning_rate=0.5)]
        options = {"weight_decay": 0.1, "global_clipnorm": 1.0, "groups": groups}
        before = values(embedding().weights)[0]
        adam = optimizers.Adam(0.01, sparse="lazy", **options)
        model = fit(adam, embedding(), data=self.data, jit_compile=jit)
        after = values(model.weights)[0]
        np.testing.assert_array_equal(after[10:], before[10:])
        assert (after[:10] != before[:10]).all()


@pytest.mark.parametrize(
    "options",
    [
        {"use_ema": True},
        {"gradient_accumulation_steps": 2},
        {"adaptive_clipnorm": 0.1},
        {"gradient_transforms": [Centralize()]},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_must_see_all_rows_is_refused(options):
    with pytest.raises(
        ValueError, match=f"must see all of it. .*{next(iter(options))}"
    ):
        optimizers.Adam(sparse="lazy", **options)


def test_a_rule_of_whole_tensors_is_refused(monkeypatch):
    monkeypatch.setattr(optimizers.Lion, "elementwise", False)
    with pytest.raises(ValueError, match="must see all of it. Received: Lion"):
        optimizers.Lion(sparse="lazy").build(variables([start()]))


def test_so_is_one_that_does_not_say_so(monkeypatch):
    update = optimizers.Lion.update
    monkeypatch.setattr(
        optimizers.Lion,
        "update",
        lambda self, w, g, *rest: update(self, w, g / ops.max(g), *rest),
    )
    with pytest.raises(ValueError, match="must see all of it. Received: Lion"):
        optimizers.Lion(sparse="lazy").build(variables([start()]))
