"""Averages of models, and normalization statistics for averaged weights."""

from keras_optlab.averaging.refresh_in_fit import refresh_if_outdated, refresh_in_fit
from keras_optlab.averaging.refresh_normalization import refresh_normalization
from keras_optlab.averaging.soup import soup
from keras_optlab.core.renamed import show_public_names
from keras_optlab.engine import around_fit, before_looking

__all__ = ["refresh_normalization", "soup"]

around_fit(refresh_in_fit)
before_looking(refresh_if_outdated)

show_public_names(globals())
