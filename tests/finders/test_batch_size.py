"""The batch size at the knee of the throughput."""

import keras
import numpy as np
import pytest

import keras_optlab as kol
from keras_optlab.finders import batch_size, batch_size_search
from tests.finders.models import BACKEND, Limited, X, Y, network, same, small, state


def found(model, **options):
    return kol.find_batch_size(model, X, Y, **{"smallest": 4, "seconds": 0.5} | options)


@pytest.mark.every
def test_what_it_proposes_has_run_and_the_model_is_untouched():
    limited = Limited(10)
    model = network(limited)
    kol.find_batch_size(model, X, Y, smallest=4, seconds=0.1)  # builds
    before, limited.seen = state(model), []
    result = found(model, seconds=20.0)
    assert set(result.throughput) == {4, 8}
    assert "out of memory" in result.not_run[16]
    assert result.batch_size in (4, 8)
    assert 16 in limited.seen
    if BACKEND != "jax":  # where sizes are seen only when traced
        verification = limited.seen[-batch_size_search.VERIFIED :]
        assert verification == [result.batch_size] * batch_size_search.VERIFIED
    assert same(state(model), before)


@pytest.mark.every
def test_smaller_sizes_if_the_smallest_runs_out_of_memory():
    result = found(small(Limited(2)), seconds=20.0)
    assert result.batch_size == 2
    assert set(result.not_run) == {4}


@pytest.mark.slow
def test_no_size_at_all():
    model = small(Limited(0))
    with pytest.raises(MemoryError, match="No batch size could be run. Received: 1: "):
        found(model, smallest=1)


@pytest.mark.every
def test_other_errors_are_raised_and_change_nothing():
    model = small(Limited(10, error=ValueError("another problem")))
    found(model, largest=8)
    before = state(model)
    with pytest.raises(Exception, match="another problem"):
        found(model, seconds=20.0)
    assert same(state(model), before)


@pytest.mark.every
def test_a_size_that_fails_when_verified_is_not_proposed(monkeypatch):
    model, fit = small(), batch_size.Bench.fit

    def failing(bench, trial, epochs, *callbacks):
        if not callbacks and trial.fit_arguments["batch_size"] > 4:  # no stopwatch
            raise MemoryError("fragmented")
        fit(bench, trial, epochs, *callbacks)

    monkeypatch.setattr(batch_size.Bench, "fit", failing)
    search = batch_size_search.BatchSizeSearch
    monkeypatch.setattr(search, "_knee", lambda self, ran: ran[-1])
    result = found(model, seconds=20.0, largest=16, tolerance=0.0)
    assert result.batch_size == 4
    assert all(n == 4 for n in result.throughput)


class Proportional:
    """Memory of 100 bytes, and 10 for each example; of 1000 in all."""

    label = "memory of a test"

    def __init__(self, limited):
        self.limited = limited

    def restart(self):
        self.limited.seen.clear()

    def used(self):
        return 100

    def peak(self):
        return 100 + 10 * max(self.limited.seen, default=0)

    def total(self):
        return 1000


@pytest.mark.every
@pytest.mark.skipif(BACKEND == "jax", reason="sizes are seen while tracing only")
def test_it_stops_before_memory_is_used_up(monkeypatch):
    limited = Limited(1000)
    monkeypatch.setattr(batch_size, "memory_of", lambda _: Proportional(limited))
    model = small(limited)
    result = found(model, seconds=20.0, memory_limit=0.3)
    assert result.memory == {4: 140, 8: 180, 16: 260}
    assert "expected" in result.not_run[32]
    assert 32 not in limited.seen
    result = found(model, seconds=20.0, memory_limit=190)
    assert set(result.memory) == {4, 8}
    assert "memory of a test" in result.table()


def test_the_knee():
    search = object.__new__(batch_size_search.BatchSizeSearch)
    search.tolerance = 0.1
    sizes = []
    for n, rate in (8, 50.0), (16, 89.0), (32, 91.0), (64, 100.0):
        trial = batch_size_search.Trial(False, 1, {}, times=[n / rate])
        sizes.append(batch_size_search.Size(n, trial))
    assert search._knee(sizes).batch_size == 32
    search.tolerance = 0.2
    assert search._knee(sizes).batch_size == 16


@pytest.mark.every
def test_structures_of_arrays_and_weights():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    model = keras.Model({"a": a, "b": b}, keras.layers.Dense(1)(a + b))
    model.compile("sgd", "mse")
    data = {"a": X, "b": X}
    weights = np.ones(len(X), "float32")
    options = {"smallest": 32, "seconds": 0.2}
    result = kol.find_batch_size(model, data, Y, sample_weight=weights, **options)
    assert result.batch_size in result.throughput


@pytest.mark.every
def test_the_result_is_shown():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    result = found(small(), smallest=16, seconds=0.2)
    assert f"batch_size={result.batch_size}" in repr(result)
    assert "chosen" in result.table()
    assert "rule of thumb" in result.hint
    axes = result.plot()
    assert axes.get_xlabel() == "batch size"
    pyplot.close("all")


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"smallest": 0}, ValueError, "smallest=0"),
        ({"largest": 2}, ValueError, "largest=2"),
        ({"tolerance": 1.0}, ValueError, r"tolerance=1\.0"),
        ({"memory_limit": 0}, ValueError, "memory_limit=0"),
        ({"seconds": 0}, ValueError, "seconds=0"),
    ],
)
def test_bad_arguments(options, error, match):
    with pytest.raises(error, match=match):
        found(small(), **options)


def test_bad_models_and_data():
    with pytest.raises(ValueError, match="a model that is not compiled"):
        found(keras.Sequential([keras.layers.Dense(1)]))
    with pytest.raises(TypeError, match="Received: model=3"):
        found(3)
    with pytest.raises(ValueError, match="numbers of examples x: .70., y: .69."):
        kol.find_batch_size(small(), X, Y[1:])
    with pytest.raises(TypeError, match=r"dataset.unbatch\(\)"):
        kol.find_batch_size(small(), iter([(X, Y)]))
