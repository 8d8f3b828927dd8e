"""Every rule against a float64 transcription of its paper, and against its twins."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from tests import oracle
from tests.problems import (
    ALL,
    SHAPES,
    apply,
    distance,
    gradients,
    label,
    trajectory,
    values,
    variables,
    weights,
)

STEPS = 30


class Halved(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that drops in the middle: it separates rules that keep it in a buffer."""

    def __call__(self, step):
        return ops.where(ops.cast(step, "float32") < STEPS // 2, 0.02, 0.01)

    def get_config(self):
        return {}


def halved(step):
    return 0.02 if step < STEPS // 2 else 0.01


@pytest.mark.parametrize("case", ALL, ids=label)
def test_equals_its_paper_in_float64(case, float64):
    name, kwargs = case
    ours = optimizers.create(
        name, learning_rate=halved_rate(), weight_decay=0.1, **kwargs
    )
    start, grads = weights(), gradients(steps=STEPS)
    end = trajectory(ours, start, grads)
    assert distance(end, expected(name, start, grads, kwargs), start) < 1e-10


@pytest.mark.parametrize("case", ALL, ids=label)
def test_equals_its_paper_in_float32(case):
    name, kwargs = case
    ours = optimizers.create(
        name, learning_rate=halved_rate(), weight_decay=0.1, **kwargs
    )
    start = weights(size=0.0)  # so that storing a weight rounds below its step
    grads = [
        [np.asarray(g, "float32").astype("float64") for g in step]
        for step in gradients(steps=STEPS)
    ]
    end = trajectory(ours, start, grads)
    assert distance(end, expected(name, start, grads, kwargs), start) < 2e-6


def halved_rate():
    floatx = keras.config.floatx()

    def rate(step):
        early = ops.cast(step, "int32") < STEPS // 2
        high, low = (ops.convert_to_tensor(x, floatx) for x in (0.02, 0.01))
        return ops.where(early, high, low)

    return rate


def expected(name, start, grads, kwargs):
    return [
        oracle.run(name, w, [g[i] for g in grads], halved, weight_decay=0.1, **kwargs)[
            -1
        ]
        for i, w in enumerate(start)
    ]


@pytest.mark.parametrize("name", optimizers.names())
def test_every_optimizer_has_an_oracle(name):
    assert callable(oracle.rule(name))


TWINS = [
    (name, kwargs)
    for name, kwargs in ALL
    if optimizers.info(name).keras_twin
    and not {"epsilon_placement", "momentum_decay"} & kwargs.keys()
]


@pytest.mark.parametrize("case", TWINS, ids=label)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_its_keras_twin(case, dtype, request):
    name, kwargs = case
    if dtype == "float64":
        request.getfixturevalue("float64")
    shapes = {k: SHAPES[k] for k in ("vector", "wide", "kernel")}
    start, grads = weights(shapes, size=0.0), gradients(shapes, steps=100)
    twin = getattr(keras.optimizers, optimizers.info(name).keras_twin)
    ours = trajectory(optimizers.create(name, **kwargs), start, grads)
    theirs = trajectory(twin(**kwargs), start, grads)
    start = [np.asarray(w, dtype) for w in start]
    # Keras on TensorFlow takes its betas through float32, also in float64
    exact = dtype == "float64" and keras.backend.backend() != "tensorflow"
    assert distance(ours, theirs, start) < (1e-6 if exact else 1e-5)


@pytest.mark.parametrize(
    "name", [n for n in optimizers.names() if optimizers.info(n).keras_twin]
)
def test_has_the_arguments_and_defaults_of_its_keras_twin(name):
    ours = optimizers.create(name).get_config()
    theirs = getattr(keras.optimizers, optimizers.info(name).keras_twin)().get_config()
    theirs.pop("name")
    assert ours.keys() >= theirs.keys()
    for key, value in theirs.items():
        assert ours[key] == pytest.approx(value), key


@pytest.mark.parametrize(
    "option",
    [
        {"weight_decay": 0.1},
        {"clipnorm": 0.5},
        {"clipvalue": 0.1},
        {"global_clipnorm": 0.5},
        {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 3},
        {"gradient_accumulation_steps": 4},
        {"loss_scale_factor": 8.0},
    ],
    ids=lambda o: next(iter(o)),
)
def test_keras_own_options_mean_what_they_mean_in_keras(option):
    shapes = {k: s for k, s in SHAPES.items() if k != "empty"}
    start, grads = weights(shapes), gradients(shapes, steps=40)
    ours = trajectory(optimizers.SGD(0.01, momentum=0.9, **option), start, grads)
    theirs = trajectory(
        keras.optimizers.SGD(0.01, momentum=0.9, **option), start, grads
    )
    assert distance(ours, theirs, [np.float32(w) for w in start]) < 1e-5


def test_exclude_from_weight_decay_means_what_it_means_in_keras():
    start, grads = weights(), gradients(steps=5)

    def run(optimizer):
        optimizer.exclude_from_weight_decay(var_names=["w1", "w3"])
        return trajectory(optimizer, start, grads)

    ours = run(optimizers.SGD(0.01, weight_decay=0.1))
    theirs = run(keras.optimizers.SGD(0.01, weight_decay=0.1))
    assert distance(ours, theirs, [np.float32(w) for w in start]) < 1e-5


OPTAX = {
    "sgd": ("sgd", {}, {}),
    "momentum": ("sgd", {"momentum": 0.9}, {}),
    "adagrad": ("adagrad", {}, {}),
    "rmsprop": ("rmsprop", {"eps": 1e-7}, {}),
    "adadelta": ("adadelta", {"rho": 0.95, "eps": 1e-7}, {}),
    "adam": ("adam", {"eps": 1e-3}, {"epsilon": 1e-3, "epsilon_placement": "outside"}),
    "adamw": ("adamw", {"eps": 0.0, "weight_decay": 0.004}, {"epsilon": 0.0}),
    "adamax": ("adamax", {"eps": 0.0}, {"epsilon": 0.0}),
    "lion": ("lion", {"weight_decay": 0.0}, {}),
}


@pytest.mark.parametrize("name", OPTAX)
def test_equals_optax(name, float64):
    optax = pytest.importorskip("optax")
    if keras.backend.backend() != "jax":
        pytest.skip("optax computes in float64 only where JAX is the backend")
    twin, theirs, ours = OPTAX[name]
    start, grads = weights(), gradients()
    end = trajectory(optimizers.create(name, learning_rate=0.01, **ours), start, grads)
    rule = getattr(optax, twin)(0.01, **theirs)
    params = [ops.convert_to_tensor(w) for w in start]
    state = rule.init(params)
    for g in grads:
        step, state = rule.update([ops.convert_to_tensor(x) for x in g], state, params)
        params = optax.apply_updates(params, step)
    assert distance(end, [np.asarray(p) for p in params], start) < 1e-7


TORCH = {
    "sgd": (
        "SGD",
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "nesterov": True},
    ),
    "momentum": ("SGD", {"momentum": 0.9}, {}),
    "adagrad": (
        "Adagrad",
        {"eps": 1e-3, "initial_accumulator_value": 0.1},
        {"epsilon": 1e-3, "epsilon_placement": "outside"},
    ),
    "rmsprop": (
        "RMSprop",
        {"alpha": 0.9, "eps": 1e-3, "momentum": 0.9, "centered": True},
        {
            "epsilon": 1e-3,
            "epsilon_placement": "outside",
            "momentum": 0.9,
            "centered": True,
        },
    ),
    "adadelta": ("Adadelta", {"rho": 0.95, "eps": 1e-7}, {}),
    "adam": (
        "Adam",
        {"eps": 1e-3, "amsgrad": True},
        {"epsilon": 1e-3, "epsilon_placement": "outside", "amsgrad": True},
    ),
    "adamw": (
        "AdamW",
        {"eps": 1e-3, "weight_decay": 0.004},
        {"epsilon": 1e-3, "epsilon_placement": "outside"},
    ),
    "adamax": ("Adamax", {"eps": 0.0}, {"epsilon": 0.0}),
    "nadam": ("NAdam", {"eps": 1e-7}, {"momentum_decay": 0.004}),
}


