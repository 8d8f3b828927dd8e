"""The numbers that the TensorBoard callback logs."""

import math
import os

import keras
import numpy as np
import pytest

from keras_optlab import Group
from keras_optlab.callbacks import TensorBoard
from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.optimizers import SGD, Adam
from keras_optlab.schedules import Cosine
from keras_optlab.transforms import ClipByNorm
from tests.support.logs import X, Y, accumulate, by_hand, fit, line, read, read_text

BACKEND = keras.backend.backend()

STOCK_TAGS = {
    "epoch/loss",
    "step/loss",
    "throughput/examples_per_second",
    "throughput/memory",
    "throughput/steps_per_second",
}
CLIPPING_TAGS = {"optimizer/gradient_norm_clipped", "optimizer/clipped_fraction"}
ENGINE_TAGS = {
    "optimizer/gradient_norm",
    "optimizer/weight_norm",
    "optimizer/update_norm",
    "update_ratio/line/kernel",
    "weight_gradient_norm/line/kernel",
    "weight_norm/line/kernel",
}


def test_every_number_is_right(tmp_path):
    rate = Cosine(0.2, steps=10)
    model = line(SGD(rate, global_clipnorm=1.0))
    history = fit(model, [TensorBoard(tmp_path, every=3)], validation_data=(X, Y))
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")

    rate_tag = {"optimizer/learning_rate"}
    assert train.keys() == STOCK_TAGS | ENGINE_TAGS | CLIPPING_TAGS | rate_tag
    others = accumulate(tmp_path / "train").Tags()["tensors"]
    assert {tag.partition("/")[0] for tag in others} == {"configuration"}
    assert list(train["epoch/loss"].values()) == pytest.approx(history["loss"])
    assert validation.keys() == {"epoch/loss"}
    assert list(validation["epoch/loss"].values()) == pytest.approx(history["val_loss"])

    assert all(
        list(train[tag]) == ([3, 6] if tag.endswith("_second") else [1, 3, 6])
        for tag in train
        if not tag.startswith("epoch")
    )
    assert train["optimizer/learning_rate"] == pytest.approx(
        {step: rate(step) for step in (1, 3, 6)}
    )
    steps = [by_hand(rate, clipnorm=1.0)[i] for i in (0, 2, 5)]
    size, norm, clipped, update = np.linalg.norm(steps, axis=(2, 3)).T
    for tag, expected in {
        "optimizer/gradient_norm": norm,
        "optimizer/gradient_norm_clipped": clipped,
        "optimizer/clipped_fraction": np.float32(norm > 1),
        "optimizer/weight_norm": size,
        "optimizer/update_norm": update,
        "update_ratio/line/kernel": update / size,
        "weight_gradient_norm/line/kernel": norm,
        "weight_norm/line/kernel": size,
    }.items():
        assert list(train[tag].values()) == pytest.approx(list(expected), rel=1e-4), tag


def test_the_step_metrics_are_means_over_the_epoch_so_far(tmp_path):
    model = line("sgd", metrics=["mae"])
    history = fit(model, [TensorBoard(tmp_path, every=2)])
    train = read(tmp_path / "train")
    for metric in ("loss", "mae"):
        at = train[f"step/{metric}"]
        assert list(at) == [1, 2, 4, 6, 8]
        assert [at[4], at[8]] == pytest.approx(history[metric])
    first = np.mean((X[:8] @ (np.ones((3, 1)) / 2) - Y[:8]) ** 2)
    assert train["step/loss"][1] == pytest.approx(first, rel=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "tags"),
    [
        (lambda: keras.optimizers.Adam(0.01), set()),
        (lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), set()),
        (lambda: keras.optimizers.LossScaleOptimizer(SGD(0.01)), ENGINE_TAGS),
        (lambda: Adam(0.01, use_ema=True), ENGINE_TAGS),
    ],
)
@pytest.mark.slow
def test_what_each_optimizer_shows(tmp_path, optimizer, tags):
    model = line(optimizer())
    fit(model, [TensorBoard(tmp_path, every=2)])
    train = read(tmp_path / "train")
    assert train.keys() == STOCK_TAGS | tags
    training = read_text(tmp_path / "train", "configuration/training")[0]
    assert ("none, since" in training) != bool(tags)


