"""Schedules against the same schedules in Keras, optax and torch."""

import keras
import numpy as np
import pytest
from keras.optimizers import schedules as keras_schedules

from keras_optlab.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclical,
    Exponential,
    InverseTime,
    Join,
    Linear,
    OneCycle,
    Piecewise,
    Polynomial,
    Warmup,
    WarmupStableDecay,
)

STEPS = [0, 1, 9, 10, 11, 29, 30, 31, 50, 51, 71, 119]


def named(x):
    return type(x).__name__


def close(ours, theirs, tolerance=1e-6):
    """Compare with a tolerance relative to the largest value."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.max(theirs))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Linear(0.1, 50, 0.01), keras_schedules.PolynomialDecay(0.1, 50, 0.01)),
        (
            Polynomial(0.1, 50, 0.9, 0.02),
            keras_schedules.PolynomialDecay(0.1, 50, 0.02, 0.9),
        ),
        (Exponential(0.1, 20, 0.3), keras_schedules.ExponentialDecay(0.1, 20, 0.3)),
        (
            Exponential(0.1, 10, 0.5, staircase=True),
            keras_schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True),
        ),
        (
            Piecewise([10, 30], [0.5, 0.2, 0.1]),
            keras_schedules.PiecewiseConstantDecay([9, 29], [0.5, 0.2, 0.1]),
        ),
        (InverseTime(0.1, 20, 0.5), keras_schedules.InverseTimeDecay(0.1, 20, 0.5)),
        (
            InverseTime(0.1, 10, 0.7, staircase=True),
            keras_schedules.InverseTimeDecay(0.1, 10, 0.7, staircase=True),
        ),
        (Cosine(0.1, 50, final=0.01), keras_schedules.CosineDecay(0.1, 50, alpha=0.1)),
        (
            Warmup(Cosine(0.1, 50, final=0.01), 10, initial=0.02),
            keras_schedules.CosineDecay(
                0.02, 50, alpha=0.1, warmup_target=0.1, warmup_steps=10
            ),
        ),
        (CosineRestarts(0.1, 10), keras_schedules.CosineDecayRestarts(0.1, 10)),
        (
            CosineRestarts(0.1, 10, t_mul=1, m_mul=0.8, final=0.01),
            keras_schedules.CosineDecayRestarts(0.1, 10, 1.0, 0.8, 0.1),
        ),
        (
            CosineRestarts(0.1, 7, t_mul=1.7, m_mul=1.2, final=0.01),
            keras_schedules.CosineDecayRestarts(0.1, 7, 1.7, 1.2, 0.1),
        ),
    ],
    ids=named,
)
def test_equals_keras(ours, theirs):
    expected = [float(theirs(step)) for step in STEPS]
    close([ours(step) for step in STEPS], expected)


def optax_pairs(optax):
    join, linear = optax.join_schedules, optax.linear_schedule
    cycles = [
        {
            "init_value": peak,
            "peak_value": peak,
            "warmup_steps": 0,
            "decay_steps": steps,
            "end_value": 0.01,
        }
        for peak, steps in [(0.1, 10), (0.055, 20), (0.0325, 40)]
    ]
    return [
        (Constant(0.1), optax.constant_schedule(0.1)),
        (Linear(0.1, 50, 0.01), linear(0.1, 0.01, 50)),
        (
            Polynomial(0.1, 50, 3.0, 0.02),
            optax.polynomial_schedule(0.1, 0.02, 3.0, 50),
        ),
        (Exponential(0.1, 20, 0.3), optax.exponential_decay(0.1, 20, 0.3)),
        (
            Exponential(0.1, 10, 0.5, staircase=True),
            optax.exponential_decay(0.1, 10, 0.5, staircase=True),
        ),
        (
            Piecewise([10, 30], [0.5, 0.2, 0.02]),
            optax.piecewise_constant_schedule(0.5, {10: 0.4, 30: 0.1}),
        ),
        (Cosine(0.1, 50, final=0.01), optax.cosine_decay_schedule(0.1, 50, 0.1)),
        (
            CosineRestarts(0.1, 10, m_mul=0.5, final=0.01),
            optax.sgdr_schedule(cycles),
        ),
        (OneCycle(0.1, 50), optax.cosine_onecycle_schedule(50, 0.1)),
        (
            Join([Linear(0.02, 10, 0.1), 0.1, Cosine(0.3, 20)], [10, 30]),
            join(
                [
                    linear(0.02, 0.1, 10),
                    optax.constant_schedule(0.1),
                    optax.cosine_decay_schedule(0.3, 20),
                ],
                [10, 30],
            ),
        ),
        (
            WarmupStableDecay(0.1, 50, 0.2, 0.4, shape="linear", final=0.01),
            join(
                [
                    linear(0.0, 0.1, 10),
                    optax.constant_schedule(0.1),
                    linear(0.1, 0.01, 20),
                ],
                [10, 30],
            ),
        ),
        (Warmup(0.1, 10, 0.02), optax.warmup_constant_schedule(0.02, 0.1, 10)),
        (
            Warmup(Cosine(0.1, 40, final=0.01), 10, initial=0.02),
            optax.warmup_cosine_decay_schedule(0.02, 0.1, 10, 50, 0.01),
        ),
        (
            Warmup(Exponential(0.1, 20, 0.3), 10, initial=0.02),
            optax.warmup_exponential_decay_schedule(0.02, 0.1, 10, 20, 0.3),
        ),
    ]


@pytest.mark.slow
def test_equals_optax():
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    n = 70  # the three cycles of SGDR end before this step
    for ours, theirs in optax_pairs(optax):
        close(ours.values(n), jax.vmap(theirs)(np.arange(n)))


def torch_pairs(torch):
    """Return schedules and factories of torch's, for an optimizer with rate 0.1."""
    lr = torch.optim.lr_scheduler
    return [
        (Linear(0.02, 30, 0.1), lambda o: lr.LinearLR(o, 0.2, 1.0, 30)),
        (Linear(0.1, 30, 0.05), lambda o: lr.LinearLR(o, 1.0, 0.5, 30)),
        (Polynomial(0.1, 30, 0.9), lambda o: lr.PolynomialLR(o, 30, 0.9)),
        (Exponential(0.1, 1, 0.93), lambda o: lr.ExponentialLR(o, 0.93)),
        (
            Exponential(0.1, 9, 0.3, staircase=True),
            lambda o: lr.StepLR(o, 9, 0.3),
        ),
        (
            Piecewise([9, 30], [0.1, 0.01, 0.001]),
            lambda o: lr.MultiStepLR(o, [9, 30], 0.1),
        ),
        (
            Join([Cosine(0.1, 60, final=0.01), 0.01], [60]),
            lambda o: lr.CosineAnnealingLR(o, 60, 0.01),
        ),
        (
            CosineRestarts(0.1, 7, t_mul=1, final=0.01),
            lambda o: lr.CosineAnnealingWarmRestarts(o, 7, eta_min=0.01),
        ),
        (
            CosineRestarts(0.1, 5, t_mul=3, final=0.01),
            lambda o: lr.CosineAnnealingWarmRestarts(o, 5, 3, eta_min=0.01),
        ),
        *(
            (
                Cyclical(0.02, 0.3, 14, mode, gamma),
                lambda o, mode=mode, gamma=gamma: lr.CyclicLR(
                    o, 0.02, 0.3, 7, mode=mode, gamma=gamma or 1.0, cycle_momentum=False
                ),
            )
            for mode, gamma in [
                ("triangular", None),
                ("triangular2", None),
                ("exp_range", 0.97),
            ]
        ),
        *(
            (
                OneCycle(0.1, steps, warmup),
                lambda o, steps=steps, warmup=warmup: lr.OneCycleLR(
                    o,
                    max_lr=0.1,
                    total_steps=steps + 1,
                    pct_start=(warmup * steps + 1) / (steps + 1),
                    cycle_momentum=False,
                ),
            )
            for steps, warmup in [(59, 0.3), (80, 0.41)]
        ),
        (
            Warmup(Exponential(0.1, 1, 0.9), 8, initial=0.02),
            lambda o: lr.SequentialLR(
                o, [lr.LinearLR(o, 0.2, 1.0, 8), lr.ExponentialLR(o, 0.9)], [8]
            ),
        ),
    ]


@pytest.mark.skipif(
    keras.backend.backend() != "torch",
    reason="values are NumPy on any backend; torch's optimizers load for seconds, and "
    "crash a process that holds TensorFlow",
)
@pytest.mark.filterwarnings("ignore:The epoch parameter in")
def test_equals_torch():
    import torch

    for ours, make in torch_pairs(torch):
        weight = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([weight], lr=0.1)
        scheduler = make(optimizer)
        expected = [scheduler.get_last_lr()[0]]
        for _ in range(59):
            optimizer.step()
            scheduler.step()
            expected.append(scheduler.get_last_lr()[0])
        close(ours.values(60), expected, tolerance=1e-12)
