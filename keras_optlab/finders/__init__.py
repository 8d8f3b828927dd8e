"""Finding a batch size, and the fastest way to execute steps."""

from keras_optlab.finders.batch_size import find_batch_size
from keras_optlab.finders.batch_size_result import BatchSizeResult
from keras_optlab.finders.execution import tune_execution
from keras_optlab.finders.execution_result import ExecutionResult

__all__ = ["BatchSizeResult", "ExecutionResult", "find_batch_size", "tune_execution"]
