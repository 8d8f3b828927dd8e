"""Every rule against a float64 transcription of its paper, and against its twins."""

import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from keras_optlab.verify import libraries, oracle
from keras_optlab.verify.agreements import OPTAX, TORCH
from keras_optlab.verify.comparisons import MATRICES, problem, with_paper
from keras_optlab.verify.package_agreements import PACKAGES
from keras_optlab.verify.problems import (
    SHAPES,
    apply,
    distance,
    gradients,
    trajectory,
    values,
    variables,
    weights,
)
from tests.support.problems import ALL, label

STEPS = 30


@pytest.mark.long
@pytest.mark.parametrize("case", ALL, ids=label)
def test_equals_its_paper(case):
    comparison = with_paper(*case)
    assert comparison.difference(STEPS) < comparison.tolerance


@pytest.mark.long
@pytest.mark.parametrize("case", ALL, ids=label)
def test_equals_its_paper_in_float32(case):
    comparison = with_paper(*case, "float32")
    assert comparison.difference(STEPS) < comparison.tolerance


@pytest.mark.parametrize("name", optimizers.names())
def test_every_optimizer_has_an_oracle(name):
    assert callable(oracle.rule(name))


TWINS = [
    (name, kwargs)
    for name, kwargs in ALL
    if (twin := optimizers.info(name).keras_twin)
    and kwargs.keys() <= getattr(keras.optimizers, twin)().get_config().keys()
]


@pytest.mark.sampled
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
    # on TensorFlow, Keras rounds betas to float32, also in float64
    exact = dtype == "float64" and keras.backend.backend() != "tensorflow"
    assert distance(ours, theirs, start) < (1e-6 if exact else 1e-5)


@pytest.mark.slow
def test_adafactor_caps_a_large_rate_as_its_twin_does():
    """In Keras, `relative_step` has no effect."""
    start, grads = weights(MATRICES), gradients(MATRICES, steps=9)

    def end(module, **kwargs):
        return trajectory(module.Adafactor(2.0, **kwargs), start, grads)

    expected = end(keras.optimizers)
    for kwargs in {}, {"relative_step": False}, {"relative_step": True}:
        assert distance(end(keras.optimizers, **kwargs), expected, start) < 1e-6
        assert distance(end(optimizers, **kwargs), expected, start) < 1e-5
    fixed = end(optimizers, relative_step=False, keras_compatible=False)
    assert distance(fixed, expected, start) > 0.1


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


@pytest.mark.sampled
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


@pytest.mark.parametrize("comparison", OPTAX, ids=str)
def test_equals_optax(comparison):
    pytest.importorskip("optax")
    if keras.backend.backend() != "jax":
        pytest.skip("JAX is loaded only where it is the backend")
    assert comparison.difference(STEPS) < comparison.tolerance


@pytest.mark.parametrize("comparison", TORCH + PACKAGES, ids=str)
def test_equals_torch_and_packages_for_it(comparison):
    if keras.backend.backend() != "torch":
        pytest.skip("torch is loaded only where it is the backend")
    if not libraries.is_installed(comparison.oracle):
        pytest.skip(f"{comparison.oracle} is not installed")
    assert comparison.difference(STEPS) < comparison.tolerance


def test_a_distance_hides_no_nan():
    bad = [np.array(1.0), np.array([np.nan, 1.0]), np.zeros((0, 3))]
    start = [np.zeros(w.shape) for w in bad]
    assert np.isnan(distance(bad, start, start))
    assert np.isnan(distance(start, bad, start))


def test_momentum_forms_part_when_the_rate_changes(float64):
    """The velocity contains the rate of each step, the moving average does not."""
    posed = problem(SHAPES, STEPS)

    def run(form, scale):
        rate = posed.schedule()
        ours = optimizers.Momentum(lambda step: scale * rate(step), form=form)
        return trajectory(ours, posed.start, posed.grads)

    heavy, velocity, ema = run("heavy_ball", 1), run("velocity", 1), run("ema", 10)
    assert distance(heavy, velocity, posed.start) < 1e-12
    assert distance(ema, velocity, posed.start) > 0.05


def test_ftrl_makes_exact_zeros():
    ws = variables([np.full((4,), 0.1)])
    ours = optimizers.Ftrl(0.1, l1_regularization_strength=1.0)
    for _ in range(5):
        apply(ours, [np.array([0.01, -0.01, 5.0, -5.0])], ws)
    assert (values(ws)[0] == 0).tolist() == [True, True, False, False]
