"""Verdicts on pairs of optimizers, performance profiles, steps to targets."""

from keras_optlab.lab.statistics.judge import judge
from keras_optlab.lab.statistics.judgement import Judgement, Standing, Verdict
from keras_optlab.lab.statistics.measures import Measure
from keras_optlab.lab.statistics.profiles import (
    PerformanceProfile,
    performance_profiles,
)
from keras_optlab.lab.statistics.targets import (
    TargetRow,
    TargetTable,
    first_reached,
    target_table,
)

__all__ = [
    "Judgement",
    "Measure",
    "PerformanceProfile",
    "Standing",
    "TargetRow",
    "TargetTable",
    "Verdict",
    "first_reached",
    "judge",
    "performance_profiles",
    "target_table",
]
