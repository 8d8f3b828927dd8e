"""The fastest way to execute the steps of a model."""

import time

import keras
import numpy as np
import pytest

import keras_optlab as kol
from keras_optlab.finders import execution_search, trials
from keras_optlab.finders.trials import Trial
from tests.finders.models import BACKEND, X, Y, network, same, small, state

JIT = BACKEND == "jax"  # what a CPU has by default


def tuned(model, **options):
    common = {"batch_size": 5, "seconds": 1.0, "jit_compile": JIT}
    return kol.tune_execution(model, X, Y, **common | options)


class Scripted:
    """A bench by which a step takes what a function says."""

    def __init__(self, model, step_seconds, seconds=1000.0):
        self.model, self.step_seconds, self.seconds = model, step_seconds, seconds
        self.run = []

    def left(self):
        return self.seconds

    def sample(self, trial):
        watch = trials.Stopwatch(1.0, trial.steps_per_execution)
        key = trial.jit_compile, trial.steps_per_execution
        one = 0.1 if trial.reads_only else self.step_seconds(*key)
        if one is None:
            raise RuntimeError("no compiler")
        one /= 1000
        self.run += [] if trial.reads_only else [key]
        watch.first, watch.elapsed, watch.steps = 5.0, one, 1
        trial.times.append(one)
        return watch

    try_out, race = trials.Bench.try_out, trials.Bench.race


def searched(step_seconds, steps=(1, 4, 8, 16, 32), jit_compile=None, **options):
    bench = Scripted(small(jit_compile=False), step_seconds, **options)
    search = execution_search.ExecutionSearch(bench, {"x": X}, list(steps), jit_compile)
    search.run()
    return search, bench


def key(trial):
    return trial.jit_compile, trial.steps_per_execution


needs_a_default = pytest.mark.skipif(BACKEND == "jax", reason="one backend is enough")


@needs_a_default
def test_overhead_is_amortized_and_the_simplest_of_equals_wins():
    search, _ = searched(lambda jit, n: (3.0 if jit else 1.0) + 1.0 / n)
    assert key(search.chosen) == (False, 32)  # 4% faster than 16
    search, bench = searched(lambda jit, n: (3.0 if jit else 1.0) + 0.3 / n)
    assert key(search.chosen) == (False, 8)  # 16 and 32 are within 3%
    assert len({k for k in bench.run if k[0]}) == 1  # compiled once


@needs_a_default
def test_where_the_most_steps_bring_nothing_the_others_are_not_run():
    search, bench = searched(lambda jit, n: 3.4 if jit else 1.0)
    assert key(search.chosen) == (False, 1)
    assert set(bench.run) == {(False, 1), (False, 32), (True, 1)}
    assert "no faster" in search.trials[1].note


@needs_a_default
def test_compilation_wins():
    search, _ = searched(lambda jit, n: (0.5 if jit else 1.0) + 1.0 / n)
    assert key(search.chosen) == (True, 32)
    search, _ = searched(lambda jit, n: 0.99 if jit else 1.0)
    assert key(search.chosen) == (False, 1)  # not worth it
    search, _ = searched(lambda jit, n: 0.5 if jit else 1.0, jit_compile=False)
    assert key(search.chosen) == (False, 1)  # not allowed
    search, _ = searched(lambda jit, n: 2.0 if jit else 1.0, jit_compile=True)
    assert key(search.chosen) == (True, 1)
    assert key(search.present) == (False, 1)


@needs_a_default
def test_a_single_fast_sample_is_not_enough():
    class Late(Scripted):
        def sample(self, trial):
            watch = super().sample(trial)
            if trial.jit_compile:
                self.seconds = -1.0  # nothing is timed twice
            return watch

    bench = Late(small(jit_compile=False), lambda jit, n: 0.5 if jit else 1.0)
    search = execution_search.ExecutionSearch(bench, {"x": X}, [1, 8], None)
    search.run()
    assert key(search.chosen) == (False, 1)


@needs_a_default
def test_a_missing_compiler_is_told():
    search, _ = searched(lambda jit, n: None if jit else 1.0)
    assert key(search.chosen) == (False, 1)
    failed = [t for t in search.trials if t.note.startswith("failed")]
    assert [t.note for t in failed] == ["failed: RuntimeError: no compiler"]
    with pytest.raises(RuntimeError, match="No candidate could be run"):
        searched(lambda jit, n: None if jit else 1.0, jit_compile=True)


@needs_a_default
def test_long_executions_are_not_run():
    search, bench = searched(lambda jit, n: 20_000.0)
    assert (False, 32) not in bench.run
    assert any("about 640.0 s" in t.note for t in search.trials)


def test_steps_until_a_compilation_has_paid_off():
    from keras_optlab.finders.execution_result import _steps_to_pay

    present = Trial(False, 1, {}, compile_seconds=1.0, times=[0.010])
    faster = Trial(True, 1, {}, compile_seconds=41.0, times=[0.006])
    slower = Trial(True, 1, {}, compile_seconds=0.0, times=[0.020])
    assert _steps_to_pay(faster, present) == 10_000
    assert _steps_to_pay(slower, present) == float("inf")
    assert _steps_to_pay(present, present) == 0


