"""Problems: data, model, loss, target and budget, to compare optimizers on."""

from keras_optlab.lab.problems.lookup import find, names
from keras_optlab.lab.problems.problem import Data, Problem, Target, split

__all__ = ["Data", "Problem", "Target", "find", "names", "split"]