# Hyperparameters that change.


class Driver(Callback):
    """A callback that drives the scale of the rate, and sets `beta_2` by hand."""

    def driven_values(self):
        return {"learning_rate_scale": 0.25, "learning_rate": 7.0}

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate_scale = 0.25
        if epoch == 1:
            self.model.optimizer.beta_2 = 0.5


@pytest.mark.slow
def test_every_hyperparameter_that_moves_is_shown(tmp_path):
    falling, limit = Cosine(0.2, steps=10), Cosine(3.0, steps=8)
    optimizer = Adam(
        0.1,
        weight_decay=falling,
        groups=[Group("line", beta_1=Cosine(0.9, steps=6))],
        gradient_transforms=[ClipByNorm(2.0), ClipByNorm(limit)],
    )
    fit(line(optimizer), [TensorBoard(tmp_path, every=2), Driver()])
    train = read(tmp_path / "train")
    shown = {k: v for k, v in train.items() if k.startswith("hyperparameter/")}
    points = (1, 2, 4, 6, 8)
    assert shown == {
        "hyperparameter/weight_decay": pytest.approx({t: falling(t) for t in points}),
        "hyperparameter/line.beta_1": pytest.approx(
            {t: Cosine(0.9, steps=6)(t) for t in points}
        ),
        "hyperparameter/ClipByNorm_1.norm": pytest.approx(
            {t: limit(t) for t in points}
        ),
        "hyperparameter/beta_2": {6: 0.5, 8: 0.5},
    }  # the scale of the rate and the rate are constant
    assert "optimizer/learning_rate" not in train


def test_what_callbacks_drive_is_shown_with_a_stock_optimizer(tmp_path):
    class Clipping(Callback):
        def driven_values(self):
            return {"WeightClipping.high": 1.0 / self.model.optimizer.iterations}

    fit(line("sgd"), [Clipping(), TensorBoard(tmp_path, every=4)], epochs=1)
    shown = read(tmp_path / "train")["hyperparameter/WeightClipping.high"]
    assert shown == {1: 1.0, 4: 0.25}


# Axes.


@pytest.mark.skipif(BACKEND == "torch", reason="Keras has no such thing on torch")
def test_records_from_within_an_execution_stand_at_their_own_steps(tmp_path):
    model = line(SGD(0.1), steps_per_execution=3)
    fit(model, [TensorBoard(tmp_path, every=2)], batch_size=4)  # 8 steps an epoch
    train = read(tmp_path / "train")
    assert list(train["step/loss"]) == [3, 6, 8, 11, 14, 16]
    assert list(train["optimizer/gradient_norm"]) == [1, *range(2, 17, 2)]


def test_norms_of_every_step_between_points(tmp_path):
    rate = Cosine(0.2, steps=10)
    callback = TensorBoard(tmp_path, every=3, statistics_every=1)
    fit(line(SGD(rate)), [callback])
    train = read(tmp_path / "train")
    assert list(train["step/loss"]) == [1, 3, 6]
    gradients = [g for _, g, _, _ in by_hand(rate, math.inf)]
    expected = {step: np.linalg.norm(gradients[step - 1]) for step in range(1, 9)}
    shown = train["optimizer/gradient_norm"]
    assert shown == pytest.approx(expected, rel=1e-4)
    assert train["weight_gradient_norm/line/kernel"] == pytest.approx(shown)


def test_with_accumulation_a_step_is_an_update(tmp_path):
    rate = Cosine(0.2, steps=10)
    model = line(SGD(rate, gradient_accumulation_steps=2))
    fit(model, [TensorBoard(tmp_path, every=2)], batch_size=4)  # 4 updates an epoch
    train = read(tmp_path / "train")
    assert train["optimizer/learning_rate"] == pytest.approx(
        {step: rate(step) for step in (1, 2, 4, 6, 8)}
    )
    assert list(train["optimizer/gradient_norm"]) == [1, 2, 4, 6, 8]


