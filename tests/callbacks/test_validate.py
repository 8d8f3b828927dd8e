"""Validate: exact values, at their steps, without any effect on the training."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import callbacks, optimizers
from keras_optlab.callbacks import EarlyStopping, Monitor, ReduceOnPlateau, TensorBoard
from keras_optlab.callbacks import validate as module
from keras_optlab.callbacks.validate import Validate
from tests.support.fitting import EveryStep, compiled, new_model
from tests.support.logs import read

BACKEND = keras.backend.backend()
COMPILED = BACKEND != "torch"  # torch has no steps_per_execution

RNG = np.random.default_rng(0)
X = RNG.normal(size=(28, 3)).astype("float32")
Y = (X.sum(axis=1, keepdims=True) > 0).astype("float32")
XV = RNG.normal(size=(10, 3)).astype("float32")
YV = (XV.sum(axis=1, keepdims=True) > 0).astype("float32")
W = np.linspace(0, 1, 10).astype("float32")
ARRAYS = {"x": X, "y": Y, "batch_size": 4}  # 7 batches


def network(optimizer, **compiling):
    """Return a model with state and random numbers, which counts its traces."""

    class Counting(keras.Model):
        traces: list = []  # noqa: RUF012

        def train_step(self, *args):
            self.traces.append("train")
            return super().train_step(*args)

        def test_step(self, *args):
            self.traces.append("test")
            return super().test_step(*args)

    keras.utils.set_random_seed(3)
    x = keras.Input((3,))
    h = keras.layers.BatchNormalization()(keras.layers.Dense(6)(x))
    h = keras.layers.Dropout(0.3)(ops.relu(h))
    model = Counting(x, keras.layers.Dense(1, activation="sigmoid")(h))
    loss = "binary_crossentropy"
    model.compile(optimizer, loss, metrics=["accuracy"], **compiling)
    return model


class Batches(keras.utils.PyDataset):
    """Batches of four, in a new order each epoch, with random noise."""

    def __init__(self, x=X, y=Y, noise=0.0):
        super().__init__()
        self.x, self.y, self.noise, self.order = x, y, noise, np.arange(len(x))

    def __len__(self):
        return math.ceil(len(self.x) / 4)

    def __getitem__(self, index):
        at = self.order[4 * index : 4 * index + 4]
        x = self.x[at]
        if self.noise:
            x = x + self.noise * np.random.rand(*x.shape)
        return x, self.y[at]

    def on_epoch_end(self):
        if self.noise:
            np.random.shuffle(self.order)


def dataset(*arrays, shuffle=False):
    tf = pytest.importorskip("tensorflow")
    found = tf.data.Dataset.from_tensor_slices(arrays)
    return (found.shuffle(28, seed=5) if shuffle else found).batch(4)


def forever(x, y):
    while True:
        for i in range(0, len(x), 4):
            yield x[i : i + 4], y[i : i + 4]


def data(kind):
    """Return the arguments of `fit` for seven batches an epoch."""
    if kind == "arrays":
        return ARRAYS
    if kind == "tf.data":
        return {"x": dataset(X, Y, shuffle=True)}
    if kind == "PyDataset":
        return {"x": Batches(noise=0.1)}
    return {"x": forever(X, Y), "steps_per_epoch": 7}


def state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [np.array(ops.convert_to_numpy(v)) for v in variables]


def same(before, after):
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(0.05),
    "stock": lambda: keras.optimizers.Adam(0.05),
    "accumulating": lambda: optimizers.Adam(0.05, gradient_accumulation_steps=3),
    "EMA": lambda: optimizers.EMA(optimizers.Adam(0.05)),
    "SWA": lambda: optimizers.SWA(optimizers.SGD(0.05), average_from=2),
    "schedule-free": lambda: optimizers.ScheduleFreeAdamW(0.05),
    "SAM": lambda: optimizers.SAM(optimizers.Adam(0.05)),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(optimizers.Adam(0.05)),
    "use_ema": lambda: keras.optimizers.Adam(0.05, use_ema=True),
}
FIRST = "EMA"  # the other cases are marked `every`
CASES = [("arrays", name, {}) for name in sorted(OPTIMIZERS, key=lambda n: n != FIRST)]
CASES += [(kind, "adam", {}) for kind in ("PyDataset", "tf.data", "generator")]
if COMPILED:
    CASES += [("arrays", "adam", {"steps_per_execution": 3})]
    CASES += [("PyDataset", "EMA", {"steps_per_execution": 3})]
if BACKEND == "tensorflow":
    CASES += [("arrays", "adam", {"jit_compile": True})]
    CASES += [("arrays", "adam", {"run_eagerly": True})]


@pytest.mark.every
@pytest.mark.sampled
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
@pytest.mark.parametrize(("kind", "optimizer", "compiling"), CASES)
def test_training_is_the_same_bit_for_bit(kind, optimizer, compiling):
    ends = []
    validate = Validate(2, (XV, YV), batch_size=5)
    for others in [], [validate]:
        model = network(OPTIMIZERS[optimizer](), **compiling)
        model.traces.clear()
        history = model.fit(**data(kind), epochs=2, verbose=0, callbacks=others)
        ends.append((state(model), history.history, model.traces.count("train")))
    (state_0, history_0, traces_0), (state_1, history_1, traces_1) = ends
    assert same(state_0, state_1)
    assert history_0 == {k: v for k, v in history_1.items() if k in history_0}
    assert len(validate.history["val_loss"]) >= 2
    assert traces_0 == traces_1
    if COMPILED and "run_eagerly" not in compiling:
        assert model.traces.count("test") == 1


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["EMA", "SWA", "schedule-free"])
def test_a_validation_after_the_last_step_leaves_the_statistics_of_training(optimizer):
    """Those of the evaluation weights are computed in it, and used once more."""
    ends = []
    for others in [], [Validate(1, (XV, YV))]:
        model = network(OPTIMIZERS[optimizer]())
        model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=others)
        ends.append(state(model))
    assert same(*ends)


@pytest.mark.every
@pytest.mark.skipif(BACKEND == "tensorflow", reason="another thread draws the batches")
def test_random_validation_data_do_not_change_random_training_data():
    ends = []
    for others in [], [Validate(2, Batches(XV, YV, noise=1.0))]:
        model = network(optimizers.Adam(0.05))
        model.fit(Batches(noise=0.1), epochs=2, verbose=0, callbacks=others)
        ends.append(state(model))
    assert same(*ends)


@pytest.mark.slow
def test_values_are_those_of_evaluate_at_each_step():
    model = network(OPTIMIZERS["EMA"]())
    kept = EveryStep(lambda m: m.get_weights())
    validate = Validate(2, (XV, YV, W))
    model.fit(**ARRAYS, epochs=2, verbose=0, callbacks=[kept, validate])
    history = validate.history
    assert history["step"] == [2, 4, 6, 8, 10, 12, 14]
    for i, step in enumerate(history["step"]):
        model.set_weights(kept.kept[step])
        how = {"sample_weight": W, "verbose": 0, "return_dict": True, "batch_size": 4}
        expected = model.evaluate(XV, YV, **how)
        assert {k: history[f"val_{k}"][i] for k in expected} == expected


@pytest.mark.every
def test_data_may_come_in_many_forms():
    model = new_model(metrics=["mae"])
    forms = {
        "arrays": {"data": (XV, YV), "batch_size": 4},
        "weighted": {"data": (XV, YV, np.ones(10)), "batch_size": 4},
        "data set": {"data": dataset(XV, YV)},
        "sequence": {"data": Batches(XV, YV)},
        "generator": {"data": forever(XV, YV), "steps": 3},
    }
    several = [
        Validate(2, name=f"val_{i}", **form) for i, form in enumerate(forms.values())
    ]
    history = model.fit(**ARRAYS, verbose=0, callbacks=several).history
    for i, validate in enumerate(several):
        for name in "loss", "mae":
            values = validate.history[f"val_{i}_{name}"]
            np.testing.assert_allclose(
                values, several[0].history[f"val_0_{name}"], rtol=1e-6
            )
            assert history[f"val_{i}_{name}"] == values[-1:]
    few = Validate(7, (XV, YV), batch_size=4, steps=2)
    model.fit(**ARRAYS, verbose=0, callbacks=[few])
    first = model.evaluate(XV[:8], YV[:8], verbose=0, batch_size=4, return_dict=True)
    assert few.history["step"] == [14]
    assert few.history["val_loss"] == [first["loss"]]


@pytest.mark.sampled
@pytest.mark.parametrize("given", ["validation_data", "validation_split"])
@pytest.mark.slow
def test_without_data_those_of_fit_are_used_and_its_values_win(given, monkeypatch):
    calls = []

    def counted(model, batches):
        calls.append(1)
        return evaluate(model, batches)

    evaluate = module.evaluate_batches
    monkeypatch.setattr(module, "evaluate_batches", counted)
    how = {"validation_data": (XV, YV)}
    fitted = ARRAYS | how
    if given == "validation_split":
        how = {"validation_split": 0.25}
        fitted = ARRAYS | how  # 21 rows, 6 batches
    plain = new_model().fit(**fitted, epochs=2, verbose=0).history
    validate = Validate(3)
    history = new_model().fit(**fitted, epochs=2, verbose=0, callbacks=[validate])
    assert history.history == plain
    own = validate.history
    n = 7 if given == "validation_data" else 6
    expected = [3, 6, 7, 9, 12, 14] if n == 7 else [3, 6, 9, 12]
    assert own["step"] == expected
    at_ends = [
        v for s, v in zip(own["step"], own["val_loss"], strict=True) if s % n == 0
    ]
    assert at_ends == plain["val_loss"]
    assert len(calls) == len(expected) - 2


@pytest.mark.sampled
@pytest.mark.parametrize("order", [-1, 1])
def test_several_have_values_of_their_own(order):
    both = [Validate(2, (XV, YV)), Validate(3, (XV[:5], YV[:5]), name="val_few")]
    history = new_model().fit(**ARRAYS, verbose=0, callbacks=both[::order]).history
    few = both[1].history
    assert both[0].history.keys() == {"step", "val_loss"}
    assert both[0].history["step"] == [2, 4, 6]
    assert (few.keys(), few["step"]) == ({"step", "val_few_loss"}, [3, 6])
    assert history["val_loss"] == both[0].history["val_loss"][-1:]
    assert history["val_few_loss"] == few["val_few_loss"][-1:]


def test_an_epoch_without_validation_reports_none():
    validate = Validate(10, (XV, YV))
    history = new_model().fit(**ARRAYS, epochs=3, verbose=0, callbacks=[validate])
    assert validate.history["step"] == [10, 20]
    assert history.history["val_loss"] == validate.history["val_loss"]


@pytest.mark.every
def test_data_of_unknown_length_are_not_validated_twice_at_their_end():
    training = {"x": dataset(X, Y).filter(lambda x, y: True)}
    validate = Validate(7)
    how = {"validation_data": (XV, YV), "epochs": 2, "verbose": 0}
    stopping = EarlyStopping(patience=5, verbose=0)
    history = new_model().fit(**training, **how, callbacks=[stopping, validate])
    assert validate.history["step"] == [7, 14]
    assert validate.history["val_loss"] == history.history["val_loss"]
    assert stopping._values == 2


# Callbacks that act on the values.


def fresh():
    """Return a cached model as if it had not been trained."""
    model = compiled()
    model.optimizer.iterations.assign(0)
    return model


@pytest.fixture
def scripted(monkeypatch):
    """Return a function that sets the losses of the validations of `Validate`."""

    def script(values):
        coming = iter(values)
        monkeypatch.setattr(
            module, "evaluate_batches", lambda *_: {"loss": next(coming)}
        )

    return script


def fit(*others, epochs=2, model=None, **kwargs):
    model = model or fresh()
    data = ARRAYS | {"epochs": epochs, "verbose": 0} | kwargs
    return model.fit(**data, callbacks=list(others))


@pytest.mark.parametrize("every", [None, 1, 2])
def test_early_stopping_acts_at_once_and_counts_validations(scripted, capsys, every):
    scripted([5, 3, 4, 4, 4, 4])
    stopping = EarlyStopping(patience=2, every=every)
    model = fresh()
    kept = EveryStep(lambda m: m.get_weights())
    fit(stopping, Validate(2, (XV, YV)), kept, model=model, epochs=3)
    assert (stopping.best, stopping.best_epoch, stopping.best_step) == (3, 0, 4)
    assert stopping.stopped_epoch == 1
    assert max(kept.kept) == 9  # stops one step after the decision
    assert same(model.get_weights(), kept.kept[4])
    assert capsys.readouterr().out == (
        "EarlyStopping: Stopped at step 8: val_loss has not improved for 2 "
        "validations. Restored the weights of the best step, 4 (val_loss 3).\n"
    )


def test_every_may_leave_validations_out(scripted):
    scripted([9, 8, 7, 6, 5, 4, 3])
    stopping = EarlyStopping(every=5, verbose=0)
    fit(stopping, Validate(2, (XV, YV)))  # reads after steps 2, 6, 10
    assert stopping._values == 3
    assert (stopping.best, stopping.best_step) == (5, 10)


@pytest.mark.parametrize(
    ("unit", "patience", "stopped_at"), [("steps", 5, 10), ("epochs", 1, 14)]
)
def test_other_units_of_patience(scripted, unit, patience, stopped_at):
    scripted([3, 2, 4, 4, 4, 4, 4])
    stopping = EarlyStopping(patience=patience, patience_unit=unit, verbose=0)
    fit(stopping, Validate(2, (XV, YV)), epochs=3)
    assert stopping.step in (stopped_at, stopped_at + 1)
    assert stopping.best_step == 4


def test_reduce_on_plateau_acts_at_once(scripted):
    scripted([3, 3, 3, 3, 3, 3, 3])
    model = new_model(optimizers.SGD(0.1))
    plateau = ReduceOnPlateau(factor=0.5, patience=2)
    scale = EveryStep(lambda m: m.optimizer.learning_rate_scale)
    fit(plateau, scale, Validate(2, (XV, YV)), model=model)
    reduced = {step: x for step, x in scale.kept.items() if x < 1}
    assert (min(reduced), reduced[6], reduced[10]) == (6, 0.5, 0.25)


def test_keras_own_act_at_the_end_of_epochs(scripted):
    scripted([5, 4, 3, 2, 9, 9, 9, 9, 9])
    theirs = keras.callbacks.EarlyStopping(patience=0)
    history = fit(theirs, Validate(2, (XV, YV)), epochs=4)
    assert history.history["val_loss"] == [3, 9]
    assert theirs.stopped_epoch == 1


def test_every_with_a_validation_metric_needs_a_validation_within_epochs():
    model = new_model()
    before = state(model)
    other = Validate(1, (XV, YV), name="val_other")
    for others in [], [other]:
        with pytest.raises(ValueError, match=r"every=3. Add Validate\(every=3\)"):
            model.fit(**ARRAYS, callbacks=[EarlyStopping(every=3), *others], verbose=0)
        assert same(before, state(model)) or not model.optimizer.built
    assert not other.history


def test_a_metric_that_is_missing_is_warned_of(scripted):
    scripted([3] * 7)
    with pytest.warns(UserWarning, match="monitor='val_los'.*Did you mean 'val_loss'"):
        fit(EarlyStopping("val_los", mode="min", verbose=0), Validate(2, (XV, YV)))


def test_tensorboard_and_monitor_log_each_value_once_at_its_step(scripted, tmp_path):
    losses = [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    scripted(losses)
    monitor = Monitor(every=5)
    fit(TensorBoard(tmp_path, every=5), monitor, Validate(2, (XV, YV)))
    logged = read(tmp_path / "validation")
    steps = [2, 4, 6, 8, 10, 12, 14]
    assert logged["step/loss"] == dict(zip(steps, losses, strict=True))
    assert logged["epoch/loss"] == {0: 5.0, 1: 1.0}
    rows = [row for row in monitor.rows if "step/val_loss" in row]
    assert [(r["step"], r["step/val_loss"]) for r in rows] == list(
        zip(steps, losses, strict=True)
    )
    assert len({r["step"] for r in monitor.rows}) == len(monitor.rows)


def test_it_says_if_it_never_runs(scripted):
    scripted([])
    with pytest.warns(UserWarning, match="every=50 and this `fit` took steps 1 to 14"):
        fit(Validate(50, (XV, YV)), EarlyStopping(verbose=0))


def test_a_custom_loop(scripted):
    scripted([3, 2])
    model, stopping, validate = fresh(), EarlyStopping(), Validate(2, (XV, YV))
    both = keras.callbacks.CallbackList([validate, stopping], model=model)
    both.on_train_begin()
    both.on_epoch_begin(0)
    for batch in range(4):
        both.on_train_batch_begin(batch)
        model.train_on_batch(X[:4], Y[:4])
        both.on_train_batch_end(batch)
    both.on_epoch_end(0)
    both.on_train_end()
    assert validate.history["val_loss"] == [3, 2]
    steps = validate.history["step"]
    assert steps[1] - steps[0] == 2
    assert (stopping.best, stopping.best_step) == (2, steps[1])


# What may go wrong.


@pytest.mark.every
def test_the_averages_of_use_ema_are_evaluated_if_they_are_swapped_in():
    ends = []
    validates = [Validate(3, (XV, YV)) for _ in range(2)]
    for validate, swap in zip(validates, (False, True), strict=True):
        optimizer = keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.5)
        others = [keras.callbacks.SwapEMAWeights()] if swap else []
        model = new_model(optimizer)
        model.fit(**ARRAYS, verbose=0, callbacks=[*others, validate])
        ends.append(state(model))
    assert same(*ends)
    raw, averaged = (v.history["val_loss"] for v in validates)
    assert raw != averaged


@pytest.mark.slow
def test_an_error_in_validation_leaves_the_state_of_the_training():
    class Failing(Batches):
        def __getitem__(self, index):
            if index == 1 and kept.kept.get(4):
                raise RuntimeError("failed")
            return super().__getitem__(index)

    kept = EveryStep(lambda m: m.get_weights())
    kept.runs_first = True
    model = network(OPTIMIZERS["EMA"]())
    others = [Validate(4, Failing(XV, YV)), kept]
    with pytest.raises(Exception, match="failed"):
        model.fit(**ARRAYS, verbose=0, callbacks=others[::-1])
    assert int(model.optimizer.iterations) == 4
    assert same(model.get_weights(), kept.kept[4])


def unending():
    return dataset(XV, YV).repeat()


def two_outputs():
    x = keras.Input((3,))
    outputs = [keras.layers.Dense(1, name=n)(x) for n in "ab"]
    model = keras.Model(x, outputs)
    model.compile("sgd", ["mse", "mse"])
    return model


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: [Validate(2)], "Validate needs data. Received: data=None"),
        (lambda: [Validate(2, unending())], "`data` must end, or `steps`"),
        (lambda: [Validate(2, forever(X, Y))], "`steps` must be set"),
        (lambda: [Validate(2, (b for b in [(X, Y)]), steps=3)], "ended after 1"),
        (lambda: [Validate(2, (XV[:, :2], YV))], "inputs that fit the model"),
        (lambda: [Validate(2, Batches(XV[:, :2], YV))], "inputs that fit the model"),
        (lambda: [Validate(2, XV)], "must have targets like the training data, 1"),
        (lambda: [Validate(2, (XV, YV[:3]))], "`data` cannot be read"),
        (lambda: [Validate(2, ("a", YV))], "`data` cannot be read"),
        (lambda: [Validate(2, (XV, YV), steps=9)], "`data` must have 9 batches"),
        (lambda: [Validate(2, (XV, YV)), Validate(3, (XV, YV))], "name='val' twice"),
    ],
)
def test_bad_data_are_refused_before_training(make, told):
    model = fresh()
    before = model.get_weights()
    with pytest.raises(ValueError, match=told):
        model.fit(**ARRAYS, verbose=0, callbacks=make())
    assert same(before, model.get_weights())


def test_data_of_fit_that_cannot_be_shared_are_refused():
    training = Batches()
    model = fresh()
    with pytest.raises(ValueError, match="that `fit` trains on"):
        model.fit(training, verbose=0, callbacks=[Validate(2, training)])
    how = {"validation_data": forever(XV, YV), "validation_steps": 2}
    with pytest.raises(ValueError, match="the generator that `fit` reads"):
        model.fit(**ARRAYS, **how, verbose=0, callbacks=[Validate(2)])


class OwnSteps(keras.Model):
    """A model that trains and is evaluated by methods of its own, without a loss."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.distance = keras.metrics.Mean("distance")
        self.build((None, 3))

    def build(self, shape):
        self.dense.build(shape)
        self.built = True

    def call(self, x):
        return self.dense(x)

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        return ops.mean((y - y_pred) ** 2)


