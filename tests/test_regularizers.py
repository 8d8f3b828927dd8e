import json
import math

import keras
import numpy as np
import pytest

from keras_optlab.regularizers import L1, L1L2, L2

PAIRS = [
    (L1(), keras.regularizers.L1()),
    (L1(0.3), keras.regularizers.L1(0.3)),
    (L2(), keras.regularizers.L2()),
    (L2(0.3), keras.regularizers.L2(0.3)),
    (L1L2(), keras.regularizers.L1L2()),
    (L1L2(l1=0.3), keras.regularizers.L1L2(l1=0.3)),
    (L1L2(l1=0.3, l2=0.7), keras.regularizers.L1L2(l1=0.3, l2=0.7)),
]
SHAPES = [(), (0, 3), (5,), (4, 3), (2, 3, 2, 2)]


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (L1(0.5), 3.0),  # 0.5 * (1 + 2 + 3)
        (L2(0.5), 7.0),  # 0.5 * (1 + 4 + 9)
        (L1L2(l1=0.5, l2=0.5), 10.0),
        (L1L2(), 0.0),
    ],
    ids=repr,
)
def test_values_worked_by_hand(regularizer, expected):
    x = keras.ops.convert_to_tensor(np.array([[1.0, -2.0, 3.0]], "float32"))
    assert float(regularizer(x)) == expected
    assert float(regularizer(keras.Variable(x, trainable=False))) == expected


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=[repr(p[0]) for p in PAIRS])
def test_equals_keras(ours, theirs, shape):
    x = keras.ops.cast(np.random.RandomState(0).standard_normal(shape), "float32")
    value = ours(x)
    assert float(value) == pytest.approx(float(theirs(x)), rel=1e-6)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    assert ours.get_config() == pytest.approx(theirs.get_config())


def test_a_layer_adds_the_penalty_to_the_loss():
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(
                1,
                kernel_initializer="ones",
                kernel_regularizer=L2(0.25),
                bias_initializer="ones",
                bias_regularizer=L1(0.125),
            ),
        ]
    )
    model.compile("sgd", loss=lambda y, p: 0.0 * keras.ops.mean(p))
    history = model.fit(np.ones((1, 2)), np.ones((1, 1)), verbose=0)
    assert history.history["loss"] == [0.25 * 2 + 0.125]
    # One step of plain gradient descent: 1 - 0.01 * 2 * 0.25 and 1 - 0.01 * 0.125.
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel, [[0.995], [0.995]], rtol=1e-6)
    np.testing.assert_allclose(bias, [0.99875], rtol=1e-6)


@pytest.mark.parametrize("regularizer", [pair[0] for pair in PAIRS], ids=repr)
def test_serialization(regularizer, tmp_path):
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(regularizer)))
    assert (
        saved["registered_name"]
        == f"keras_optlab.regularizers>{type(regularizer).__name__}"
    )
    assert repr(keras.saving.deserialize_keras_object(saved)) == repr(regularizer)
    assert repr(keras.regularizers.get(saved)) == repr(regularizer)

    dense = keras.layers.Dense(1, kernel_regularizer=regularizer)
    keras.Sequential([keras.Input((2,)), dense]).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert repr(loaded.layers[0].kernel_regularizer) == repr(regularizer)


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: L1(-0.1), "l1=-0.1"),
        (lambda: L2(math.nan), "l2=nan"),
        (lambda: L2(math.inf), "l2=inf"),
        (lambda: L1L2(0.1, -1), "l2=-1"),
        (lambda: L1L2("0.1"), "l1='0.1'"),
        (lambda: L2(None), "l2=None"),
        (lambda: L1(True), "l1=True"),
    ],
)
def test_bad_input_says_what_it_received(make, received):
    with pytest.raises((TypeError, ValueError), match="must be .* Received: ") as error:
        make()
    assert f"Received: {received}" in str(error.value)


def test_l1_has_no_l2_argument():
    with pytest.raises(TypeError, match="Received: l2=0.1"):
        L1(l2=0.1)
