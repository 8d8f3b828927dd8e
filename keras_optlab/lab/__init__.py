"""The lab: which optimizer, at what rate, for a model; answered by measurement."""

from keras_optlab.core.tuning import Choices, LogUniform, Uniform
from keras_optlab.lab import problems
from keras_optlab.lab.compare import compare
from keras_optlab.lab.comparison import Comparison
from keras_optlab.lab.overview import Overview
from keras_optlab.lab.paths import Paths, paths
from keras_optlab.lab.problems import Data, Problem, Target
from keras_optlab.lab.recommend import recommend
from keras_optlab.lab.train import train
from keras_optlab.lab.trials import Candidate, Setting
from keras_optlab.lab.tune import tune

__all__ = [
    "Candidate",
    "Choices",
    "Comparison",
    "Data",
    "LogUniform",
    "Overview",
    "Paths",
    "Problem",
    "Setting",
    "Target",
    "Uniform",
    "compare",
    "paths",
    "problems",
    "recommend",
    "train",
    "tune",
]
