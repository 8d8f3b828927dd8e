"""One or more of every schedule, for the tests of all of them."""

import inspect

from keras.optimizers import schedules as keras_schedules

from keras_optlab import schedules
from keras_optlab.schedules import (
    BetaWarmup,
    Constant,
    Cosine,
    CosineRestarts,
    Cyclical,
    Exponential,
    InverseSqrt,
    InverseTime,
    Join,
    Linear,
    OneCycle,
    Piecewise,
    Polynomial,
    PowerCool,
    Rex,
    Scaled,
    Schedule,
    Timed,
    Warmup,
    WarmupStableDecay,
)

EXAMPLES = [
    BetaWarmup(0.9, 30),
    BetaWarmup(0.95, 40, final=0.85),
    Constant(0.3),
    Cosine(0.1, 4),
    Cosine(3e-3, 4699, final=7e-5),
    Cosine(0.04, 100, final=0.4),
    CosineRestarts(0.1, 5),
    CosineRestarts(0.1, 7, t_mul=1, m_mul=0.8, final=0.02),
    CosineRestarts(0.1, 6, t_mul=1.5, m_mul=1.2, final=0.01),
    Cyclical(0.1, 0.4, 8),
    Cyclical(0.95, 0.85, 7, mode="triangular2"),
    Cyclical(0.1, 0.4, 10, mode="exp_range", gamma=0.99),
    Exponential(0.1, 20, decay_rate=0.5),
    Exponential(1e-3, 7, decay_rate=1.5, staircase=True),
    InverseSqrt(0.2, 9),
    InverseTime(0.2, 9),
    InverseTime(0.2, 9, decay_rate=0.5, staircase=True),
    Join([0.1, Cosine(0.1, 20), 0.002], [10, 30]),
    Join([Warmup(0.1, 5), keras_schedules.ExponentialDecay(0.1, 9, 0.5)], [8]),
    Linear(0.1, 30, final=0.03),
    OneCycle(3e-3, 4700),
    OneCycle(0.7, 10, warmup=0.33, initial_factor=0.1, final_factor=0.01),
    Piecewise([13, 14, 40], [0.1, 0.3, 0.01, 0.0]),
    Polynomial(0.1, 30, power=0.9, final=0.01),
    PowerCool(0.1, 30),
    PowerCool(0.1, 33, cooldown=1.0, power=0.5, final=0.02),
    Rex(0.1, 40, final=0.01),
    Scaled(keras_schedules.CosineDecay(0.1, 30), 0.3),
    10 * Rex(0.1, 40),
    Warmup(0.1, 7),
    Warmup(Cosine(0.1, 30, final=0.003), 11, initial=0.007),
    Warmup(Warmup(OneCycle(0.1, 9), 3), 3),
    Warmup(keras_schedules.PiecewiseConstantDecay([3, 5], [0.3, 0.2, 0.1]), 4),
    WarmupStableDecay(0.1, 40),
    WarmupStableDecay(0.1, 30, warmup=0.3, decay=0.7, shape="cosine", final=0.01),
    WarmupStableDecay(0.1, 33, warmup=0.1, decay=0.4, shape="linear"),
]
BASES = (Schedule, Timed)
CLASSES = [
    cls
    for cls in (getattr(schedules, name) for name in schedules.__all__)
    if cls not in BASES
]
TIMED = [cls for cls in CLASSES if issubclass(cls, Timed)]


def named(x):
    """Return a short test id; pytest numbers those that repeat."""
    return x.__name__ if inspect.isclass(x) else type(x).__name__
