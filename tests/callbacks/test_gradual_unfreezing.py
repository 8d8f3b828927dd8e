"""Gradual unfreezing, block by block."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_optlab import optimizers, schedules
from keras_optlab.callbacks import GradualUnfreezing, StepCallback
from keras_optlab.core.groups import Group

BACKEND = keras.backend.backend()
X = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
Y = np.tanh(X[:, :1]) + 0.5
BATCHES = 3  # of 8, 8 and 4


class Tracked(keras.Sequential):
    """A model that counts the calls of its train step: on torch, each one."""

    traces = 0

    def train_step(self, *args):
        self.traces += 1
        return super().train_step(*args)


def new_model(optimizer=None, make=keras.Sequential, norm=False, built=True, **how):
    """Return a model of three blocks."""
    keras.utils.set_random_seed(1)
    stack = [layers.Dense(5, activation="tanh", name="first")]
    stack += [layers.BatchNormalization(name="norm")] if norm else []
    stack += [layers.Dense(5, activation="tanh", name="second")]
    stack += [layers.Dense(1, name="head")]
    model = make(([keras.Input((4,))] if built else []) + stack)
    model.compile(optimizer or optimizers.Adam(0.01), "mse", **how)
    return model


def fit(model, *callbacks, epochs=3, **kwargs):
    how = {"batch_size": 8, "shuffle": False, "verbose": 0} | kwargs
    return model.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **how)


def kernels(model):
    return {x.name: np.array(x.kernel) for x in model.layers if hasattr(x, "kernel")}


class Record(keras.callbacks.Callback):
    """Keeps, at the end of each epoch, what is trainable and all kernels."""

    def __init__(self):
        super().__init__()
        self.trainable, self.kernels = [], []

    def on_epoch_end(self, epoch, logs=None):
        model = self.model
        with_kernel = [x for x in model.layers if hasattr(x, "kernel")]
        self.trainable.append([x.name for x in with_kernel if x.trainable])
        self.kernels.append(kernels(model))


def changed(before, after):
    return [name for name in before if np.any(before[name] != after[name])]


BY_EPOCH = [["head"], ["second", "head"], ["first", "second", "head"]]


def check(model, *callbacks, **kwargs):
    """Fit, and check that exactly the blocks of each epoch have changed in it."""
    start, record = kernels(model), Record()
    fit(model, *callbacks, record, **kwargs)
    assert record.trainable == BY_EPOCH
    for before, after, names in zip(
        [start, *record.kernels], record.kernels, BY_EPOCH, strict=False
    ):
        assert changed(before, after) == (names if before else [])
    return record


@pytest.mark.slow
def test_one_block_more_each_epoch():
    check(new_model(), GradualUnfreezing())


@pytest.mark.every
def test_a_model_without_input_layer():
    check(new_model(built=False), GradualUnfreezing())


@pytest.mark.every
@pytest.mark.parametrize(
    ("every", "unit", "counts"),
    [
        (2, "epoch", [1, 1, 2, 2, 3, 3]),
        ([1, 4], "epoch", [1, 2, 2, 2, 3, 3]),
        ([0, 0], "epoch", [3, 3, 3, 3, 3, 3]),
        (4, "step", [1, 2, 3, 3, 3, 3]),
        ([1, 9], "step", [2, 2, 2, 3, 3, 3]),
    ],
)
def test_when_blocks_begin(every, unit, counts):
    record = Record()
    fit(new_model(), GradualUnfreezing(every, unit), record, epochs=6)
    assert [len(names) for names in record.trainable] == counts


@pytest.mark.every
def test_blocks_that_stay_frozen_are_said():
    with pytest.warns(UserWarning, match="begins 2 of 3 blocks .*every=2, epochs=3"):
        fit(new_model(), GradualUnfreezing(every=2))


@pytest.mark.slow
def test_a_block_may_begin_in_the_middle_of_an_epoch():
    class Look(StepCallback):
        def on_steps(self, metrics):
            seen[self.step] = len(self.model.trainable_variables)

    seen = {}
    look = Look(every=1)
    fit(new_model(), GradualUnfreezing([2, 5], "step"), look, epochs=3)
    assert {k: v // 2 for k, v in seen.items()} == {
        **dict.fromkeys([1], 1),
        **dict.fromkeys([2, 3, 4], 2),
        **dict.fromkeys([5, 6, 7, 8, 9], 3),
    }


def adam(rate, steps):
    """Return a function of gradients: Adam's step, by its own count."""
    m, v, t = 0.0, 0.0, 0

    def step(g):
        nonlocal m, v, t
        m, v, t = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g, t + 1
        a = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return -a * m / (np.sqrt(v) + 1e-7)

    del steps
    return step