@pytest.mark.every
def test_a_model_without_a_loss_is_refused_unless_it_evaluates_itself():
    class Tested(OwnSteps):
        def test_step(self, *args):
            if BACKEND == "jax":
                return {"one": ops.ones(())}, args[0]
            return {"one": ops.ones(())}

    model = OwnSteps()
    model.compile("sgd")
    validate = Validate(2, (XV, YV))
    model.fit(**ARRAYS, verbose=0, callbacks=[validate])  # its `compute_loss` is used
    assert len(validate.history["val_loss"]) == 3
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd")
    with pytest.raises(ValueError, match="needs a loss"):
        model.fit(**ARRAYS, verbose=0, callbacks=[validate])
    model = Tested()
    model.compile("sgd", "mse")
    validate = Validate(2, (XV, YV))
    model.fit(**ARRAYS, verbose=0, callbacks=[validate])
    assert validate.history["val_one"] == [1, 1, 1]


@pytest.mark.every
def test_several_outputs_and_a_model_without_an_input_layer():
    validate = Validate(3, (XV, (YV, YV)))
    model = two_outputs()
    model.fit(X, (Y, Y), batch_size=4, verbose=0, callbacks=[validate])
    assert {"step", "val_loss", "val_a_loss", "val_b_loss"} == validate.history.keys()
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    validate = Validate(3, (XV, YV))
    model.fit(**ARRAYS, verbose=0, callbacks=[[validate]])
    assert validate.history["step"] == [3, 6]


def test_fit_full_batch_has_its_own_validation():
    from keras_optlab import fit_full_batch

    with pytest.raises(TypeError, match="Validate counts the steps"):
        fit_full_batch(fresh(), X, Y, callbacks=[Validate(2, (XV, YV))])


def test_a_list_of_callbacks_is_put_in_order_too(scripted):
    scripted([5, 3, 4, 4, 4, 4, 4])
    model, stopping = fresh(), EarlyStopping(patience=2, verbose=0)
    given = keras.callbacks.CallbackList(
        [stopping, Validate(2, (XV, YV))], add_history=True, model=model, epochs=3
    )
    model.fit(**ARRAYS, epochs=3, verbose=0, callbacks=given)
    assert stopping.best_step - stopping.step in (-4, -5)
    assert callbacks.Validate is Validate
