"""Skipped steps: the state they leave unchanged, warnings, and when `fit` stops."""

import itertools
import re
import time
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, optimizers, schedules, transforms
from keras_optlab.verify.problems import apply, gradients, values, variables, weights
from tests.support.problems import ALL, TAMED, compiled_model, label, state

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()
MODES = {"tensorflow": [{}, {"jit_compile": True}, {"run_eagerly": True}]}
MODES = MODES.get(BACKEND, [{}])
X = np.random.default_rng(0).normal(size=(160, 6)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def normalized(optimizer, **compiling):
    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Dense(8),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential([keras.Input((6,)), *layers])
    return compiled_model(model, optimizer, **compiling)


def statistics(model):
    moving = [v for v in model.non_trainable_variables if v.name.startswith("moving")]
    assert len(moving) == 2
    return values(moving)


def told(record, word="skipped"):
    messages = [str(w.message) for w in record]
    return [m for m in messages if word in m and "copy keyword" not in m]


class Broken(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that is legal until armed, then illegal from update `steps` on."""

    def __init__(self, value, legal=0.5, steps=3):
        self.value, self.legal, self.steps = value, legal, steps
        self.armed = False

    def __call__(self, step):
        if not self.armed:
            return self.legal
        legal = ops.cast(step, "float32") < self.steps
        return ops.where(legal, self.legal, self.value)

    def get_config(self):
        return {"value": self.value, "legal": self.legal, "steps": self.steps}


def armed(make, *args, **kwargs):
    """Return `make(schedule)` with a schedule that breaks from now on."""
    schedule = Broken(*args, **kwargs)
    made = make(schedule)
    schedule.armed = True
    return made


class TestHugeGradients:
    @pytest.mark.parametrize("case", ALL, ids=label)
    def test_no_state_becomes_infinite(self, case):
        name, kwargs = case
        optimizer = optimizers.create(name, **kwargs)
        if optimizer.needs_second_pass:
            pytest.skip("trains in a model only; its guard is the same")
        ws, steps = variables(weights()), gradients(steps=6)
        for g, size in zip(steps, [None, 1e14, 1e20, None, 3e38, None], strict=True):
            if size:
                g[2].flat[1] = size
            apply(optimizer, g, ws)
        for x in values(ws) + state(optimizer):
            assert np.isfinite(x).all()
        assert int(optimizer.skipped_steps) == 2

    def test_one_that_fits_and_many_together_that_do_not(self):
        sgd = optimizers.SGD(1.0)
        ws = variables([np.zeros(4000)])
        apply(sgd, [np.full(4000, 1e14)], ws)
        assert (int(sgd.updates), int(sgd.skipped_steps)) == (0, 1)
        apply(sgd, [np.full(4000, 1e12)], ws)
        assert (int(sgd.updates), int(sgd.skipped_steps)) == (1, 1)


class TestStatisticsOfNormalization:
    @pytest.mark.parametrize("mode", MODES, ids=str)
    @pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
    def test_a_skipped_step_leaves_them(self, mode, policy):
        keras.config.set_dtype_policy(policy)
        try:
            model = normalized(optimizers.Adam(0.01), **mode)
        finally:
            keras.config.set_dtype_policy("float32")
        bad = X.copy()
        bad[40, 2] = np.nan
        model.fit(X, Y, batch_size=32, verbose=0)
        for data in bad[32:64], np.inf * X[:32]:
            before = statistics(model)
            model.train_on_batch(data, Y[:32])
            for a, b in zip(before, statistics(model), strict=True):
                np.testing.assert_array_equal(a, b)
        before = statistics(model)
        model.train_on_batch(X[:32], Y[:32])
        assert any(
            (a != b).any() for a, b in zip(before, statistics(model), strict=True)
        )

    def test_a_good_step_is_as_with_keras(self):
        ends = []
        for make in optimizers.SGD, keras.optimizers.SGD:
            model = normalized(make(0.01))
            model.fit(X, Y, batch_size=32, epochs=2, verbose=0, shuffle=False)
            ends.append(model.get_weights())
        for a, b in zip(*ends, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("name", ["sam", "ema"])
    def test_under_wrappers(self, name):
        inner = optimizers.SGD(0.01)
        model = normalized(optimizers.create(name, optimizer=inner))
        bad = X.copy()
        bad[40, 2] = np.nan
        with pytest.warns(UserWarning, match="skipped 1 of"):
            model.fit(bad, Y, batch_size=32, verbose=0, shuffle=False)
        for w in values(model.variables):
            assert np.isfinite(w).all()


class TestWarnings:
    def test_at_once_and_once(self):
        bad = X.copy()
        bad[::16] = np.nan
        model = normalized(optimizers.Adam())
        with warnings.catch_warnings(record=True) as record:
            warnings.simplefilter("always")
            fit = model.fit(bad, Y, batch_size=16, epochs=3, verbose=0, shuffle=False)
        (message,) = told(record)
        assert "skipped 1 of 1 steps" in message
        assert "A skipped step changes no weight" in message
        assert fit.history["skipped_fraction"] == [1.0] * 3

    def test_no_word_where_nothing_is_skipped(self, recwarn):
        history = normalized(optimizers.Adam()).fit(X, Y, verbose=0).history
        assert not told(recwarn)
        assert set(history) == {"loss"}

    @pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
    def test_fit_stops_at_the_limit(self, policy):
        bad = X.copy()
        bad[:, 2] = np.nan
        keras.config.set_dtype_policy(policy)
        try:
            model = normalized(optimizers.Adam(stop_after_skips=20))
        finally:
            keras.config.set_dtype_policy("float32")
        with pytest.warns(UserWarning, match="limit is stop_after_skips=20"):
            history = model.fit(bad, Y, batch_size=1, epochs=5, verbose=0)
        assert len(history.epoch) == 1

    @pytest.mark.slow
    def test_never_without_a_limit(self, recwarn):
        model = normalized(optimizers.Adam(stop_after_skips=None))
        history = model.fit(X * np.nan, Y, batch_size=1, epochs=2, verbose=0)
        assert len(history.epoch) == 2
        assert len(told(recwarn)) == 1

    def test_one_good_step_starts_the_count_anew(self):
        bad = X.copy()
        bad[np.arange(160) % 15 != 0] = np.nan
        model = normalized(optimizers.Adam(stop_after_skips=20))
        with pytest.warns(UserWarning, match="skipped"):
            model.fit(bad, Y, batch_size=1, epochs=1, verbose=0, shuffle=False)
        assert int(model.optimizer.iterations) == 160

    def test_a_loop_of_apply(self):
        sgd = optimizers.SGD(0.1, stop_after_skips=20)
        ws = variables([np.ones(2)])
        with warnings.catch_warnings(record=True) as record:
            warnings.simplefilter("always")
            for _ in range(60):
                apply(sgd, [np.array([np.nan, 1.0])], ws)
        first, last = told(record)
        assert "skipped 1 of 1 steps" in first
        assert "a loop of your own should" in last

    def test_a_loop_of_train_on_batch(self):
        model = normalized(optimizers.SGD(0.1, stop_after_skips=20))
        with warnings.catch_warnings(record=True) as record:
            warnings.simplefilter("always")
            for _ in range(60):
                model.train_on_batch(X[:4] * np.nan, Y[:4])
        assert len(told(record)) == 2

    def test_of_a_model_with_optimizers_of_its_own(self):
        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.net = normalized(optimizers.SGD())

            def call(self, x, training=False):
                return self.net(x, training=training)

        model = Own()
        model(X[:1])
        compiled_model(model, keras.optimizers.SGD())
        model.second = {"decoder": [optimizers.Adam()]}
        from keras_optlab.engine.backend.keras_adapter import optimizers_of

        assert optimizers_of(model) == model.second["decoder"]


@pytest.mark.skipif(BACKEND != "jax", reason="only JAX' trainer holds the variables")
@pytest.mark.parametrize("bad", [False, True])
def test_jax_trainer_keeps_all_variables_until_a_step_is_skipped(bad):
    model, x = normalized(optimizers.SGD(0.01)), X.copy()
    x[24] = np.nan if bad else 0.0
    returned = []
    sync = model.jax_state_sync

    def syncing():
        if not model._jax_state_synced:
            returned.append(True)
        sync()

    model.jax_state_sync = syncing
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        model.fit(x, Y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    # at the end of the epoch; and to warn, after step 10
    assert len(returned) == (2 if bad else 1)
    assert len(told(record)) == bad


class TestDrivenValues:
    @pytest.mark.parametrize("value", [np.nan, -0.1, np.inf])
    def test_a_rate_that_leaves_its_range(self, value):
        model = normalized(armed(optimizers.SGD, value, legal=0.01))
        with pytest.warns(UserWarning, match="given learning_rate=.* at update 3"):
            model.fit(X, Y, batch_size=16, verbose=0)
        assert int(model.optimizer.updates) == 3
        for w in values(model.variables):
            assert np.isfinite(w).all()

    def test_a_rate_that_a_function_gives(self):
        model = normalized(
            armed(lambda s: optimizers.SGD(lambda step: s(step)), -1.0, 0.01)
        )
        with pytest.warns(UserWarning, match="given learning_rate=-1.0 at update 3"):
            model.fit(X, Y, batch_size=16, verbose=0)
        assert int(model.optimizer.updates) == 3

    @pytest.mark.parametrize(
        ("make", "named"),
        [
            (lambda s: optimizers.Adam(beta_1=s), "beta_1=1.5"),
            (lambda s: optimizers.Adam(groups=[Group("b", beta_1=s)]), "'b': beta_1"),
            (
                lambda s: optimizers.SGD(
                    gradient_transforms=[transforms.AutoClip(percentile=s)]
                ),
                "AutoClip.percentile=1.5",
            ),
        ],
    )
    def test_any_other_hyperparameter(self, make, named):
        value = 101.5 if "percentile" in named else 1.5
        optimizer = armed(make, value, steps=2)
        ws = [keras.Variable([1.0], name="a"), keras.Variable([1.0], name="b")]
        with warnings.catch_warnings(record=True) as record:
            warnings.simplefilter("always")
            for _ in range(10):
                apply(optimizer, [np.ones(1)] * 2, ws)
        assert named.replace("1.5", str(value)) in told(record)[0]
        assert (int(optimizer.updates), int(optimizer.skipped_steps)) == (2, 8)

    def test_not_skipping_gradients_does_not_let_it_pass(self):
        sgd = armed(lambda s: optimizers.SGD(s, skip_non_finite=False), np.nan, steps=1)
        ws = variables([np.ones(1)])
        for _ in range(3):
            apply(sgd, [np.ones(1)], ws)
        np.testing.assert_allclose(values(ws)[0], [0.5])

    def test_within_a_window(self):
        sgd = armed(
            lambda s: optimizers.SGD(s, gradient_accumulation_steps=2), np.nan, steps=1
        )
        ws = variables([np.ones(1)])
        for _ in range(6):
            apply(sgd, [np.ones(1)], ws)
        np.testing.assert_allclose(values(ws)[0], [0.5])
        assert (int(sgd.updates), int(sgd.skipped_steps)) == (1, 4)

    @pytest.mark.parametrize(
        ("rate", "error", "received"),
        [
            (lambda: None, TypeError, "None"),
            (lambda: "fast", TypeError, "'fast'"),
            (lambda: np.ones(3, "float32"), ValueError, r"shape \(3,\)"),
            (lambda step: ops.ones(2), ValueError, r"shape \(2,\)"),
        ],
    )
    def test_what_is_no_number_is_refused_when_the_step_is_traced(
        self, rate, error, received
    ):
        with pytest.raises(
            error, match=f"must return .*number. Received: .*{received}"
        ):
            normalized(optimizers.SGD(rate)).fit(X, Y, verbose=0)


class TestWindows:
    @pytest.mark.parametrize("name", ["sgd", "adam", "prodigy"])
    @pytest.mark.parametrize("options", [{}, {"use_ema": True}, {"clipnorm": 0.1}])
    def test_a_weight_gets_the_mean_of_what_the_window_had_for_it(self, name, options):
        """A missing gradient for `a` in a micro-batch counts as zero."""
        rate = TAMED.get(name, {}) | options | {"gradient_accumulation_steps": 2}
        ends = []
        for missing in False, True:
            optimizer = optimizers.create(name, **rate)
            a, b = (keras.Variable(np.ones(3, "float32"), name=n) for n in "ab")
            optimizer.build([a, b])
            for i in range(6):
                g = [ops.convert_to_tensor(x) for x in gradients_of_two(i)]
                if i % 2 and missing:
                    optimizer.apply(g[1:], [b])
                else:
                    optimizer.apply([g[0] * (1 - i % 2), g[1]], [a, b])
            ends.append(values([a, b]) + state(optimizer)[4:])
        for x, y in zip(*ends, strict=True):
            if x.shape:  # not the counters of gradients, which differ
                np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-7)

    @pytest.mark.parametrize("name", ["sgd", "adam", "lion"])
    def test_a_weight_without_any_gradient_stays(self, name):
        optimizer = optimizers.create(name, gradient_accumulation_steps=2)
        a, b = (keras.Variable(np.ones(3, "float32"), name=n) for n in "ab")
        optimizer.build([a, b])
        g = ops.ones(3)
        for _ in range(2):
            optimizer.apply([g, g], [a, b])
        moments = optimizer.plan.parameters[0].slots.values()
        before = values([a]) + values(moments)
        for _ in range(4):
            optimizer.apply([g], [b])
        for x, y in zip(before, values([a]) + values(moments), strict=True):
            np.testing.assert_array_equal(x, y)

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="only its steps do this")
    @pytest.mark.slow
    def test_data_of_unknown_length_do_not_shift_the_window(self):
        import tensorflow as tf

        spec = tuple(tf.TensorSpec((16, n)) for n in (6, 1))
        data = tf.data.Dataset.from_generator(
            lambda: ((X[i : i + 16], Y[i : i + 16]) for i in range(0, 160, 16)),
            output_signature=spec,
        )
        rate = schedules.Exponential(0.01, 5, staircase=True)
        ends = []
        for x, y in ((data, None), (X, Y)):
            sgd = optimizers.SGD(rate, gradient_accumulation_steps=4)
            model = normalized(sgd)
            model.fit(
                x,
                y,
                batch_size=16 if y is not None else None,
                epochs=4,
                verbose=0,
                shuffle=False,
            )
            assert int(sgd.updates) == 10
            ends.append(model.get_weights())
        for a, b in zip(*ends, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def gradients_of_two(i):
    return np.random.default_rng(i).normal(size=(2, 3)).astype("float32")


class TestShare:
    """The share of skipped steps, in the progress bar and in the history."""

    @staticmethod
    def fit(bad_rows, capsys, epochs=1, **kwargs):
        x = np.repeat(X, 4, axis=0)
        x[bad_rows] = np.nan
        how = {"batch_size": 1, "verbose": 1, "shuffle": False, "epochs": epochs}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = normalized(optimizers.SGD(1e-3))
            fit = model.fit(x, np.repeat(Y, 4, axis=0), **(how | kwargs))
        return fit.history, re.sub(r"\x1b\[\d+m|\x08", "", capsys.readouterr().out)

    @pytest.mark.slow
    def test_in_the_middle_of_an_epoch_and_at_its_end(self, capsys):
        class Slow(keras.callbacks.Callback):  # the bar is drawn 20 times a second
            def on_train_batch_begin(self, batch, logs=None):
                if batch in (49, 51, 52):
                    time.sleep(0.06)

        _, out = self.fit(slice(5, 15), capsys, callbacks=[Slow()])
        steps = 4 * len(X)
        shares = re.findall(r"(\d+)/\d+ [^\r\n]*?skipped_fraction: ([\d.e-]+)", out)
        middle = [float(share) for step, share in shares if int(step) < steps]
        assert 10 / 50 in [round(share, 4) for share in middle]
        assert float(shares[-1][1]) == pytest.approx(10 / steps, abs=1e-4)

    @pytest.mark.every
    def test_not_at_0(self, capsys):
        history, out = self.fit([], capsys)
        assert "skipped_fraction" not in out
        assert "skipped_fraction" not in history

    def test_the_history_has_a_share_for_each_epoch(self):
        def batches():
            for n in itertools.count():
                bad = np.nan if n // 10 == 1 else 1.0  # in the second epoch
                yield bad * X[:16], Y[:16]

        model = normalized(optimizers.SGD(0.1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            how = {"steps_per_epoch": 10, "verbose": 0}
            fit = model.fit(batches(), epochs=4, **how)
        assert fit.history["skipped_fraction"] == [0.0, 1.0, 0.0, 0.0]

    def test_keras_need_not_wait_for_every_batch(self):
        from keras_optlab.engine.model.skip_warnings import StopAfterSkips

        assert StopAfterSkips.async_safe


@pytest.mark.skipif(BACKEND == "tensorflow", reason="counts in int64")
def test_the_end_of_the_count_is_announced():
    model = normalized(optimizers.Adam())
    model.fit(X, Y, verbose=0)
    count = 2**31 - 10**7
    for counter in model.optimizer.iterations, model.optimizer.updates:
        counter.assign(ops.cast(count, counter.dtype))
    with pytest.warns(UserWarning, match=f"steps. Keras counts .* on {BACKEND}: after"):
        model.fit(X, Y, epochs=2, verbose=0)