@pytest.mark.slow
def test_slots_and_bias_correction_of_a_block_start_with_it():
    keras.utils.set_random_seed(1)
    make = [layers.Dense(3, use_bias=False), layers.Dense(1, use_bias=False)]
    model = keras.Sequential([keras.Input((4,)), *make])
    model.compile(optimizers.Adam(0.01), "mse")
    a, b = (np.array(w, "float64") for w in model.get_weights())
    fit(model, GradualUnfreezing(5), epochs=9)
    of_a, of_b = adam(0.01, 0), adam(0.01, 0)
    for epoch in range(9):
        for at in range(0, 20, 8):
            x, y = X[at : at + 8], Y[at : at + 8]
            error = 2 * (x @ a @ b - y) / len(x)
            to_a, to_b = x.T @ error @ b.T, (x @ a).T @ error
            if epoch >= 5:
                a = a + of_a(to_a)
            b = b + of_b(to_b)
    for x, y in zip(model.get_weights(), (a, b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)


@pytest.mark.every
def test_one_trace_a_block():
    if BACKEND == "torch":
        pytest.skip("torch does not trace")

    def traces(callbacks, epochs):
        model = new_model(make=Tracked)
        fit(model, *callbacks, epochs=epochs, batch_size=10)
        return model, model.traces

    _, bare = traces([], 3)
    unfreezing = GradualUnfreezing()
    model, got = traces([unfreezing], 5)
    assert got == 3 * bare
    fit(model, unfreezing, epochs=2, batch_size=10)
    assert model.traces == got  # all blocks have begun


@pytest.mark.every
def test_what_the_user_has_frozen_stays_frozen():
    model = new_model()
    model.layers[0].trainable = False
    model.layers[1].bias.trainable = False
    model.compile(optimizers.Adam(0.01), "mse")
    start, bias = kernels(model), np.array(model.layers[1].bias)
    fit(model, GradualUnfreezing())
    assert changed(start, kernels(model)) == ["second", "head"]
    np.testing.assert_array_equal(model.layers[1].bias, bias)
    assert not model.layers[0].trainable
    assert not model.layers[1].bias.trainable
    assert model.layers[1].kernel.trainable


@pytest.mark.every
@pytest.mark.parametrize("trains", [False, True])
def test_batch_normalization_in_a_frozen_block(trains):
    model = new_model(norm=True)
    norm = model.get_layer("norm")
    before = [np.array(v) for v in (norm.gamma, norm.moving_mean)]
    fit(model, GradualUnfreezing(train_normalization=trains), epochs=2)
    after = [np.array(v) for v in (norm.gamma, norm.moving_mean)]
    moved = [np.any(x != y) for x, y in zip(before, after, strict=True)]
    assert moved == [trains, trains]
    fit(model, epochs=1)
    assert np.any(np.array(norm.moving_mean) != after[1])


@pytest.mark.every
def test_normalization_without_weights_follows_the_layer_before_it():
    keras.utils.set_random_seed(1)
    norm = layers.BatchNormalization(center=False, scale=False)
    stack = [layers.Dense(3), norm, layers.Dense(1)]
    model = keras.Sequential([keras.Input((4,)), *stack])
    model.compile(optimizers.Adam(0.01), "mse")
    fit(model, GradualUnfreezing(), epochs=1)
    np.testing.assert_array_equal(norm.moving_mean, 0)
    assert norm.trainable


def flags(model):
    return [x.trainable for x in model.layers], [v.trainable for v in model.weights]


class Failing(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            raise KeyboardInterrupt


@pytest.mark.every
def test_all_is_trainable_again_after_fit_or_an_interruption():
    model = new_model(norm=True)
    before = flags(model)
    fit(model, GradualUnfreezing(), epochs=1)
    assert flags(model) == before
    with pytest.raises(KeyboardInterrupt):
        fit(model, GradualUnfreezing(), Failing())
    assert flags(model) == before
    assert "save" not in vars(model)
    start = kernels(model)
    fit(model, epochs=1)
    assert changed(start, kernels(model)) == ["first", "second", "head"]


@pytest.mark.every
def test_a_second_fit_goes_on_and_a_new_optimizer_starts_over():
    model, unfreezing, record = new_model(), GradualUnfreezing(), Record()
    for _ in range(3):
        fit(model, unfreezing, record, epochs=1)
    assert record.trainable == BY_EPOCH
    model.compile(optimizers.Adam(0.01), "mse")
    fit(model, unfreezing, record, epochs=1)
    assert record.trainable[-1] == ["head"]


@pytest.mark.every
def test_initial_epoch():
    record = Record()
    fit(new_model(), GradualUnfreezing(), record, initial_epoch=1, epochs=3)
    assert record.trainable == BY_EPOCH[1:]


@pytest.mark.every
def test_saved_in_the_middle_and_continued(tmp_path):
    path = str(tmp_path / "{epoch}.keras")
    saving = keras.callbacks.ModelCheckpoint(path)
    whole = new_model(norm=True)
    fit(whole, GradualUnfreezing(), saving, epochs=4)
    again = keras.models.load_model(tmp_path / "2.keras")
    assert flags(again)[0] == [True] * 4
    fit(again, GradualUnfreezing(), initial_epoch=2, epochs=4)
    for x, y in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-7)


class Restoring(keras.callbacks.Callback):
    """Puts a state back at the first `on_epoch_begin`, as a resumed training does."""

    def __init__(self, values, state, of):
        super().__init__()
        self.values, self.state, self.of = values, state, of

    def on_epoch_begin(self, epoch, logs=None):
        if self.values:
            model = self.model
            several = [*model.weights, *model.optimizer.variables]
            for v, x in zip(several, self.values, strict=True):
                v.assign(x)
            self.of.set_state(self.state)
            self.values = None


class Keeping(keras.callbacks.Callback):
    def __init__(self, epoch, of):
        super().__init__()
        self.epoch, self.of = epoch, of

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            model = self.model
            several = [*model.weights, *model.optimizer.variables]
            self.values = [np.array(v) for v in several]
            self.state = self.of.get_state()


@pytest.mark.every
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("unit", ["epoch", "step"])
def test_its_state_continues_a_training(unit, order):
    every = 1 if unit == "epoch" else 4
    first = GradualUnfreezing(every, unit)
    kept = Keeping(1, first)
    whole = new_model()
    fit(whole, first, kept, epochs=5)
    model, second = new_model(), GradualUnfreezing(every, unit)
    back = Restoring(kept.values, kept.state, second)
    fit(model, *[second, back][::order], initial_epoch=2, epochs=5)
    for x, y in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)
    assert second.get_state() == first.get_state() | {"blocks": 0}


