"""What users of PyTorch write out of habit: an error says what to write instead."""

import re

import keras
import numpy as np
import pytest

from keras_optlab import optimizers

ON_TORCH = keras.backend.backend() == "torch"
X = np.linspace(-1, 1, 24, dtype="float32").reshape(6, 4)


@pytest.fixture
def net():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])


def parameters(net):
    """Return what `net.parameters()` returns on torch: an iterator over weights."""
    return iter(net.trainable_variables)


def weight_gradients(net):
    return [keras.ops.ones(v.shape) for v in net.trainable_variables]


@pytest.mark.parametrize(
    ("construct", "written"),
    [
        (lambda p: optimizers.Adam(p), "Adam(learning_rate=0.001)."),
        (lambda p: optimizers.Adam(p, 0.02), "Adam(learning_rate=0.02)."),
        (lambda p: optimizers.Adam(p, lr=0.02), "Adam(learning_rate=0.02)."),
        (
            lambda p: optimizers.SGD(p, learning_rate=0.1, momentum=0.9),
            "SGD(learning_rate=0.1).",
        ),
        (lambda p: optimizers.SGD(params=p, lr=0.1), "SGD(learning_rate=0.1)."),
        (lambda p: optimizers.Lion(list(p)), "Lion(learning_rate=0.001)."),
        (
            lambda p: optimizers.Lion(filter(lambda v: v.trainable, p)),
            "Lion(learning_rate=0.001).",
        ),
        (
            lambda p: optimizers.Adam([{"params": list(p), "lr": 0.1}], lr=0.02),
            "Adam(learning_rate=0.02); for other rates in some layers, add groups=",
        ),
        (lambda p: optimizers.Lookahead(p), "Pass an optimizer, such as Adam()."),
    ],
)
def test_weights_in_the_constructor(net, construct, written):
    with pytest.raises(TypeError, match="takes no weights: ") as error:
        construct(parameters(net))
    assert "Received: " in str(error.value)
    assert "`optimizer.build(net.trainable_variables)`" in str(error.value)
    assert written in str(error.value)


def test_a_model_is_no_callable_rate(net):
    with pytest.raises(TypeError, match="Write Adam"):
        optimizers.Adam(net)


@pytest.mark.parametrize(
    "name", ["step", "zero_grad", "param_groups", "state_dict", "load_state_dict", "lr"]
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_methods_of_torch_optimizers(name, wrapped):
    optimizer = optimizers.Adam()
    if wrapped:
        optimizer = optimizers.Lookahead(optimizer)
    with pytest.raises(AttributeError, match=f"Received: optimizer.{name}. "):
        getattr(optimizer, name)
    assert name not in dir(optimizer)
    assert not hasattr(optimizer, name)


@pytest.mark.skipif(not ON_TORCH, reason="weights have gradients only on torch")
def test_the_lines_that_the_errors_show_work(net):
    optimizer = optimizers.SGD(0.1)
    (net(X) ** 2).sum().backward()
    before = net.get_weights()
    gradients = [np.array(v.value.grad) for v in net.trainable_variables]
    for name in "step", "zero_grad":
        with pytest.raises(AttributeError) as error:
            getattr(optimizer, name)()
        line = re.search(r"Write (.*)\.$", str(error.value))[1]
        exec(line, {"net": net, "optimizer": optimizer})
    for now, w, g in zip(net.get_weights(), before, gradients, strict=True):
        np.testing.assert_allclose(now, w - 0.1 * g, rtol=1e-6)
        assert np.any(g)
    assert all(v.value.grad is None for v in net.trainable_variables)


@pytest.mark.skipif(not ON_TORCH, reason="only torch has parameters")
@pytest.mark.parametrize("built", [False, True])
def test_parameters_where_variables_belong(net, built):
    optimizer = optimizers.SGD(0.1)
    if built:
        optimizer.build(net.trainable_variables)
    words = re.escape("of net.parameters(). Write net.trainable_variables.")
    with pytest.raises(TypeError, match=words):
        optimizer.apply(weight_gradients(net), net.parameters())
    with pytest.raises(TypeError, match=words):
        optimizers.SGD(0.1).build(net.parameters())
    optimizer.apply(weight_gradients(net), parameters(net))  # any iterable of variables
    assert int(optimizer.updates) == 1


def test_what_stands_for_state_dict_keeps_the_state(net, tmp_path):
    optimizer = optimizers.Adam(0.1)
    optimizer.apply(weight_gradients(net), net.trainable_variables)
    net.compile(optimizer)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras").optimizer
    assert int(loaded.updates) == 1
    for was, now in zip(optimizer.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(np.array(was), np.array(now))


def test_a_rate_that_is_set_by_its_old_name_is_refused():
    optimizer = optimizers.Adam()
    with pytest.raises(AttributeError, match="Write optimizer.learning_rate"):
        optimizer.lr = 0.1