@pytest.mark.parametrize("name", TORCH)
def test_equals_torch(name, float64):
    if keras.backend.backend() != "torch":
        pytest.skip("torch is loaded only where it is the backend")
    import torch

    twin, theirs, ours = TORCH[name]
    shapes = {k: s for k, s in SHAPES.items() if k != "empty"}
    start, grads = weights(shapes), gradients(shapes)
    end = trajectory(optimizers.create(name, learning_rate=0.01, **ours), start, grads)
    params = [torch.nn.Parameter(torch.tensor(w)) for w in start]
    rule = getattr(torch.optim, twin)(params, lr=0.01, **theirs)
    for g in grads:
        for p, x in zip(params, g, strict=True):
            p.grad = torch.tensor(x)
        rule.step()
    # torch keeps NAdam's product of momenta in float32
    assert distance(end, [p.detach().numpy() for p in params], start) < 1e-8


def test_momentum_forms_part_when_the_rate_changes(float64):
    """Velocity keeps each step's rate in its buffer, the average does not."""
    start, grads = weights(), gradients(steps=STEPS)

    def run(form, scale):
        rate = halved_rate()
        ours = optimizers.Momentum(lambda step: scale * rate(step), form=form)
        return trajectory(ours, start, grads)

    heavy, velocity, ema = run("heavy_ball", 1), run("velocity", 1), run("ema", 10)
    assert distance(heavy, velocity, start) < 1e-12
    assert distance(ema, velocity, start) > 0.05


def test_ftrl_makes_exact_zeros():
    ws = variables([np.full((4,), 0.1)])
    ours = optimizers.Ftrl(0.1, l1_regularization_strength=1.0)
    for _ in range(5):
        apply(ours, [np.array([0.01, -0.01, 5.0, -5.0])], ws)
    assert (values(ws)[0] == 0).tolist() == [True, True, False, False]