@pytest.mark.sampled
@pytest.mark.parametrize("error", [KeyboardInterrupt, None])
@pytest.mark.slow
def test_the_model_is_untouched(error, monkeypatch):
    model = network()
    model.fit(X, Y, batch_size=5, verbose=0)
    before, function, jit = state(model), model.train_function, model.jit_compile
    if error:

        def interrupted(*args):
            raise error

        monkeypatch.setattr(execution_search.ExecutionSearch, "_read", interrupted)
        with pytest.raises(error):
            tuned(model)
    else:
        tuned(model)
    assert same(state(model), before)
    assert model.train_function is function
    assert (model.jit_compile, model.steps_per_execution) == (jit, 1)


@pytest.mark.slow
def test_apply_keeps_the_optimizer_and_is_saved(tmp_path):
    model = small()
    model.fit(X, Y, batch_size=5, verbose=0)
    before, optimizer = state(model), model.optimizer
    result = tuned(model, steps_per_execution=[2])
    at_once = 1 if BACKEND == "torch" else 2
    assert result.steps_per_execution == at_once
    assert result.compile_arguments == {
        "jit_compile": JIT,
        "steps_per_execution": at_once,
    }
    result.apply()
    assert model.optimizer is optimizer
    assert same(state(model), before)
    batches = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: batches.append(batch)
    )
    model.fit(**result.fit_arguments, verbose=0, callbacks=[note])
    assert batches == list(range(0, 14, at_once))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.steps_per_execution == at_once


@pytest.mark.every
def test_it_ends_in_time_and_shows_a_table():
    start = time.perf_counter()
    result = tuned(small(), seconds=2.0)
    assert time.perf_counter() - start < 30  # the limit, and one compilation
    assert "chosen" in result.table()
    assert "reading the data alone" in result.table()
    assert repr(result).startswith("<ExecutionResult jit_compile=")
    assert 0 < result.reading_seconds < float("inf")


@pytest.mark.every
def test_eager_models_are_told_so():
    if BACKEND == "torch":
        pytest.skip("torch always runs eagerly")
    result = tuned(small(run_eagerly=True), jit_compile=None, steps_per_execution=[1])
    assert result.jit_compile is False
    assert any("run_eagerly=False" in advice for advice in result.advice)


class Sleepy(keras.utils.PyDataset):
    """Batches that take 20 ms to read."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        time.sleep(0.02)
        return X[:5], Y[:5]


@pytest.mark.every
def test_a_slow_pipeline_is_the_bottleneck():
    result = kol.tune_execution(
        small(), Sleepy(), steps_per_execution=[1], jit_compile=JIT, seconds=3.0
    )
    assert result.data_bound
    assert result.reading_seconds > 0.015
    assert any("`workers`" in advice for advice in result.advice)


@pytest.mark.every
@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.data")
def test_a_dataset_gets_prefetch_if_that_is_faster():
    import tensorflow as tf

    def slow(index):
        time.sleep(0.004)
        return X[:5], Y[:5]

    def read(index):
        x, y = tf.py_function(slow, [index], ["float32", "float32"])
        return tf.ensure_shape(x, (5, 3)), tf.ensure_shape(y, (5, 1))

    class Pause(keras.layers.Layer):
        def call(self, x):
            def pause(x):
                time.sleep(0.004)
                return x

            y = tf.py_function(pause, [tf.stop_gradient(x)], x.dtype)
            y.set_shape(x.shape)
            return x + 0.0 * y

    data = tf.data.Dataset.range(40).map(read)
    options = {"steps_per_execution": [1], "jit_compile": False, "seconds": 10.0}
    result = kol.tune_execution(small(Pause()), data, **options)
    assert result.data_bound or "PrefetchDataset" in str(result.fit_arguments["x"])


def test_bad_input():
    model = small()
    with pytest.raises(ValueError, match="a model that is not compiled"):
        kol.tune_execution(keras.Sequential([keras.layers.Dense(1)]), X, Y)
    with pytest.raises(TypeError, match="no generator"):
        kol.tune_execution(model, (pair for pair in [(X, Y)]))
    with pytest.raises(ValueError, match="`batch_size`. Leave these out"):
        kol.tune_execution(model, Sleepy(), batch_size=5)
    with pytest.raises(TypeError, match="jit_compile='yes'"):
        tuned(model, jit_compile="yes")
    with pytest.raises(TypeError, match="steps_per_execution=4"):
        tuned(model, steps_per_execution=4)
    with pytest.raises(ValueError, match="steps_per_execution=0"):
        tuned(model, steps_per_execution=[0])
    with pytest.raises(ValueError, match="batch_size=0"):
        tuned(model, batch_size=0)
    with pytest.raises(ValueError, match="must not be empty"):
        tuned(model, steps_per_execution=[])
    with pytest.raises(Exception, match=r"shape|Dimensions|dot_general|expected"):
        kol.tune_execution(model, np.ones((8, 4), "float32"), Y[:8], seconds=1.0)
