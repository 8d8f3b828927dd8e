"""Finding a batch size, and the fastest way to execute steps."""

from keras_optlab.finders.execution import tune_execution
from keras_optlab.finders.execution_result import ExecutionResult

__all__ = ["ExecutionResult", "tune_execution"]
