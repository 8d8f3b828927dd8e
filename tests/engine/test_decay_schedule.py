"""`decay_schedule="corrected"`: weight decay times the rate's share of its peak."""

import keras
import numpy as np
import pytest

from keras_optlab import Group, optimizers, schedules, transforms
from keras_optlab.schedules import Cosine, Exponential, Join, Linear, OneCycle, Warmup
from keras_optlab.verify import oracle
from keras_optlab.verify.problems import (
    apply,
    distance,
    gradients,
    trajectory,
    values,
    weights,
)
from tests.support.schedule_examples import EXAMPLES

STEPS = 12
SHAPES = {"wide": (3, 7), "kernel": (3, 3, 2, 4)}
PEAK = 0.02
CYCLE = OneCycle(PEAK, STEPS)
CORRECTED = {"decay_schedule": "corrected"}


def run(optimizer, shapes=SHAPES, steps=STEPS):
    return trajectory(optimizer, weights(shapes), gradients(shapes, steps=steps))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", optimizers.names())
def test_it_is_the_decay_times_the_share_of_the_peak_for_every_rule(name):
    decays = [k for k in optimizers.info(name).cls.fields if k.endswith("weight_decay")]

    def with_decay(decay, **kwargs):
        decay = dict.fromkeys(decays, decay)
        return run(optimizers.create(name, learning_rate=CYCLE, **decay, **kwargs))

    start = weights(SHAPES)
    corrected = with_decay(0.5, **CORRECTED)
    # L-DoG moves so little that one rounding of a float32 weight is 1e-6 of the way
    assert distance(corrected, with_decay(CYCLE * (0.5 / PEAK)), start) < 1e-5
    if distance(with_decay(0.5), with_decay(0.0), start) > 1e-3:  # the rule decays
        assert distance(corrected, with_decay(0.5), start) > 1e-4


def running_share(rate):
    """Return the share of the largest rate so far, as a function of the step."""
    return lambda step: rate(step) / max(rate(i) for i in range(step + 1))


@pytest.mark.parametrize(
    ("rate", "share"),
    [
        (CYCLE, lambda step: CYCLE(step) / PEAK),
        (Warmup(Cosine(0.03, 8), 4), lambda step: Warmup(Cosine(1.0, 8), 4)(step)),
        (0.5 * Linear(0.04, 9, final=0.01), lambda step: Linear(1, 9, 0.25)(step)),
        (Join([Linear(0, 4, 0.03), Cosine(0.03, 8)], [4]), None),
        (Exponential(0.01, 4, decay_rate=1.5), lambda step: 1.0),
        (keras.optimizers.schedules.CosineDecay(0.0, 6, 0.1, "c", 0.02, 5), None),
        (lambda step: 0.01 / (1 + 0.1 * keras.ops.cast(step, "float32")), None),
        (0.02, lambda step: 1.0),
    ],
    ids=lambda x: type(x).__name__,
)
def test_the_peak_is_that_of_the_schedule_or_the_largest_rate_so_far(rate, share):
    def at(step):
        return float(rate(step)) if callable(rate) else rate

    share = share or running_share(at)
    start, grads = weights(SHAPES), gradients(SHAPES, steps=STEPS)
    ours = run(optimizers.AdamW(rate, weight_decay=0.5, **CORRECTED))
    decay = lambda step: 0.5 * share(step) if at(step) else 0.0  # noqa: E731
    expected = oracle.run("adamw", start, grads, at, decay, epsilon=1e-7)
    assert distance(ours, expected, start) < 1e-4
    plain = oracle.run("adamw", start, grads, at, 0.5, epsilon=1e-7)
    changes = any(share(step) < 0.99 for step in range(STEPS) if at(step))
    assert (distance(ours, plain, start) > 1e-3) == changes


def shrunk(optimizer, *shapes, steps=1):
    """Return by how much each weight shrinks in the last of some steps, alone."""
    ws = [keras.Variable(np.ones(shape, "float32")) for shape in shapes]
    for _ in range(steps):
        before = [x.flat[0] for x in values(ws)]
        apply(optimizer, [np.zeros(shape) for shape in shapes], ws)
    return [1 - x.flat[0] / y for x, y in zip(values(ws), before, strict=True)]


def test_vectors_and_groups_without_it_keep_plain_decay():
    rate = Linear(0.5, 4)  # 0.25 at step 2: decay 0.25 * 0.4, or half of it
    groups = [Group("head", decay_schedule=None)]
    sgd = optimizers.SGD(rate, weight_decay=0.4, groups=groups, **CORRECTED)
    ws = [
        keras.Variable(np.ones(shape, "float32"), name=name)
        for name, shape in (("body", (2, 2)), ("bias", (2,)), ("head", (2, 2)))
    ]
    for _ in range(3):
        before = values(ws)
        apply(sgd, [np.zeros(w.shape) for w in ws], ws)
    shares = [
        1 - x.flat[0] / y.flat[0] for x, y in zip(values(ws), before, strict=True)
    ]
    np.testing.assert_allclose(shares, [0.05, 0.1, 0.1], rtol=1e-4)


