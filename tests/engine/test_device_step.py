"""On an accelerator, a step on torch never waits for the device.

No accelerator is needed: tensors are declared not to be on the host, so that the engine
takes its paths for devices, and calls that would wait for a device are counted.
"""

import contextlib
import sys

import keras
import numpy as np
import pytest

import keras_optlab as kol
from keras_optlab import optimizers
from keras_optlab.verify.problems import compiled, gradients, values, variables, weights
from tests.support.problems import ALL, label

if keras.backend.backend() != "torch":
    pytest.skip("other backends compile the whole step", allow_module_level=True)
import torch

from keras_optlab.engine.backend import commit
from keras_optlab.engine.backend import variables as reading
from keras_optlab.engine.fused import on_torch, torch_device_kernels

SHAPES = {"vector": (4,), "wide": (3, 5), "also": (3, 5), "kernel": (2, 3, 4, 5)}
WAITS = "item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__"
CONVERSIONS = "__index__", "__array__"
# Functions of Keras that wait on torch: a branch for work that is done every few
# updates only, and a random number, whose generator is on the host.
ASKED = {"cond", "torch_seed_generator"}


@pytest.fixture
def device(monkeypatch):
    """Have the engine take all tensors for tensors on an accelerator."""
    for module in reading, commit, on_torch:
        monkeypatch.setattr(module, "on_host", lambda x: False)  # noqa: ARG005


@contextlib.contextmanager
def waits():
    """Return a list, within the context, of the calls that wait for a device.

    Each is the name of the call and, in brackets, of the function of Keras that a rule
    called, if it is one of `ASKED`.
    """
    calls = []

    def counting(name, method):
        def call(self, *args, **kwargs):
            frame, functions = sys._getframe(1), set()
            while frame:
                functions.add(frame.f_code.co_name)
                frame = frame.f_back
            calls.append((name, *sorted(functions & ASKED)))
            return method(self, *args, **kwargs)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in WAITS + CONVERSIONS:
            method = getattr(torch.Tensor, name)
            patch.setattr(torch.Tensor, name, counting(name, method))
        yield calls


def test_the_counter_counts():
    x = torch.ones(())
    with waits() as calls:
        bool(x), float(x), x.item(), x.numpy(), np.asarray(x), x.tolist(), x.cpu()
    assert {name for name, *_ in calls} >= set(WAITS) - {"__int__"}
    with waits() as calls:
        x + 1, x > 0
    assert not calls


def steps(n, bad=True):
    """Return gradients, of which one is not finite if `bad`."""
    grads = gradients(SHAPES, n)
    if bad:
        grads[2][1][0, 0] = np.nan
    return [[keras.ops.convert_to_tensor(x, "float32") for x in g] for g in grads]


def taken(make, grads):
    """Return the weights and the state after these steps."""
    ws, optimizer = variables(weights(SHAPES), "float32"), make()
    optimizer.build(ws)
    step = compiled(optimizer, ws)
    for g in grads:
        step(g)
    slots = [v for p in optimizer.plan.parameters for v in p.slots.values()]
    return values([*ws, *slots, optimizer.updates, optimizer.skips.total])


@pytest.mark.long
@pytest.mark.parametrize("case", ALL, ids=label)
def test_no_rule_waits(case, device):  # noqa: ARG001
    """Except where a rule branches; from step 2 on, as step 1 checks `update`."""
    name, kwargs = case
    optimizer = optimizers.create(name, **kwargs)
    ws = variables(weights(SHAPES), "float32")
    optimizer.build(ws)
    step, grads = compiled(optimizer, ws), steps(5)
    step(grads[0])
    with waits() as calls:
        for g in grads[1:]:
            step(g)
    whole = not optimizer.plan.elementwise or optimizer.needs_second_pass
    assert not [call for call in calls if not (whole and call[1:])]
    assert all(np.isfinite(x).all() for x in values(ws))


OPTIONS = [
    {},
    {"weight_decay": 0.1},
    {"global_clipnorm": 0.5},
    {"skip_non_finite": False},
    {"groups": [kol.Group("w1", learning_rate=0.5)], "weight_decay": 0.01},
    {"gradient_accumulation_steps": 2},
    {"learning_rate": kol.schedules.Cosine(0.01, 20)},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", sorted(torch_device_kernels.DEVICE_KERNELS))
def test_options_do_not_wait_or_change_a_kernel(name, options, request):
    bad = options.get("skip_non_finite", True)

    def make():
        return optimizers.create(name, **options)

    expected = taken(make, steps(6, bad))
    request.getfixturevalue("device")
    for x, y in zip(taken(make, steps(6, bad)), expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7)


def test_statistics_wait_only_for_their_records(device):  # noqa: ARG001
    adam, ws, grads = optimizers.Adam(0.01), variables(weights(SHAPES)), steps(30)
    adam.collect_statistics(7)
    adam.build(ws)
    read = adam.skip_watch
    read.suspended = True  # it reads its counters after steps 1 and 10
    waited = []
    for i, g in enumerate(grads):
        with waits() as calls:
            adam.apply(g, ws)
        waited.append(bool(calls))
        if i == 20:
            adam.updates.assign(12)  # as restoring a state does
    _, found = adam.recorder.statistics_since(0)
    assert [x.step for x in found] == [1, 7, 14, 14, 21]
    assert sum(waited) <= len(found) + 5
