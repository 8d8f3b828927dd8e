"""Schedules without a length span a `fit`, or the updates given to `span`."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, callbacks, optimizers, schedules, transforms
from keras_optlab.core.spans import Moment
from keras_optlab.engine.backend.fit_length import FitLength
from keras_optlab.schedules import Cosine, Linear, Piecewise
from tests.support.problems import regression

BACKEND = keras.backend.backend()
X, Y = regression(50)
SGD = optimizers.SGD


class Rates(keras.callbacks.Callback):
    """Records the rate of each update, read where no update is pending."""

    def __init__(self):
        super().__init__()
        self.by_update = {}

    def on_train_batch_begin(self, batch, logs=None):
        optimizer = self.model.optimizer
        update = int(ops.convert_to_numpy(optimizer.updates))
        self.by_update[update] = optimizer.current("learning_rate")

    @property
    def values(self):
        return list(self.by_update.values())


def net(optimizer, **how):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer, "mse", **how)
    return model


def rates(model, x=X, y=Y, **how):
    """Return the rate of each update of a `fit`."""
    seen = Rates()
    model.fit(x, y, verbose=0, callbacks=[seen], **how)
    return seen.values


def line(n):
    return Linear(0.1, max(n - 1, 1)).values(n)


def test_each_fit_is_spanned_from_its_first_update_to_its_last():
    model = net(SGD(Linear(0.1)))
    for how, n in [
        ({"epochs": 2, "batch_size": 16}, 8),
        ({"epochs": 1, "batch_size": 10}, 5),
        ({"epochs": 4, "batch_size": 16, "initial_epoch": 3}, 4),
        ({"epochs": 3, "batch_size": 10, "steps_per_epoch": 2}, 5),
        ({"epochs": 1, "batch_size": 50}, 1),
    ]:
        np.testing.assert_allclose(rates(model, **how), line(n), atol=1e-8)


@pytest.mark.sampled
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda rate: SGD(rate, gradient_accumulation_steps=3),
        lambda rate: optimizers.MultiSteps(SGD(rate), accumulation_steps=3),
    ],
    ids=["accumulation", "MultiSteps"],
)
@pytest.mark.slow
def test_accumulated_batches_are_one_update(optimizer):
    model = net(optimizer(Linear(0.1)))
    assert len(rates(model, epochs=2, batch_size=10)) == 4  # 3, and 1 batch is left
    model = net(optimizer(Linear(0.1)))
    model.fit(X, Y, batch_size=10, epochs=2, verbose=0)
    assert model.optimizer.current("learning_rate") == pytest.approx(0, abs=1e-8)
    model.fit(X, Y, batch_size=10, epochs=2, verbose=0)  # 1 + 10 batches
    assert int(ops.convert_to_numpy(model.optimizer.updates)) == 6


def test_micro_batches_may_follow_a_schedule():
    growing = Piecewise([2], [1, 2])
    optimizer = optimizers.MultiSteps(SGD(Linear(0.1)), accumulation_steps=growing)
    assert optimizer.updates_in(9) == 5  # 1, 1, 2, 2, 2 and one that is left
    wrong = optimizers.MultiSteps(
        SGD(Linear(0.1)), accumulation_steps=Linear(4, final=1)
    )
    with pytest.raises(ValueError, match="depends on `accumulation_steps`"):
        net(wrong).fit(X, Y, verbose=0)


def test_a_fit_with_an_initial_epoch_goes_on():
    optimizer = SGD(Linear(0.1))
    model = net(optimizer)

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    seen = Rates()
    model.fit(X, Y, 10, epochs=4, verbose=0, callbacks=[Stop(), seen])
    before = dict(seen.by_update)
    after = rates(model, batch_size=10, epochs=4, initial_epoch=2)
    np.testing.assert_allclose([*before.values(), *after], line(20), atol=1e-8)
    over = rates(model, batch_size=10, epochs=5, initial_epoch=4)  # the span is over
    np.testing.assert_allclose(over, line(5), atol=1e-8)


def test_a_span_is_saved(tmp_path):
    model = net(SGD(Linear(0.1)))
    model.optimizer.span(10)
    for _ in range(3):
        model.train_on_batch(X, Y)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.optimizer.current("learning_rate") == pytest.approx(line(10)[3])
    for _ in range(6):
        again.train_on_batch(X, Y)
    assert again.optimizer.current("learning_rate") == pytest.approx(0, abs=1e-8)


def test_short_calls_of_fit_can_be_one_training():
    model = net(SGD(Linear(0.1)))
    model.optimizer.span(10)
    found = [rates(model, batch_size=10)[:5] for _ in range(2)]
    np.testing.assert_allclose(np.concatenate(found), line(10), atol=1e-8)
    np.testing.assert_allclose(rates(model, batch_size=10), line(5), atol=1e-8)


def test_outside_of_fit_a_span_is_needed():
    model = net(SGD(Linear(0.1)))
    for _ in range(2):
        with pytest.raises(ValueError, match=r"Call `optimizer.span\(updates\)`"):
            model.train_on_batch(X, Y)
        model.fit(X, Y, verbose=0)
    w = keras.Variable([1.0])
    optimizer = SGD(Linear(0.1))
    with pytest.raises(ValueError, match="Received: a training outside of `fit`"):
        optimizer.apply([ops.ones(1)], [w])
    optimizer.span(2)
    for expected in 0.9, 0.9:
        optimizer.apply([ops.ones(1)], [w])
        assert float(ops.convert_to_numpy(w)[0]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("updates", "error"), [(0, ValueError), (-3, ValueError), (2.5, TypeError)]
)
def test_a_span_has_whole_updates(updates, error):
    with pytest.raises(error, match=f"Received: updates={updates}"):
        SGD(Linear(0.1)).span(updates)


def test_a_length_in_epochs_needs_their_number():
    optimizer = SGD(Linear(0.1, epochs=2))
    with pytest.raises(ValueError, match=r"Call `span\(updates, epochs\)`"):
        optimizer.span(10)
    optimizer.span(10, epochs=5)
    assert optimizer.moment(4).value(optimizer.rate.source) == 0
    found = rates(net(optimizer), batch_size=10, epochs=4)
    np.testing.assert_allclose(found, Linear(0.1, 4).values(20), atol=1e-8)


def endless():
    while True:
        yield X[:10], Y[:10]


def test_data_of_unknown_length_need_steps_per_epoch():
    began = []

    class Begun(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            began.append(self)

    model = net(SGD(Linear(0.1)))
    with pytest.raises(ValueError, match="Pass `steps_per_epoch` to `fit`"):
        model.fit(endless(), epochs=2, verbose=0, callbacks=[Begun()])
    assert not began
    found = rates(model, endless(), None, epochs=2, steps_per_epoch=3)
    np.testing.assert_allclose(found, line(6), atol=1e-8)


def test_a_fit_without_an_update_is_refused():
    model = net(SGD(Linear(0.1), gradient_accumulation_steps=9))
    with pytest.raises(ValueError, match="at least one update. Received: 0"):
        model.fit(X, Y, batch_size=10, verbose=0)
    model.fit(X, Y, epochs=2, initial_epoch=2, verbose=0)  # has nothing to train


def test_a_stock_optimizer_is_refused():
    model = net(keras.optimizers.SGD(Cosine(0.1)))
    with pytest.raises(ValueError, match="use keras_optlab.optimizers.SGD"):
        model.fit(X, Y, verbose=0)


@pytest.mark.skipif(BACKEND == "torch", reason="compiles nothing")
def test_nothing_is_traced_again():
    traced = []

    class Counted(Linear):
        def formula(self, step, ops):
            traced.append(ops is not np)
            return super().formula(step, ops)

    model = net(SGD(Counted(0.1)))
    for how in {"epochs": 2}, {"epochs": 1, "batch_size": 32}, {"epochs": 3}:
        model.fit(X[:32], Y[:32], verbose=0, **how)
    assert sum(traced) in (1, 2)  # the check of the range runs it too


@pytest.mark.slow
def test_all_that_takes_a_schedule_takes_one_without_a_length():
    optimizer = optimizers.EMA(
        optimizers.AdamW(
            schedules.OneCycle(0.1),
            weight_decay=Linear(0.1),
            groups=[Group("bias", weight_decay=Cosine(0.1))],
            gradient_transforms=[
                transforms.Centralize(),
                transforms.ClipByNorm(Linear(1.0, final=0.5)),
            ],
        )
    )
    model = net(optimizer)
    model.fit(X, Y, batch_size=10, epochs=2, verbose=0)
    assert optimizer.current("weight_decay") == pytest.approx(0, abs=1e-7)
    in_group = optimizer.groups[0].hyperparameters["weight_decay"]
    assert optimizer.moment(9).value(in_group) == 0


@pytest.mark.slow
def test_callbacks_take_one_too():
    seen = {}

    class See(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            for callback in driving:
                seen.setdefault(callback, []).extend(callback.driven_values().values())

    driving = [
        callbacks.HyperparameterScheduler("learning_rate", Linear(0.1)),
        callbacks.WeightClipping(high=1.0, schedule=Linear(2.0, final=1.0)),
        callbacks.GradientClipping(norm=1.0, schedule=Linear(2.0, final=1.0)),
    ]
    model = keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Dense(1)])
    model.compile(SGD(0.1), "mse")
    model.fit(X, Y, 10, epochs=2, verbose=0, callbacks=[*driving, See()])
    for callback, last in zip(driving, (0.0, 1.0, 1.0), strict=True):
        assert seen[callback][-1] == pytest.approx(last, abs=1e-7)
    by_epoch = callbacks.HyperparameterScheduler(
        "momentum", Linear(0.9, final=0.1), unit="epoch"
    )
    model.compile(SGD(0.1, momentum=0.5), "mse")
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[by_epoch])
    assert model.optimizer.momentum == pytest.approx(0.1)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    with pytest.raises(ValueError, match="needs an optimizer of keras_optlab"):
        model.fit(X, Y, verbose=0, callbacks=driving[:1])


class TwoOptimizers(keras.Model):
    """A model that trains two layers by optimizers of its own."""

    def __init__(self):
        super().__init__()
        self.a, self.b = keras.layers.Dense(1), keras.layers.Dense(1)
        self.first, self.second = SGD(Linear(0.1)), optimizers.Adam(Linear(0.1))

    def call(self, x):
        return self.a(x) + self.b(x)


def test_optimizers_of_a_model_are_spanned(monkeypatch):
    model = TwoOptimizers()
    model.compile(SGD(0.1), "mse")
    model.fit(X, Y, batch_size=10, epochs=2, verbose=0)
    for optimizer in model.first, model.second:
        span = optimizer.training_span.at(0).span
        assert (span.begin, span.updates, span.epochs) == (0, 10, 2)


def test_a_value_can_be_read_before_the_first_training():
    assert SGD(Linear(0.1)).current("learning_rate") == pytest.approx(0.1)
    assert Moment(5, None).value(Linear(0.1)) == pytest.approx(0.1)


@pytest.mark.sampled
@pytest.mark.parametrize("at_once", [1] if BACKEND == "torch" else [1, 4])
@pytest.mark.parametrize("per_epoch", [None, 3, 5, 7, 10, 12])
def test_batches_are_counted_as_keras_does(per_epoch, at_once):
    """Compared with the batches that each `fit` trains."""
    model = net(SGD(0.0), steps_per_execution=at_once)
    how = {"steps_per_epoch": per_epoch} if per_epoch else {}
    model.fit(X, Y, batch_size=5, epochs=3, verbose=0, **how)
    trained = int(ops.convert_to_numpy(model.optimizer.updates))
    assert FitLength(per_epoch, 10, at_once).batches(3) == trained
