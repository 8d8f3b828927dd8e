"""Records of a step for callbacks: norms, histograms, and their steps."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, callbacks, optimizers
from keras_optlab.callbacks.base.statistics import StatisticsCallback
from keras_optlab.engine import CAPACITY
from keras_optlab.verify.problems import (
    apply,
    compiled,
    gradients,
    values,
    variables,
    weights,
)
from tests.support.devices import ON_ACCELERATOR
from tests.support.problems import compiled_model, fit, mlp, regression


class TestStatistics:
    def test_by_hand(self):
        sgd = optimizers.SGD(0.1, global_clipnorm=1.0)
        assert sgd.collect_statistics(every=2)
        assert sgd.statistics() is None
        ws = variables([np.array([0.0, 2.0]), np.array([1.0])])
        for _ in range(3):
            apply(sgd, [np.array([3.0, 0.0]), np.array([4.0])], ws)
        assert not sgd.collect_statistics(every=2)  # no new trace needed
        s = sgd.statistics()
        assert s.step == 2  # recorded at 1 and 2, not at 3
        assert s.gradient_norm == pytest.approx(5.0)
        assert s.clipped_gradient_norm == pytest.approx(1.0)
        assert s.update_norm == pytest.approx(0.1)
        assert s.clipped_fraction == 1.0
        layer = s.layers["w1"]
        assert layer.gradient_norm == pytest.approx(4.0)
        assert layer.weight_norm == pytest.approx(1 - 0.08)
        assert layer.update_ratio == pytest.approx(0.08 / 0.92)

    def test_not_computed_unless_asked(self):
        model = fit(optimizers.SGD(0.1))
        assert model.optimizer.statistics() is None

    def test_in_fit_with_groups_frozen_weights_and_missing_gradients(self):
        a, b = keras.layers.Dense(4, name="a"), keras.layers.Dense(4, name="unused")
        x_in = keras.Input((8,))
        b(x_in)
        out = keras.layers.Dense(1, name="head")(a(x_in))
        model = keras.Model(x_in, out)
        sgd = optimizers.SGD(0.01, groups=[Group("head/bias", frozen=True)])
        sgd.collect_statistics(every=1)
        fit(sgd, model)
        layers = sgd.statistics().layers
        assert {p.rpartition("/")[0].rpartition("/")[2] for p in layers} >= {
            "a",
            "head",
        }
        assert not any(p.endswith("head/bias") for p in layers)

    def test_missing_gradients(self):
        sgd = optimizers.SGD(0.1)
        sgd.collect_statistics(every=1)
        ws = variables([np.ones(1), np.ones(1), np.ones(1)])
        sgd.build(ws)
        g = ops.convert_to_tensor([1.0])
        with pytest.warns(UserWarning, match="Gradients do not exist"):
            sgd.apply([g, None, g], ws)
        np.testing.assert_allclose(np.ravel(values(ws)), [0.9, 1.0, 0.9], rtol=1e-6)
        layers = sgd.statistics().layers
        assert [s.gradient_norm for s in layers.values()] == [1.0, 0.0, 1.0]
        with pytest.raises(ValueError, match="every=0"):
            sgd.collect_statistics(every=0)


class TestDeadUnits:
    def test_is_the_share_of_the_last_axis_without_a_gradient(self):
        sgd = optimizers.SGD(0.1, l2=0.1)  # the penalty has a gradient everywhere
        sgd.collect_statistics(every=1)
        shapes = (3, 4), (2, 2, 3, 5), (4,), (0, 2)
        grads = [np.ones(shape) for shape in shapes]
        grads[0][:, [1, 3]] = 0
        grads[0][1, 3] = 1e-30  # not dead: its square underflows
        grads[1][..., 2] = 0
        ws = variables([np.ones(shape) for shape in shapes])
        apply(sgd, grads, ws)
        layers = sgd.statistics().layers.values()
        dead = [layer.dead_units for layer in layers]
        assert dead == [pytest.approx(1 / 4), pytest.approx(1 / 5), None, None]

    def test_relus_that_no_example_reaches(self):
        model = keras.Sequential(
            [
                keras.Input((8,)),
                keras.layers.Dense(6, "relu", name="hidden"),
                keras.layers.Dense(1, name="head"),
            ]
        )
        bias = np.array([0, -100, 0, -100, -100, 0.0])
        model.layers[0].bias.assign(bias)
        monitor = callbacks.Monitor(every=2)
        compiled_model(model, optimizers.Adam(1e-3))
        model.fit(*regression(), verbose=0, callbacks=[monitor])
        for row in monitor.rows:
            assert row["weight_dead_units/hidden/kernel"] == pytest.approx(0.5)
            assert row["weight_dead_units/head/kernel"] == 0
        assert "weight_dead_units/hidden/bias" not in monitor.columns


class TestCosine:
    GRADIENTS = np.random.default_rng(5).normal(size=(9, 5))

    def recorded(self, optimizer, gradients, every, compiling=True):
        optimizer.collect_statistics(every=every, gradient_cosine=True)
        ws = variables([np.ones((1, 2)), np.ones(3)])
        optimizer.build(ws)
        step = compiled(optimizer, ws) if compiling else None
        for g in gradients:
            parts = [g[None, :2], g[2:]]
            if step:
                step([ops.convert_to_tensor(x, "float32") for x in parts])
            else:
                apply(optimizer, parts, ws)
        _, records = optimizer.recorder.statistics_since(0)
        return {s.step: s.gradient_cosine for s in records}

    def by_hand(self, a, b):
        return pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)

    @pytest.mark.parametrize("compiling", [True, False])
    @pytest.mark.parametrize("every", [1, 3])
    @pytest.mark.slow
    def test_is_that_of_consecutive_updates(self, every, compiling):
        g = self.GRADIENTS
        adam = optimizers.Adam(0.1, global_clipnorm=1e-3)
        found = self.recorded(adam, g, every, compiling)
        steps = [1, *range(every if every > 1 else 2, 10, every)]
        assert list(found) == steps
        assert found.pop(1) is None
        assert found == {n: self.by_hand(g[n - 2], g[n - 1]) for n in steps[1:]}

    def test_passes_over_skipped_steps(self):
        g = self.GRADIENTS.copy()
        g[1] = g[4] = np.nan
        found = self.recorded(optimizers.SGD(0.1), g, 1)
        good = np.delete(g, [1, 4], axis=0)
        assert found.pop(1) is None
        assert found == {n: self.by_hand(good[n - 2], good[n - 1]) for n in range(2, 8)}

    def test_a_weight_without_a_gradient_counts_as_zero(self):
        sgd = optimizers.SGD(0.1)
        sgd.collect_statistics(every=1, gradient_cosine=True)
        ws = variables([np.ones(2), np.ones(1)])
        sgd.build(ws)
        one, two = ops.ones(2), 2 * ops.ones(1)
        sgd.apply([one, two], ws)
        with pytest.warns(UserWarning, match="Gradients do not exist"):
            sgd.apply([one, None], ws)
        both = np.sqrt(2) * np.sqrt(2 + 4)
        assert sgd.statistics().gradient_cosine == pytest.approx(2 / both)
        sgd.apply([one, two], ws)
        assert sgd.statistics().gradient_cosine == pytest.approx(2 / both)

    def test_a_request_after_build_and_gaps_between_requests(self):
        sgd, ws = optimizers.SGD(0.1), variables([np.ones(2)])
        apply(sgd, [np.array([1.0, 0.0])], ws)
        before = len(sgd.variables)
        sgd.collect_statistics(every=2, gradient_cosine=True)
        assert len(sgd.variables) > before
        apply(sgd, [np.array([0.0, 1.0])], ws)  # the one before was not kept
        assert sgd.statistics().step == 2
        assert sgd.statistics().gradient_cosine is None
        apply(sgd, [np.array([1.0, 1.0])], ws)
        sgd.collect_statistics(every=None)
        apply(sgd, [np.array([5.0, 1.0])], ws)  # update 4
        sgd.collect_statistics(every=5, gradient_cosine=True)
        apply(sgd, [np.array([1.0, 0.0])], ws)  # update 3 was kept, 4 was not
        assert sgd.statistics().step == 5
        assert sgd.statistics().gradient_cosine is None

    def test_nothing_is_kept_unless_asked(self):
        sgd = optimizers.SGD(0.1)
        sgd.collect_statistics(every=1)
        ws = variables([np.ones(2)])
        apply(sgd, [np.ones(2)], ws)
        apply(sgd, [np.ones(2)], ws)
        assert sgd.statistics().gradient_cosine is None
        assert not any("previous_gradient" in v.path for v in sgd.variables)


class TestHistograms:
    def test_by_hand(self):
        sgd = optimizers.SGD(0.5)
        sgd.collect_statistics(every=None, histograms_every=2)
        assert sgd.histograms() is None
        w = np.array([[0.0, 1.0, 2.0], [3.0, 30.0, 30.0]])
        ws = variables([w, np.array([7.0, 7.0])])
        g = np.arange(6.0).reshape(2, 3), np.zeros(2)
        for _ in range(3):
            apply(sgd, g, ws)
        assert sgd.statistics() is None
        histograms = sgd.histograms()
        assert histograms.step == 2
        layer = histograms.layers["w0"]
        before = w - 0.5 * g[0]
        for got, x in (
            (layer.weight, before),
            (layer.gradient, g[0]),
            (layer.update, -0.5 * g[0]),
        ):
            counts, edges = np.histogram(x, bins=30)
            np.testing.assert_array_equal(got.counts, counts)
            assert (got.low, got.high) == pytest.approx((edges[0], edges[-1]))
        equal = histograms.layers["w1"].weight  # no width: all in the first bin
        assert (equal.low, equal.high) == (7.0, 7.0)
        assert equal.counts.tolist() == [2.0] + [0.0] * 29

    def test_what_is_empty_or_not_finite_counts_nothing(self):
        sgd = optimizers.SGD(0.5, skip_non_finite=False)
        sgd.collect_statistics(every=None, histograms_every=1)
        ws = variables([np.ones((0, 2)), np.ones(2)])
        apply(sgd, [np.ones((0, 2)), np.array([np.nan, 1.0])], ws)
        layers = sgd.histograms().layers
        assert not layers["w0"].gradient.counts.any()
        assert not layers["w1"].gradient.counts.any()
        assert layers["w1"].weight.counts.sum() == 2

    @pytest.mark.parametrize(
        "jit_compile",
        [False, True] if keras.backend.backend() == "tensorflow" else ["auto"],
    )
    @pytest.mark.slow
    def test_in_fit(self, jit_compile):
        sgd = optimizers.SGD(0.01)
        sgd.collect_statistics(every=4, histograms_every=3)
        model = fit(sgd, jit_compile=jit_compile)
        assert sgd.statistics().step == 8
        assert sgd.histograms().step == 6
        for v in model.trainable_variables:
            layer = sgd.histograms().layers[v.path]
            for histogram in (layer.gradient, layer.update, layer.weight):
                assert histogram.counts.sum() == np.prod(v.shape)


class TestRequests:
    def test_several_are_served_and_one_is_withdrawn(self):
        sgd = optimizers.SGD(0.1)
        sgd.collect_statistics(every=2, who="a")
        assert sgd.collect_statistics(every=3, who="b")
        ws = variables([np.ones(1)])
        steps = []
        for _ in range(6):
            apply(sgd, [np.ones(1)], ws)
            steps.append(sgd.statistics().step)
        assert steps == [1, 2, 3, 4, 4, 6]
        assert not sgd.collect_statistics(every=2, who="a")
        assert sgd.collect_statistics(every=None, who="b")

    def test_the_last_records_are_kept_until_they_are_fetched(self):
        sgd = optimizers.SGD(0.5)
        sgd.collect_statistics(every=2)
        assert sgd.recorder.statistics_since(0) == (0, [])
        ws = variables([np.zeros(1)])
        sgd.build(ws)
        step, one = compiled(sgd, ws), [ops.ones(1)]
        seen = 0
        for updates, expected in (3, [1, 2]), (4, [4, 6]), (1, [8]), (0, []):
            for _ in range(updates):
                step(one)
            seen, new = sgd.recorder.statistics_since(seen)
            assert [s.step for s in new] == expected
            assert [s.weight_norm for s in new] == [(n - 1) / 2 for n in expected]
        for _ in range(140):
            step(one)
        seen, new = sgd.recorder.statistics_since(seen)
        assert (seen, len(new)) == (75, CAPACITY)
        assert [s.step for s in new] == list(range(22, 149, 2))

    @pytest.mark.parametrize(
        ("options", "recorded"),
        [
            ({}, [1, 3, 6]),
            ({"skip_non_finite": False}, [1, 3, 6]),
            ({"gradient_accumulation_steps": 2}, [1, 3]),
        ],
    )
    @pytest.mark.slow
    def test_records_leave_the_training_as_it_is(self, options, recorded):
        gradients = np.random.default_rng(0).normal(size=(8, 1, 2))
        if not options:
            gradients[4] = np.nan  # skipped: the 7th step is the 6th update
        plain, asked = optimizers.Adam(0.1, **options), optimizers.Adam(0.1, **options)
        asked.collect_statistics(every=3, histograms_every=2, gradient_cosine=True)
        weights = variables([np.ones(2)]), variables([np.ones(2)])
        steps = []
        for adam, ws in zip((plain, asked), weights, strict=True):
            adam.build(ws)
            steps.append(compiled(adam, ws))
        for g in gradients:
            for step in steps:
                step([ops.convert_to_tensor(g[0], "float32")])
        np.testing.assert_array_equal(*(values(ws)[0] for ws in weights))
        _, records = asked.recorder.statistics_since(0)
        assert [s.step for s in records] == recorded
        assert asked.histograms().step == int(asked.updates.numpy()) // 2 * 2


MODES = [{}]
if keras.backend.backend() == "tensorflow":
    others = {"jit_compile": True}, {"run_eagerly": True}
    MODES += [pytest.param(how, marks=pytest.mark.every) for how in others]


# Rules with a Keras twin. Others divide by values that are near 0 at first.
TWINS = [n for n in optimizers.names() if optimizers.info(n).keras_twin]


WIDE = {"big": (200, 100), "small": (7, 3)} | {f"b{i}": (5,) for i in range(12)}


class TestWatching:
    """Records for weights updated one by one, in buckets, and by kernels."""

    X = np.random.default_rng(0).normal(size=(24, 20)).astype("float32")

    def end(self, name, callbacks=(), **compiling):
        keras.utils.set_random_seed(0)
        hidden = [keras.layers.Dense(900, "tanh"), keras.layers.Dense(20, "tanh")]
        narrow = [keras.layers.Dense(4, "tanh") for _ in range(5)]
        model = keras.Sequential([keras.Input((20,)), *hidden, *narrow])
        optimizer = optimizers.create(name)
        compiled_model(model, optimizer, **compiling)
        model.fit(
            self.X,
            self.X[:, :4],
            batch_size=8,
            epochs=3,
            shuffle=False,
            verbose=0,
            callbacks=list(callbacks),
        )
        return values(model.trainable_variables) + values(
            slot for p in optimizer.plan.parameters for slot in p.slots.values()
        )

    @pytest.mark.sampled
    @pytest.mark.long
    @pytest.mark.parametrize("mode", MODES, ids=str)
    @pytest.mark.parametrize("name", optimizers.names())
    @pytest.mark.slow
    def test_changes_no_bit(self, name, mode):
        cosine = callbacks.GradientSignals(4, signals=["gradient_cosine"])
        ends = zip(
            self.end(name, **mode),
            self.end(name, [callbacks.Monitor(every=2), cosine], **mode),
            strict=True,
        )
        for a, b in ends:
            if "jit_compile" in mode or ON_ACCELERATOR:  # XLA fuses differently
                scale = max(np.abs(a).max(), 1e-30)
                np.testing.assert_allclose(a / scale, b / scale, atol=1e-4)
            else:
                np.testing.assert_array_equal(a, b)


@pytest.mark.sampled
@pytest.mark.skipif(len(MODES) == 1, reason="has one way to run a step")
@pytest.mark.parametrize("name", TWINS)
@pytest.mark.slow
def test_eager_and_compiled_agree(name):
    """Betas are rounded alike in every form of an update, with kernels or without."""
    grads = [[np.float32(g) for g in step] for step in gradients(WIDE, steps=10)]
    ends = []
    for how in None, {}, {"jit_compile": True}:
        optimizer, ws = optimizers.create(name), variables(weights(WIDE))
        optimizer.build(ws)
        step = None if how is None else compiled(optimizer, ws, **how)
        for g in grads:
            if step:
                step([ops.convert_to_tensor(x) for x in g])
            else:
                apply(optimizer, g, ws)
        slots = [v for p in optimizer.plan.parameters for v in p.slots.values()]
        ends.append(values([*ws, *slots]))
    for a, b, c in zip(*ends, strict=True):
        scale = max(np.abs(a).max(), 1e-30)
        np.testing.assert_allclose(a / scale, b / scale, atol=1e-6)
        np.testing.assert_allclose(a / scale, c / scale, atol=1e-6)


def test_histograms_of_one_callback_are_those_that_it_asked_for():
    class Reader(StatisticsCallback):
        def __init__(self, histograms_every):
            super().__init__(1, histograms_every=histograms_every)
            self.steps = []

        def on_steps(self, metrics):
            found = self.new_histograms()
            self.steps += [found.step] if found else []

    readers = [Reader(2), Reader(3)]
    x, y = regression(7)
    model = compiled_model(mlp(), optimizers.SGD(0.01))
    model.fit(x, y, batch_size=1, verbose=0, callbacks=readers)
    assert readers[0].steps == [1, 2, 4, 6]
    assert readers[1].steps == [1, 3, 6]