def test_the_state_of_another_model_is_refused():
    unfreezing = GradualUnfreezing()
    state = {"trained": 2, "epochs": 2, "blocks": 7}
    with pytest.raises(ValueError, match=r"of 7 blocks\. Received: a model with 3"):
        fit(new_model(), unfreezing, Setting(state, unfreezing))


class Setting(keras.callbacks.Callback):
    def __init__(self, state, of):
        super().__init__()
        self.state, self.of = state, of

    def on_epoch_begin(self, epoch, logs=None):
        self.of.set_state(self.state)


OPTIMIZERS = {
    "SGD": lambda: optimizers.SGD(0.05, momentum=0.9),
    "AdamW in groups": lambda: optimizers.AdamW(
        0.01, groups=[Group("*/bias", weight_decay=0.0)]
    ),
    "EMA": lambda: optimizers.EMA(optimizers.Adam(0.01)),
    "use_ema": lambda: optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5),
    "ScheduleFreeAdamW": lambda: optimizers.ScheduleFreeAdamW(0.01),
    "SAM": lambda: optimizers.SAM(optimizers.AdamW(0.01)),
    "Muon": lambda: optimizers.Muon(0.01),
    "Prodigy": lambda: optimizers.Prodigy(),
    "MultiSteps": lambda: optimizers.MultiSteps(optimizers.Adam(0.01), 2),
    "accumulation": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=3),
    "clipped": lambda: optimizers.Adam(0.01, global_clipnorm=1.0),
    "schedule": lambda: optimizers.Adam(schedules.Cosine(0.01)),
    "LossScaleOptimizer": lambda: keras.optimizers.LossScaleOptimizer(
        optimizers.Adam(0.01), initial_scale=8.0
    ),
}


