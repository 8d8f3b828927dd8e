"""Finders: searches on a user's model before its training."""

from keras_optlab.core.renamed import show_public_names
from keras_optlab.finders.batch_size import find_batch_size
from keras_optlab.finders.batch_size_result import BatchSizeResult
from keras_optlab.finders.execution import tune_execution
from keras_optlab.finders.execution_result import ExecutionResult
from keras_optlab.finders.find_rate import find_rate
from keras_optlab.finders.rate_range import RateRange

__all__ = [
    "BatchSizeResult",
    "ExecutionResult",
    "RateRange",
    "find_batch_size",
    "find_rate",
    "tune_execution",
]

show_public_names(globals())
