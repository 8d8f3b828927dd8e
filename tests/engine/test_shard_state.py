"""`shard_state`: each device keeps its share of the state, and training is the same."""

import contextlib
import re
from functools import partial

import keras
import numpy as np
import pytest

from keras_optlab import Group, optimizers, transforms
from keras_optlab.verify.comparisons import precision
from keras_optlab.verify.problems import FULL_RANK, values
from tests.support.devices import on_two_devices

BACKEND = keras.backend.backend()
DEVICES = 2
on_jax = pytest.mark.skipif(BACKEND != "jax", reason="a JAX distribution")

ADAM = partial(optimizers.Adam, 0.003)
OPTIMIZERS = {
    "adam": ADAM,
    "all": partial(
        optimizers.AdamW,
        0.003,
        weight_decay=0.1,
        l2=0.01,
        global_clipnorm=0.5,
        use_ema=True,
        ema_overwrite_frequency=3,
        gradient_accumulation_steps=2,
        groups=[Group("head", learning_rate=0.5)],
        gradient_transforms=[transforms.Centralize()],
        update_transforms=[transforms.Cautious()],
    ),
    # a matrix of full rank: null spaces of others amplify rounding
    "soap": partial(optimizers.SOAP, 0.003, max_size=20),
    "kron": partial(optimizers.Kron, 0.001),
    "muon": partial(optimizers.Muon, 0.003, matrices="layers"),
    "galore": partial(optimizers.GaLore, 0.003),
    "bfloat16": partial(ADAM, slot_dtype="bfloat16"),
    "ema": lambda **k: optimizers.EMA(ADAM(**k)),
    "schedule-free": partial(optimizers.ScheduleFreeAdamW, 0.003),
    "sam": lambda **k: optimizers.SAM(optimizers.SGD(0.01, momentum=0.9, **k)),
    "prodigy": optimizers.Prodigy,
}


@contextlib.contextmanager
def data_parallel(count=DEVICES):
    """Set a distribution over so many devices; none for `None`."""
    if count is None:
        yield
        return
    devices = keras.distribution.list_devices()[:count]
    distribution = keras.distribution.DataParallel(
        devices=devices, auto_shard_dataset=False
    )
    with distribution.scope():
        yield


def model(optimizer):
    """Return a network; two kernels have an axis that two devices cannot divide."""
    keras.utils.set_random_seed(7)
    dense = keras.layers.Dense
    net = keras.Sequential(
        [
            keras.Input((20,)),
            dense(64, "tanh"),
            dense(33, "tanh"),
            dense(35, "tanh"),
            dense(1, name="head"),
        ]
    )
    net.compile(optimizer, "mse")
    return net


def fit(net, epochs=2):
    """Train a network and return its losses."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(96, 20))
    y = np.tanh(x[:, :1] * x[:, 1:2])
    run = net.fit(x, y, batch_size=24, epochs=epochs, verbose=0, shuffle=False)
    return run.history["loss"]


def bytes_on_each_device(optimizer):
    """Return the bytes of the optimizer's variables on each device, and of all."""
    found = {}
    for variable in optimizer.variables:
        for shard in variable.value.addressable_shards:
            found[shard.device] = found.get(shard.device, 0) + shard.data.nbytes
    return sorted(found.values()), sum(v.value.nbytes for v in optimizer.variables)


def slot_bytes(optimizer):
    """Return the bytes of the slots on the first device, and of all."""
    slots = [v for p in optimizer.plan.parameters for v in p.slots.values()]
    wholes = [getattr(v, "whole", v).value for v in slots]
    first = sum(x.addressable_shards[0].data.nbytes for x in wholes)
    return first, sum(x.nbytes for x in wholes)