@pytest.mark.parametrize("asked", [False, True])
def test_the_last_layer_of_a_model_keeps_plain_decay_unless_its_group_asks(asked):
    body, head = keras.layers.Dense(2), keras.layers.Dense(2, name="head")
    model = keras.Sequential([keras.Input((2,)), body, head, keras.layers.Softmax()])
    groups = [Group("head", **CORRECTED)] if asked else []
    sgd = optimizers.SGD(Linear(0.5, 4), weight_decay=0.4, groups=groups, **CORRECTED)
    model.compile(sgd, "mse")
    sgd.build(model.trainable_variables)
    plain = [p.path for p in sgd.plan.parameters if not p.corrected]
    expected = [body.bias, head.bias] if asked else [body.bias, head.kernel, head.bias]
    assert plain == [v.path for v in expected]


def test_a_group_alone_can_ask_for_it():
    groups = [Group(lambda v: len(v.shape) == 3, **CORRECTED)]
    sgd = optimizers.SGD(Linear(0.5, 4), weight_decay=0.4, groups=groups)
    found = shrunk(sgd, (2, 2), (1, 2, 2), steps=3)
    np.testing.assert_allclose(found, [0.1, 0.05], rtol=1e-4)


def test_a_constant_rate_changes_nothing_and_a_lower_scale_counts():
    sgd = optimizers.SGD(0.5, weight_decay=0.4, learning_rate_scale=0.5, **CORRECTED)
    ws = [keras.Variable(np.ones((2, 2), "float32"))]

    def share():
        before = values(ws)[0].flat[0]
        apply(sgd, [np.zeros((2, 2))], ws)
        return 1 - values(ws)[0].flat[0] / before

    assert share() == pytest.approx(0.1, rel=1e-4)
    sgd.learning_rate_scale = 0.25  # as ReduceOnPlateau does
    assert share() == pytest.approx(0.025, rel=1e-4)
    sgd.learning_rate = 0.25
    assert share() == pytest.approx(0.00625, rel=1e-4)


def test_cautious_weight_decay_follows_it():
    def weights_after(**kwargs):
        decay = [transforms.CautiousWeightDecay(kwargs.pop("decay"))]
        return run(optimizers.SGD(CYCLE, update_transforms=decay, **kwargs))

    start = weights(SHAPES)
    corrected = weights_after(decay=0.5, **CORRECTED)
    expected = weights_after(decay=CYCLE * (0.5 / PEAK))
    assert distance(corrected, expected, start) < 1e-6
    assert distance(corrected, weights_after(decay=0.5), start) > 1e-4


@pytest.mark.parametrize("rate", [Linear(0.5), lambda: 0.5], ids=["known", "running"])
def test_the_peak_is_saved(tmp_path, rate):
    def model():
        dense = keras.layers.Dense(2, kernel_initializer="ones")
        made = keras.Sequential([keras.Input((2,)), dense])
        sgd = optimizers.SGD(rate, weight_decay=0.4, **CORRECTED)
        made.compile(sgd, loss=lambda y, p: 0.0 * keras.ops.mean(p))
        return made

    x = np.ones((4, 2))
    first = model()
    first.fit(x, x, batch_size=1, verbose=0)
    first.optimizer.learning_rate_scale = 0.5
    first.save_weights(tmp_path / "model.weights.h5")
    second = model()
    second.load_weights(tmp_path / "model.weights.h5")
    for one in first, second:
        one.fit(x, x, batch_size=1, verbose=0)
    ours, theirs = second.get_weights()[0], first.get_weights()[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    peak = second.optimizer.decay_correction.variables["peak_scale"]
    assert float(keras.ops.convert_to_numpy(peak)) == 1.0


def test_equals_timm():
    timm = pytest.importorskip("timm.optim")
    torch = pytest.importorskip("torch")
    if keras.backend.backend() != "torch":
        pytest.skip("torch is loaded only where it is the backend")
    start, grads = weights(SHAPES), gradients(SHAPES, steps=STEPS)
    theirs = [torch.nn.Parameter(torch.tensor(np.float32(w))) for w in start]
    schedule = Linear(0.02, STEPS)
    adamw = timm.AdamWLegacy(
        theirs, lr=0.02, eps=1e-8, weight_decay=0.5, corrected_weight_decay=True
    )
    for step, gs in enumerate(grads):
        adamw.param_groups[0]["lr"] = schedule(step)
        for w, g in zip(theirs, gs, strict=True):
            w.grad = torch.tensor(np.float32(g))
        adamw.step()
    options = {"weight_decay": 0.5, "epsilon": 1e-8, "epsilon_placement": "outside"}
    ours = run(optimizers.AdamW(schedule, **options, **CORRECTED))
    expected = [w.detach().numpy() for w in theirs]
    assert distance(ours, expected, start) < 1e-5


def test_largest_values_of_schedules():
    assert Cosine(0.1, 4, final=0.3).largest == 0.3
    assert schedules.Piecewise([2], [0.1, 0.4]).largest == 0.4
    assert schedules.Warmup(lambda_schedule(), 4).largest is None
    assert (2 * Warmup(OneCycle(0.2), 0.1)).largest == 0.4
    assert Join([0.1, 0.2], [3]).largest is None
    for schedule in EXAMPLES:
        largest = schedule.largest
        assert largest is None or largest == pytest.approx(
            schedule.values(schedule.horizon + 1).max(), 0.05
        )


def lambda_schedule():
    return keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [("correct", ValueError), (True, TypeError), (Linear(1.0), TypeError)],
)
def test_other_values_are_refused(wrong, error):
    with pytest.raises(
        error, match='expected None or "corrected".*Received: decay_sch'
    ):
        optimizers.AdamW(decay_schedule=wrong)
    with pytest.raises(error, match="decay_schedule"):
        optimizers.AdamW(groups=[Group("*", decay_schedule=wrong)])