def test_both_axes_go_on_in_a_second_fit(tmp_path):
    model, callback = line(SGD(0.1)), TensorBoard(tmp_path, every=3)
    fit(model, [callback], epochs=2)
    fit(model, [callback], epochs=1)
    fit(model, [callback], epochs=7, initial_epoch=5)
    train = read(tmp_path / "train")
    assert list(train["step/loss"]) == [1, *range(3, 21, 3)]
    assert list(train["optimizer/gradient_norm"]) == list(train["step/loss"])
    assert list(train["epoch/loss"]) == [0, 1, 2, 5, 6]
    assert len(read_text(tmp_path / "train", "configuration/model")) == 3


def test_the_step_goes_on_with_an_optimizer_that_counts_from_0(tmp_path):
    model, callback = line(SGD(0.1)), TensorBoard(tmp_path, every=3)
    fit(model, [callback], epochs=1)
    model.compile(SGD(0.2), loss="mse")
    fit(model, [callback], epochs=1)
    fit(model, [callback], epochs=1)
    train = read(tmp_path / "train")
    points = [1, 3, 4 + 1, 4 + 3, 4 + 6]
    assert list(train["step/loss"]) == points
    assert list(train["optimizer/gradient_norm"]) == points
    assert set(train["optimizer/learning_rate"].values()) == {
        np.float32(0.1),
        np.float32(0.2),
    }


class Idle(keras.Model):
    """A model whose compiled optimizer takes no step, as in a GAN."""

    def train_step(self, *args):
        loss = keras.ops.ones(())
        state = args[0] if BACKEND == "jax" else None
        return {"d_loss": loss} if state is None else ({"d_loss": loss}, state)