@on_jax
@on_two_devices
@pytest.mark.sampled
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_is_the_same(name):
    make = OPTIMIZERS[name]
    with precision("float64"), data_parallel():
        whole, shared = (model(make(shard_state=s)) for s in (False, True))
        np.testing.assert_allclose(fit(shared), fit(whole), rtol=1e-7)
        for x, y in zip(values(whole.weights), values(shared.weights), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-8)
        first, every = slot_bytes(shared.optimizer)
        assert every >= slot_bytes(whole.optimizer)[1]
        assert first < 0.6 * every


@on_jax
@on_two_devices
def test_each_device_keeps_its_share():
    """Also after several steps, whose results a compiler may lay out differently."""
    ends = {}
    for share in False, True:
        with data_parallel():
            net = model(ADAM(shard_state=share))
            fit(net)
            ends[share] = slot_bytes(net.optimizer)
            devices, _ = bytes_on_each_device(net.optimizer)
        assert len(devices) == DEVICES
        assert devices[0] == devices[1]
    whole = ends[False][1]
    assert ends[False][0] == whole
    assert ends[True][0] <= (1 / DEVICES + 0.05) * whole


@on_jax
@on_two_devices
@pytest.mark.slow
def test_a_step_gathers_only_the_new_weights():
    import jax

    with data_parallel():
        net = model(ADAM(shard_state=True))
        fit(net, epochs=1)
        optimizer = net.optimizer
        layout = keras.distribution.distribution().get_data_layout((8, 20))
        x = keras.distribution.distribute_tensor(np.ones((8, 20), "float32"), layout)
        parts = net.trainable_variables, net.non_trainable_variables
        parts += optimizer.variables, net.metrics_variables
        state = tuple([v.value for v in part] for part in parts)
        step = jax.jit(net.train_step).lower(state, (x, x[:, :1])).compile()
    slots = [p.slots["m"] for p in optimizer.plan.parameters]
    divided = [
        v
        for v in (getattr(slot, "whole", slot).value for slot in slots)
        if v.addressable_shards[0].data.size < v.size
    ]
    gathered = re.findall(r"= f32\[([\d,]*)\]\S* all-gather\(", step.as_text())
    sizes = sorted(int(np.prod([int(n) for n in one.split(",")])) for one in gathered)
    assert sizes == sorted(v.size for v in divided)
    assert len(sizes) == 3
    for old, new in zip(state[2], step.output_shardings[1][2], strict=True):
        assert new.is_equivalent_to(old.sharding, old.ndim)


@on_jax
@on_two_devices
@pytest.mark.sampled
@pytest.mark.parametrize(("before", "after"), [(2, None), (2, 1), (1, 2), (None, 2)])
@pytest.mark.parametrize("how", ["keras", "weights"])
def test_state_moves_between_numbers_of_devices(before, after, how, tmp_path):
    path = tmp_path / ("model.keras" if how == "keras" else "model.weights.h5")
    with data_parallel(before):
        net = model(ADAM(shard_state=before is not None))
        fit(net)
        (net.save if how == "keras" else net.save_weights)(path)
        expected = fit(net)
    warns = how == "keras" and before and after is None
    notice = pytest.warns(UserWarning, match="the state is kept whole")
    with data_parallel(after), notice if warns else contextlib.nullcontext():
        if how == "keras":
            net = keras.models.load_model(path)
        else:
            net = model(ADAM(shard_state=after is not None))
            net.optimizer.build(net.trainable_variables)
            net.load_weights(path)
        np.testing.assert_allclose(fit(net), expected, rtol=1e-4)


def test_without_a_distribution_is_an_error():
    net = model(ADAM(shard_state=True))
    received = "no distribution" if BACKEND == "jax" else f"the backend {BACKEND}"
    with pytest.raises(ValueError, match=f"shard_state=True and {received}"):
        fit(net)


def test_a_configuration_loads_without_a_distribution():
    config = optimizers.EMA(ADAM(shard_state=True)).get_config()
    again = optimizers.EMA.from_config(config)
    assert again.shard_state
    with pytest.warns(UserWarning, match="the state is kept whole"):
        again.build([keras.Variable(np.ones((16, 16)))])


