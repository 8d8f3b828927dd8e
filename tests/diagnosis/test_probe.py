"""A probe of a model, which is left as it was."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_optlab as kol
from keras_optlab.diagnosis.probe import probe
from tests.finders.test_put_back import OPTIMIZERS, X, Y, model, same, state, trained

BACKEND = keras.backend.backend()


@pytest.mark.sampled
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.slow
def test_everything_is_put_back(optimizer):
    if optimizer == "scaled loss" and BACKEND == "torch":
        pytest.skip("Keras' LossScaleOptimizer does not work on torch")
    made = trained(model(OPTIMIZERS[optimizer]()))
    before = state(made)
    kol.diagnose(made, X, Y, batch_size=16, steps=20)
    same(before, state(made))


@pytest.mark.slow
def test_everything_is_put_back_after_reruns_and_an_error():
    made = trained(model(kol.optimizers.SGD(1e-7)))
    before = state(made)
    found = probe(made, X, Y, batch_size=16, steps=20)
    assert [x.factor for x in found.reruns] == [10.0, 100.0, 1000.0]
    same(before, state(made))
    with pytest.raises((TypeError, ValueError, AttributeError)):
        kol.diagnose(made, X, Y[:, :, None, None].repeat(3, 2).astype(str))
    same(before, state(made))


@pytest.mark.every
@pytest.mark.parametrize("optimizer", ["stock", "schedule", "EMA", "SAM"])
def test_training_after_a_probe_is_as_without_it(optimizer):
    weights = []
    for probed in (True, False):
        keras.utils.set_random_seed(3)
        made = model(OPTIMIZERS[optimizer]())
        if probed:
            kol.diagnose(made, X, Y, batch_size=16, steps=20)
        made.fit(X, Y, batch_size=16, epochs=2, verbose=0)
        weights.append(made.get_weights())
    for x, y in zip(*weights, strict=True):
        np.testing.assert_array_equal(x, y)


def test_the_norms_are_those_of_the_batches():
    made = keras.Sequential([keras.Input((4,)), layers.Dense(1, use_bias=False)])
    made.compile(keras.optimizers.SGD(0.01, global_clipnorm=1.0), "mse")
    kernel = np.array([[0.1], [0.2], [0.3], [0.4]])
    made.set_weights([kernel])
    x, y = X[:8], Y[:8]
    record = probe(made, x, y, batch_size=8, steps=20)
    slope = 2 * x.T @ (x @ kernel - y) / 8
    norm = np.linalg.norm(slope)
    steps = {tag: curve.values[0] for tag, curve in record.steps.items()}
    assert steps["optimizer/gradient_norm"] == pytest.approx(norm, rel=1e-4)
    assert steps["optimizer/gradient_norm_clipped"] == pytest.approx(1.0)
    assert steps["optimizer/clipped_fraction"] == 1.0
    ratio = 0.01 / np.linalg.norm(kernel)
    path = made.layers[0].kernel.path.removeprefix(f"{made.name}/")
    assert steps[f"update_ratio/{path}"] == pytest.approx(ratio, rel=1e-3)
    assert record.losses.values[0] == pytest.approx(
        np.mean((x @ kernel - y) ** 2), rel=1e-4
    )


@pytest.mark.every
def test_accumulated_batches_are_one_step():
    made = model(kol.optimizers.SGD(0.01, gradient_accumulation_steps=3))
    record = probe(made, X, Y, batch_size=8, steps=20)
    assert len(record.losses.at) == 20
    assert record.setting.updates == 20
    kernels = [v for k, v in record.matrices("update_ratio").items()]
    assert kernels[0].values.all()


class Own(keras.Model):
    """A model with a `train_step` of its own, whose loss is not known."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def train_step(self, *args):
        return super().train_step(*args)


@pytest.mark.every
def test_a_model_with_its_own_step_is_judged_without_gradients():
    made = Own()
    made.compile(kol.optimizers.Adam(), "mse")
    found = kol.diagnose(made, X, Y, steps=20)
    assert found == []
    assert "could not be measured" in found.not_judged["vanishing_gradients"]
    assert "rate_too_high" in found.judged


DATA = {
    "tf.data": lambda: (
        pytest.importorskip("tensorflow")
        .data.Dataset.from_tensor_slices((X, Y))
        .batch(16)
    ),
    "PyDataset": lambda: Batches(),
}


class Batches(keras.utils.PyDataset):
    num_batches = 6

    def __getitem__(self, i):
        return X[16 * i : 16 * i + 16], Y[16 * i : 16 * i + 16]


@pytest.mark.every
@pytest.mark.parametrize("data", DATA)
def test_data_in_batches(data):
    found = kol.diagnose(model(), DATA[data](), steps=20)
    assert found == []


@pytest.mark.every
def test_several_inputs_and_outputs():
    a, b = keras.Input((4,)), keras.Input((4,))
    z = layers.Dense(8, activation="relu")(layers.Concatenate()([a, b]))
    made = keras.Model({"a": a, "b": b}, [layers.Dense(1)(z), layers.Dense(1)(z)])
    made.compile(kol.optimizers.Adam(), ["mse", "mae"])
    found = kol.diagnose(made, {"a": X, "b": X}, [Y, Y], steps=20)
    assert found == []


@pytest.mark.every
@pytest.mark.skipif(BACKEND != "tensorflow", reason="ways of TensorFlow to execute")
@pytest.mark.parametrize("how", [{"jit_compile": True}, {"run_eagerly": True}])
def test_ways_to_execute(how):
    assert kol.diagnose(model(**how), X, Y, steps=20) == []


def test_inputs_that_a_model_scales_itself_are_scaled():
    x = keras.Input((4,))
    made = keras.Model(x, layers.Dense(1)(x / 255.0))
    made.compile(kol.optimizers.Adam(), "mse")
    assert "unscaled_inputs" not in kol.diagnose(made, 255 * X, Y, steps=20).rules
    bare = keras.Model(x, layers.Dense(1)(x))
    bare.compile(kol.optimizers.Adam(), "mse")
    assert "unscaled_inputs" in kol.diagnose(bare, 255 * X, Y, steps=20).rules


@pytest.mark.slow
def test_columns_without_a_number_are_named():
    x = X.copy()
    x[:, 1] = np.nan
    found = kol.diagnose(model(), x, Y, steps=20)
    (finding,) = [f for f in found if f.rule == "data_not_finite"]
    assert "rows of the inputs (in each row of column 1, as" in finding.sentence


def test_bad_input():
    made = model()
    with pytest.raises(ValueError, match=r"needs data\. Received: x=None"):
        kol.diagnose(made)
    with pytest.raises(ValueError, match="updates of the probe.*Received: steps=5"):
        kol.diagnose(made, X, Y, steps=5)
    with pytest.raises(ValueError, match="kol.diagnose needs a compiled model"):
        kol.diagnose(keras.Sequential([layers.Dense(1)]), X, Y)
    with pytest.raises(ValueError, match="needs the targets `y`.*Received: y=None"):
        kol.diagnose(made, X)
    with pytest.raises(TypeError, match="x of dtype object"):
        kol.diagnose(made, X.astype(object), Y)
    with pytest.raises(ValueError, match="gives each batch once"):
        kol.diagnose(made, (batch for batch in [(X, Y)]))
