"""A growing batch in place of a falling rate."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_optlab import optimizers, schedules
from keras_optlab.callbacks import BatchRamp, HyperparameterScheduler
from keras_optlab.callbacks.base.batch_stages import StagedValue, batch_at, stages_of
from tests.support.problems import compiled_model

BACKEND = keras.backend.backend()
X = np.random.default_rng(0).normal(size=(48, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


def rows(stages):
    return [(s.update, s.batch, s.accumulation_steps) for s in stages]


def rates(stages):
    return [s.learning_rate for s in stages]


# The stages, without a model.


def test_a_schedule_that_halves():
    values = np.array([0.8] * 6 + [0.4] * 6 + [0.2] * 6)
    stages = stages_of(values, 2)
    # 12 micro-batches by 2, 12 by 4, and 12 by 8: a rest of 4
    assert rows(stages) == [(0, 0, 2), (6, 12, 4), (9, 24, 8), (10, 32, 4)]
    expected = [0.8, 0.8 / np.sqrt(2), 0.4, 0.2 * np.sqrt(2)]
    assert rates(stages) == pytest.approx(expected)


def test_a_cosine_halves_at_a_half_two_thirds_and_so_on():
    values = schedules.Cosine(1.0, 1200).values(1200)
    stages = stages_of(values, 1)
    assert rows(stages)[0] == (0, 0, 1)
    for n, stage in enumerate(stages[1:6], 1):
        share = np.arccos(2 * 0.5**n - 1) / np.pi
        assert stage.accumulation_steps == 2**n
        assert stage.batch == pytest.approx(1200 * share, abs=2**n + 1)
        assert stage.learning_rate == pytest.approx(2 ** (-n / 2))
    last = stages[-1]
    assert last.batch + last.accumulation_steps == 1200
    assert last.update + 1 < 0.8 * 1200


def test_a_largest_window_leaves_the_rest_to_the_rate():
    values = np.repeat([8.0, 4.0, 2.0, 1.0], 16)
    stages = stages_of(values, 1, most=2)
    assert rows(stages) == [(0, 0, 1), (16, 16, 2), (24, 32, 2), (32, 48, 2)]
    expected = [8.0, 4 * np.sqrt(2), 2 * np.sqrt(2), np.sqrt(2)]
    assert rates(stages) == pytest.approx(expected)


def test_before_the_largest_value_nothing_changes():
    values = np.array([1.0, 2.0, 3.0, 4.0, 4.0, 4.0, 2.0, 2.0])
    stages = stages_of(values, 3)
    assert rows(stages) == [(0, 0, 3), (3, 9, 3), (6, 18, 6)]
    assert rates(stages) == pytest.approx([1.0, 4.0, 4 / np.sqrt(2)])
    rising = schedules.Piecewise([1, 2], [1.0, 2.0, 3.0])
    value = StagedValue(stages, "learning_rate", warm_up=rising)
    assert [value(i) for i in range(4)] == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("factor", [1.1, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("batches", [None, 601, 700])
def test_the_rate_over_the_root_of_the_window_is_the_schedule_in_steps(
    factor, window, batches
):
    values = schedules.Cosine(1.0, 200).values(200)
    stages = stages_of(values, window, factor, batches=batches)
    total = 200 * window if batches is None else batches
    done, update = 0, 0
    while done < total:
        stage = [s for s in stages if s.update <= update][-1]
        assert batch_at(stages, update) == done
        share = stage.learning_rate / np.sqrt(stage.accumulation_steps / window)
        scheduled = max(values[min(done // window, 199)], 2.0**-60)
        # within one factor, where the level has just changed in the middle of a window
        assert scheduled / 1.0001 <= share or stage.accumulation_steps > window
        assert share <= factor * scheduled * 1.0001 or scheduled < 1e-3
        done, update = done + stage.accumulation_steps, update + 1
    assert done == total


def test_any_step_gives_the_same_value():
    stages = stages_of(schedules.Cosine(1.0, 50).values(50), 2)
    value = StagedValue(stages, "accumulation_steps", first=7)
    exact = [value(i) for i in range(60)]
    tensors = [value(keras.ops.convert_to_tensor(i, "int32")) for i in range(60)]
    got = [float(keras.ops.convert_to_numpy(x)) for x in tensors]
    assert got == pytest.approx(exact)
    assert exact[:8] == [2.0] * 8


# In training.


class Tracked(keras.Sequential):
    traces = 0

    def train_step(self, *args):
        self.traces += 1
        return super().train_step(*args)


def new_model(optimizer, make=keras.Sequential, **how):
    keras.utils.set_random_seed(1)
    dense = layers.Dense(1, use_bias=False)
    return compiled_model(make([keras.Input((3,)), dense]), optimizer, **how)


def multi(rate=0.05, window=1, inner=optimizers.SGD):
    return optimizers.MultiSteps(inner(rate), accumulation_steps=window)


def fit(model, *callbacks, epochs=2, **kwargs):
    how = {"batch_size": 4, "shuffle": False, "verbose": 0} | kwargs
    return model.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **how)


def by_hand(w, stages, epochs=2):
    """Return the weight after gradient descent in these stages, in NumPy."""
    batches = [(X[i : i + 4], Y[i : i + 4]) for i in range(0, 48, 4)] * epochs
    done = update = 0
    while done < len(batches):
        stage = [s for s in stages if s.update <= update][-1]
        k = stage.accumulation_steps
        window = batches[done : done + k]
        if len(window) == k:
            grads = [2 * x.T @ (x @ w - y) / len(x) for x, y in window]
            w = w - stage.learning_rate * np.mean(grads, axis=0)
        done, update = done + k, update + 1
    return w


HALVING = schedules.Piecewise([8, 16], [0.08, 0.04, 0.02])


@pytest.mark.every
@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("window", [1, 2])
@pytest.mark.parametrize(
    "schedule", [HALVING, schedules.Cosine(0.08), schedules.Cosine(0.08, 24)], ids=str
)
def test_the_weights_are_those_of_the_stages_by_hand(schedule, window, at_once):
    if BACKEND == "torch" and at_once > 1:
        pytest.skip("torch takes one step at a time")
    model = new_model(multi(window=window), steps_per_execution=at_once)
    ramp, start = BatchRamp(schedule), model.get_weights()[0].astype("float64")
    fit(model, ramp)
    expected = by_hand(start, ramp.stages)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-5, atol=1e-6)
    assert len(ramp.stages) > 1
    assert int(np.array(model.optimizer.updates)) <= 24 / window


@pytest.mark.every
def test_all_data_are_used():
    model = new_model(multi())
    fit(model, BatchRamp(schedules.Cosine(0.08)))
    assert int(np.array(model.optimizer.window.good)) == 0


def test_a_warm_up_follows_the_schedule():
    schedule = schedules.Warmup(schedules.Cosine(0.08, 16), 8)
    model = new_model(multi())
    ramp, seen = BatchRamp(schedule), []

    class Look(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            optimizer = self.model.optimizer
            if len(seen) < 8:
                seen.append(optimizer.current("learning_rate"))

    fit(model, ramp, Look())
    assert seen == pytest.approx(schedule.values(8))


def test_a_new_window_needs_no_trace():
    if BACKEND == "torch":
        pytest.skip("torch does not trace")
    bare, ramped = new_model(multi(), Tracked), new_model(multi(), Tracked)
    fit(bare)
    ramp = BatchRamp(schedules.Cosine(0.08))
    fit(ramped, ramp)
    assert len(ramp.stages) > 3
    assert ramped.traces == bare.traces


@pytest.mark.every
@pytest.mark.parametrize(
    "how",
    [{"jit_compile": True}, {"run_eagerly": True}],
    ids=str,
)
def test_however_the_model_is_compiled(how):
    if BACKEND == "torch" and "run_eagerly" not in how:
        pytest.skip("torch has no jit_compile")
    model = new_model(multi())
    model.compile(multi(), "mse", **how)
    ramp, start = BatchRamp(HALVING), model.get_weights()[0].astype("float64")
    fit(model, ramp)
    expected = by_hand(start, ramp.stages)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.every
def test_afterwards_the_optimizer_has_its_own_values():
    class Failing(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    model = new_model(multi(0.03, window=2))
    for others in [], [Failing()]:
        try:
            fit(model, BatchRamp(HALVING), *others)
        except KeyboardInterrupt:
            assert others
        optimizer = model.optimizer
        assert optimizer.current("accumulation_steps") == 2
        assert optimizer.current("learning_rate") == pytest.approx(0.03)
    fit(model, epochs=1)


@pytest.mark.every
def test_a_second_fit_goes_on():
    once, twice = new_model(multi()), new_model(multi())
    schedule = schedules.Cosine(0.08, 24)
    fit(once, BatchRamp(schedule), epochs=2)
    for _ in range(2):
        fit(twice, BatchRamp(schedule), epochs=1)
    np.testing.assert_allclose(once.get_weights()[0], twice.get_weights()[0], rtol=1e-6)


@pytest.mark.every
def test_a_training_that_is_resumed_goes_on(tmp_path):
    path = tmp_path / "a.keras"
    schedule = schedules.Cosine(0.08)

    class Saving(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                self.model.save(path)

    once = new_model(multi())
    fit(once, BatchRamp(schedule), Saving(), epochs=2)
    again = keras.models.load_model(path)
    assert again.optimizer.current("accumulation_steps") == 1
    fit(again, BatchRamp(schedule), initial_epoch=1, epochs=2)
    np.testing.assert_allclose(once.get_weights()[0], again.get_weights()[0], rtol=1e-6)


@pytest.mark.every
def test_a_schedule_of_keras_and_one_without_an_end():
    falling = keras.optimizers.schedules.ExponentialDecay(0.08, 8, 0.5)
    model = new_model(multi())
    ramp = BatchRamp(falling)
    fit(model, ramp)
    # halved after 8 and 16 micro-batches: 8 updates, 4 and 2
    assert rows(ramp.stages) == [(0, 0, 1), (8, 8, 2), (12, 16, 4)]
    assert rates(ramp.stages) == pytest.approx([0.08, 0.08 / np.sqrt(2), 0.04])
    fit(model, ramp, epochs=1)
    assert rows(ramp.stages)[:4] == [(0, 0, 1), (8, 8, 2), (12, 16, 4), (14, 24, 8)]


def generator():
    while True:
        yield X[:4], Y[:4]


@pytest.mark.every
def test_data_of_unknown_length():
    model = new_model(multi())
    with pytest.raises(ValueError, match="unknown length"):
        model.fit(
            (pair for pair in [(X, Y)]),
            callbacks=[BatchRamp(schedules.Cosine(0.08))],
            verbose=0,
        )
    ramp = BatchRamp(schedules.Cosine(0.08))
    model.fit(generator(), steps_per_epoch=12, epochs=2, callbacks=[ramp], verbose=0)
    last = ramp.stages[-1]
    assert last.batch + last.accumulation_steps == 24


@pytest.mark.every
def test_in_a_loss_scale_optimizer_and_another_wrapper():
    scaled = keras.optimizers.LossScaleOptimizer(multi(), initial_scale=8.0)
    ramp = BatchRamp(HALVING)
    fit(new_model(scaled), ramp)
    fit(new_model(optimizers.EMA(multi(inner=optimizers.Adam))), ramp)
    assert len(ramp.stages) > 1


@pytest.mark.every
def test_a_loop_of_ones_own():
    optimizer = multi()
    model = new_model(optimizer)
    ramp, start = BatchRamp(HALVING), model.get_weights()[0].astype("float64")
    ramp.set_model(model)
    ramp.on_train_begin()
    for i in [*range(0, 48, 4)] * 2:
        model.train_on_batch(X[i : i + 4], Y[i : i + 4])
    ramp.on_train_end()
    expected = by_hand(start, ramp.stages)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-5, atol=1e-6)


class Setting(keras.callbacks.Callback):
    """Puts a state back at the first `on_epoch_begin`, as a resumed training does."""

    def __init__(self, values, state, of):
        super().__init__()
        self.values, self.state, self.of = values, state, of

    def on_epoch_begin(self, epoch, logs=None):
        if self.values:
            model = self.model
            for v, x in zip(model_state(model), self.values, strict=True):
                v.assign(x)
            self.of.set_state(self.state)
            self.values = None


def model_state(model):
    return [*model.weights, *model.optimizer.variables]


@pytest.mark.every
@pytest.mark.parametrize(
    "schedule", [HALVING, schedules.Cosine(0.08), schedules.Cosine(0.08, 24)], ids=str
)
def test_its_state_continues_a_training(schedule):
    class Keeping(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                self.values = [np.array(v) for v in model_state(self.model)]
                self.state = first.get_state()

    first, kept, whole = BatchRamp(schedule), Keeping(), new_model(multi())
    fit(whole, first, kept)
    second, model = BatchRamp(schedule), new_model(multi())
    fit(model, second, Setting(kept.values, kept.state, second), initial_epoch=1)
    assert second.stages == first.stages
    np.testing.assert_array_equal(model.get_weights()[0], whole.get_weights()[0])


# Bad input.


@pytest.mark.every
@pytest.mark.parametrize(
    ("optimizer", "line"),
    [
        (lambda: optimizers.Adam(0.002), "optimizers.MultiSteps(optimizers.Adam("),
        (
            lambda: optimizers.SGD(
                schedules.Cosine(0.1), gradient_accumulation_steps=4
            ),
            "accumulation_steps=4)",
        ),
        (
            lambda: keras.optimizers.Adam(0.002),
            "optimizers.MultiSteps(optimizers.Adam(",
        ),
    ],
)
def test_other_optimizers_are_refused_with_the_line_to_write(optimizer, line):
    model = new_model(optimizer())
    with pytest.raises(TypeError, match="drives `accumulation_steps`") as refused:
        fit(model, BatchRamp(HALVING))
    assert line in str(refused.value)
    written = str(refused.value).splitlines()[-1].strip()
    model.compile(eval(written, {"optimizers": optimizers}), "mse")
    fit(model, BatchRamp(HALVING))


def test_what_cannot_be_driven_is_refused():
    growing = optimizers.MultiSteps(
        optimizers.SGD(0.1), schedules.Piecewise([9], [1, 2])
    )
    with pytest.raises(
        ValueError, match="`accumulation_steps`, which must be a number"
    ):
        fit(new_model(growing), BatchRamp(HALVING))
    falling = optimizers.MultiSteps(optimizers.SGD(HALVING), 2)
    with pytest.raises(ValueError, match="`learning_rate`, which must be a number"):
        fit(new_model(falling), BatchRamp(HALVING))
    with pytest.raises(ValueError, match="Received: max_accumulation_steps=2"):
        fit(new_model(multi(window=3)), BatchRamp(HALVING, max_accumulation_steps=2))
    other = HyperparameterScheduler("learning_rate", HALVING)
    with pytest.raises(ValueError, match="Two callbacks drive 'learning_rate'"):
        fit(new_model(multi()), BatchRamp(HALVING), other)
    with pytest.raises(TypeError, match=r"Received: schedule=0\.1"):
        BatchRamp(0.1)


# What the paper says.


@pytest.mark.slow
def test_the_same_data_make_fewer_updates_and_about_the_same_loss():
    rng = np.random.default_rng(5)
    truth = rng.normal(size=(20, 1))
    x = rng.normal(size=(16384, 20)).astype("float32")
    y = (x @ truth + rng.normal(size=(16384, 1))).astype("float32")

    def trained(optimizer, *callbacks):
        losses, updates = [], []
        for seed in range(3):
            keras.utils.set_random_seed(seed)
            dense = layers.Dense(1, use_bias=False)
            model = keras.Sequential([keras.Input((20,)), dense])
            model.compile(optimizer(), "mse")
            model.fit(x, y, batch_size=8, verbose=0, callbacks=[c() for c in callbacks])
            w = model.get_weights()[0]
            losses.append(float(np.sum((w - truth) ** 2)))  # excess risk
            updates.append(int(np.array(model.optimizer.updates)))
        return np.mean(losses), updates[0]

    cosine = schedules.Cosine(0.05)
    plain, many = trained(lambda: optimizers.Adam(cosine))
    ramp, few = trained(
        lambda: multi(0.05, inner=optimizers.Adam), lambda: BatchRamp(cosine)
    )
    constant, _ = trained(lambda: optimizers.Adam(0.05))
    assert few < 0.75 * many
    assert ramp < 3 * plain < 0.2 * constant
