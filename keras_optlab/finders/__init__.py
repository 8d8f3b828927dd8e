"""Finders: searches on a user's model before its training."""

from keras_optlab.finders.find_rate import find_rate
from keras_optlab.finders.rate_range import RateRange

__all__ = ["RateRange", "find_rate"]