@pytest.mark.every
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_with_other_optimizers(name):
    model = new_model(OPTIMIZERS[name]())
    check(model, GradualUnfreezing(), validation_data=(X, Y), batch_size=4)
    assert all(np.isfinite(x).all() for x in model.get_weights())


@pytest.mark.every
@pytest.mark.parametrize(
    "how",
    [{"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 2}],
    ids=str,
)
def test_however_the_model_is_compiled(how):
    if BACKEND == "torch" and "run_eagerly" not in how:
        pytest.skip("torch has neither")
    model = new_model()
    model.compile(optimizers.Adam(0.01), "mse", **how)
    check(model, GradualUnfreezing(), batch_size=5)


@pytest.mark.every
def test_penalties_of_a_block_count_in_the_validation_loss_from_its_beginning():
    keras.utils.set_random_seed(1)
    heavy = layers.Dense(3, kernel_regularizer=keras.regularizers.L2(100.0))
    model = keras.Sequential([keras.Input((4,)), heavy, layers.Dense(1)])
    model.compile(optimizers.SGD(1e-9), "mse")
    losses = fit(
        model, GradualUnfreezing(2), epochs=3, validation_data=(X, Y), shuffle=False
    ).history["val_loss"]
    assert losses[2] > 10 * losses[1]


@pytest.mark.every
def test_blocks_that_are_given():
    model = new_model(norm=True)
    blocks = ["first", [model.get_layer("norm"), "second"], "head"]
    record = Record()
    fit(model, GradualUnfreezing(blocks=blocks), record)
    assert record.trainable == BY_EPOCH


@pytest.mark.every
def test_blocks_in_a_configuration_are_paths():
    model = new_model()
    given = [model.layers[0], ["second", "head"]]
    config = GradualUnfreezing(blocks=given).get_config()
    again = GradualUnfreezing.from_config(config)
    record = Record()
    fit(model, again, record, epochs=2)
    assert record.trainable == [["second", "head"], ["first", "second", "head"]]


@pytest.mark.every
def test_a_custom_loop():
    model, unfreezing = new_model(), GradualUnfreezing()
    unfreezing.set_model(model)
    unfreezing.on_train_begin()
    seen = []
    for epoch in range(3):
        seen.append(len(model.trainable_variables) // 2)
        model.train_on_batch(X, Y)
        unfreezing.on_epoch_end(epoch)
    unfreezing.on_train_end()
    assert seen == [1, 2, 3]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: (new_model(keras.optimizers.Adam()), GradualUnfreezing()),
            TypeError,
            "needs an optimizer of keras_optlab",
        ),
        (
            lambda: (new_model(), GradualUnfreezing([1, 2, 3])),
            ValueError,
            "3 entries for 3 blocks",
        ),
        (
            lambda: (new_model(), GradualUnfreezing(blocks=["first", "head"])),
            ValueError,
            "leaves weights out",
        ),
        (
            lambda: (new_model(), GradualUnfreezing(blocks=["*"])),
            ValueError,
            "Received: 1 in",
        ),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_changes(make, error, message):
    model, unfreezing = make()
    before, weights = flags(model), kernels(model)
    with pytest.raises(error, match=message):
        fit(model, unfreezing)
    assert flags(model) == before
    assert not changed(weights, kernels(model))


@pytest.mark.every
def test_an_optimizer_that_was_built_for_the_head_alone_is_refused():
    model = new_model()
    model.layers[0].trainable = False
    model.compile(optimizers.Adam(0.01), "mse")
    fit(model, epochs=1)
    model.layers[0].trainable = True
    with pytest.raises(
        ValueError, match=r"without '.*first/kernel'.*Compile the model"
    ):
        fit(model, GradualUnfreezing())


def test_two_of_them_are_refused():
    with pytest.raises(ValueError, match="Two callbacks drive 'trained_blocks'"):
        fit(new_model(), GradualUnfreezing(), GradualUnfreezing())


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"must not fall\. Received: every=\[2, 1\]"):
        GradualUnfreezing([2, 1])
    with pytest.raises(TypeError, match="Received: blocks=3"):
        GradualUnfreezing(blocks=3)
    with pytest.raises(TypeError, match="Write `train_normalization`"):
        GradualUnfreezing(train_bn=True)