def test_the_step_goes_on_where_the_optimizer_does_not_count(tmp_path):
    inputs = keras.Input((3,))
    model = Idle(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd")
    callback = TensorBoard(tmp_path, every=2)
    with pytest.warns(UserWarning, match="SGD, has taken no step") as told:
        fit(model, [callback])
    assert len([w for w in told if "TensorBoard" in str(w.message)]) == 1
    fit(model, [callback], epochs=1)
    train = read(tmp_path / "train")
    assert "step/d_loss" not in train
    assert not any(tag.startswith("optimizer/") for tag in train)
    assert train["epoch/d_loss"] == {0: 1.0, 1: 1.0, 2: 1.0}
    assert callback.position == 12


# Data and models.


def batches():
    for start in range(0, 32, 8):
        yield X[start : start + 8], Y[start : start + 8]


def unknown_length():
    import tensorflow as tf

    like = [tf.TensorSpec((8, 3)), tf.TensorSpec((8, 1))]
    return tf.data.Dataset.from_generator(batches, output_signature=tuple(like))


@pytest.mark.parametrize("data", [batches, unknown_length])
def test_data_of_unknown_length(tmp_path, data):
    if data is unknown_length and BACKEND != "tensorflow":
        pytest.skip("tf.data is tested with TensorFlow")
    model = line(SGD(0.1))
    model.fit(data(), callbacks=[TensorBoard(tmp_path, every=2)], verbose=0)
    train = read(tmp_path / "train")
    assert list(train["step/loss"]) == [1, 2, 4]
    steps = [by_hand(lambda t: 0.1, math.inf)[i] for i in (0, 1, 3)]
    norms = [np.linalg.norm(gradient) for _, gradient, _, _ in steps]
    assert list(train["optimizer/gradient_norm"].values()) == pytest.approx(norms)


def test_several_outputs(tmp_path):
    inputs = keras.Input((3,))
    outputs = [keras.layers.Dense(1, name=name)(inputs) for name in ("a", "b")]
    model = keras.Model(inputs, outputs)
    model.compile(SGD(0.1), loss=["mse", "mae"])
    fit(model, [TensorBoard(tmp_path, every=4)], epochs=1, y=[Y, Y])
    train = read(tmp_path / "train")
    metrics = {"loss", "a_loss", "b_loss"}
    assert {k for k in train if k.startswith("step")} == {f"step/{m}" for m in metrics}
    norms = [
        train[f"weight_gradient_norm/{w}/{v}"][4]
        for w in "ab"
        for v in ("kernel", "bias")
    ]
    assert train["optimizer/gradient_norm"][4] == pytest.approx(np.linalg.norm(norms))


def test_each_value_of_a_metric_gets_a_tag(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    f1 = keras.metrics.F1Score(threshold=0.5, name="f1")
    model.compile("sgd", loss="mse", metrics=[f1])
    history = fit(
        model, [TensorBoard(tmp_path, every=4)], y=np.float32(X[:, :2] > 0), epochs=1
    )
    train = read(tmp_path / "train")
    for i in (0, 1):
        assert train[f"epoch/f1/{i}"][0] == pytest.approx(history["f1"][0][i])
        assert train[f"step/f1/{i}"][4] == pytest.approx(history["f1"][0][i])


def test_mixed_precision_shows_gradients_without_the_loss_scale(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        scaled = keras.optimizers.LossScaleOptimizer(SGD(0.1), initial_scale=1024.0)
        model = line(scaled)
    finally:
        keras.config.set_dtype_policy("float32")
    fit(model, [TensorBoard(tmp_path, every=4)], epochs=1)
    _, gradient, _, _ = by_hand(lambda t: 0.1, math.inf)[0]
    shown = read(tmp_path / "train")["optimizer/gradient_norm"]
    assert shown[1] == pytest.approx(np.linalg.norm(gradient), rel=1e-2)


# Failures.


def test_a_run_without_validation_has_no_directory_for_it(tmp_path):
    fit(line("sgd"), [TensorBoard(tmp_path)])
    assert sorted(os.listdir(tmp_path)) == ["best", "result", "train"]


class Stop(keras.callbacks.Callback):
    """A callback that reads the log during training, then raises."""

    def __init__(self, log_dir):
        super().__init__()
        self.log_dir = log_dir

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 3:
            self.seen = read(self.log_dir / "train")
            raise KeyboardInterrupt


def test_files_are_readable_during_training_and_complete_after_a_crash(tmp_path):
    stop = Stop(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit(line(SGD(0.1)), [TensorBoard(tmp_path, every=1), stop])
    assert list(stop.seen["step/loss"]) == [1, 2, 3]
    assert read(tmp_path / "train") == stop.seen


def test_skipped_steps_are_counted_and_warned_about_once(tmp_path):
    x = X.copy()
    x[9], x[17] = math.nan, math.inf
    with pytest.warns(UserWarning, match="sgd skipped") as told:
        fit(line(SGD(0.1)), [TensorBoard(tmp_path, every=1)], x=x)
    assert len([w for w in told if "skipped" in str(w.message)]) == 1
    train = read(tmp_path / "train")
    skipped = train["optimizer/skipped_steps"].values()
    assert list(skipped) == [0, 1, 2, 2, 2, 3, 4, 4]
    skipped = train["optimizer/skipped_fraction"].values()
    assert list(skipped) == [0, 1, 1, 0, 0, 1, 1, 0]
    assert list(train["optimizer/gradient_norm"]) == [1, 4, 5, 8]


def test_keras_need_not_wait_for_every_batch(tmp_path):
    assert TensorBoard(tmp_path).async_safe
    assert TensorBoard.on_batch_end is keras.callbacks.Callback.on_batch_end


class Counting(keras.Sequential):
    """A model that counts the traces of its step."""

    traces = 0

    def compute_loss(self, *args, **kwargs):
        type(self).traces += 1
        return super().compute_loss(*args, **kwargs)


@pytest.mark.skipif(BACKEND == "torch", reason="nothing is traced")
@pytest.mark.slow
def test_watching_again_traces_nothing_and_its_end_records_nothing(tmp_path):
    model = Counting([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(SGD(0.1), loss="mse")
    watching, traces = TensorBoard(tmp_path, every=2), []
    for callbacks in [watching], [watching], [], [], [watching]:
        before = Counting.traces
        fit(model, callbacks, epochs=1)
        traces.append(Counting.traces - before)
        records, _ = model.optimizer.recorder.statistics_since(0)
        traces.append(records)
    assert traces[1:] == [3, 0, 5, 1, 5, 0, 5, 1, 7]


@pytest.mark.parametrize("name", ["every", "histograms_every"])
@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (2.5, TypeError), ("50", TypeError)]
)
def test_every_must_be_a_number_of_steps(tmp_path, name, value, error):
    with pytest.raises(error, match=f"an integer >= 1. Received: {name}={value!r}"):
        TensorBoard(tmp_path, **{name: value})