@on_jax
@on_two_devices
def test_a_distribution_set_late_is_an_error():
    net = model(ADAM(shard_state=True))
    with data_parallel(), pytest.raises(ValueError, match="made before the distr"):
        net.optimizer.build(net.trainable_variables)
    with data_parallel():
        net = model(ADAM(shard_state=True))
        net.optimizer.build(net.trainable_variables)
    gradients = [np.zeros(v.shape, "float32") for v in net.trainable_variables]
    with pytest.raises(ValueError, match="Received: no distribution, and it was built"):
        net.optimizer.apply(gradients)


# Layouts of slots under `keras.distribution.ModelParallel`.


@contextlib.contextmanager
def model_parallel(**layouts):
    """Divide kernels over the columns, and other paths as given."""
    mesh = keras.distribution.DeviceMesh(
        (1, DEVICES), ("batch", "model"), keras.distribution.list_devices()[:DEVICES]
    )
    layout_map = keras.distribution.LayoutMap(mesh)
    layout_map[".*divided/kernel"] = (None, "model")
    for path, axes in layouts.items():
        layout_map[path] = axes
    distribution = keras.distribution.ModelParallel(
        layout_map=layout_map, batch_dim_name="batch", auto_shard_dataset=False
    )
    with distribution.scope():
        yield


def divided_network(optimizer):
    keras.utils.set_random_seed(7)
    dense = keras.layers.Dense
    net = keras.Sequential(
        [keras.Input((20,)), dense(12, "tanh", name="divided"), dense(1)]
    )
    net.compile(optimizer, "mse")
    return net


def axes_of_slots(optimizer):
    """Return the mesh axes that divide each slot of the first weight."""
    found = {}
    for name, slot in optimizer.plan.parameters[0].slots.items():
        axes = tuple(slot.value.sharding.spec)  # JAX drops the last ones that are None
        found[name] = axes + (None,) * (len(slot.shape) - len(axes))
    return found


COLUMNS = (None, "model")
LAYOUTS = {
    "adafactor": {"rows": (None,), "columns": ("model",)},
    "soap": {
        "m": COLUMNS,
        "l_0": (None, None),
        "q_0": (None, None),
        "l_1": ("model", None),
        "q_1": ("model", None),
    },
    "kron": {"m": COLUMNS, "q_0": (None, None), "q_1": ("model", None)},
    "shampoo": {"l_0": (None, None), "l_1": ("model", None)},
    # of full rank here: the length of the rank is that of the columns
    "galore": {"basis": ("model", None), "m": COLUMNS},
    "sm3": {"mu_0": (None,), "mu_1": ("model",)},
}


@on_jax
@on_two_devices
@pytest.mark.sampled
@pytest.mark.parametrize("name", LAYOUTS)
def test_factors_are_divided_as_the_axes_they_belong_to(name):
    with precision("float64"):
        alone = divided_network(optimizers.create(name, learning_rate=0.003))
        expected = fit(alone, epochs=1)
        with model_parallel():
            net = divided_network(optimizers.create(name, learning_rate=0.003))
            rtol = 0.1 if name in FULL_RANK else 1e-7
            np.testing.assert_allclose(fit(net, epochs=1), expected, rtol=rtol)
            found = axes_of_slots(net.optimizer)
    assert found.items() >= LAYOUTS[name].items()


@on_jax
@on_two_devices
@pytest.mark.slow
def test_a_layout_for_a_slot_alone():
    with model_parallel(**{"adafactor/.*divided_kernel_rows": ("model",)}):
        net = divided_network(optimizers.Adafactor(0.01, name="adafactor"))
        net.optimizer.build(net.trainable_variables)
        assert axes_of_slots(net.optimizer)["rows"] == ("model",)
    with model_parallel(**{"sm3/.*kernel_mu_1": ("model", None)}):
        net = divided_network(optimizers.SM3(0.01, name="sm3"))
        with pytest.raises(ValueError, match="must have one entry for each axis"):
            net.optimizer.build(net.trainable_variables)
