"""Problems: data, model, loss, target and budget, to compare optimizers on."""

from keras_optlab.lab.problems.lookup import find, names
from keras_optlab.lab.problems.problem import Data, Problem, Target, split
from keras_optlab.lab.problems.surface import Surface

__all__ = ["Data", "Problem", "Surface", "Target", "find", "names", "split"]
