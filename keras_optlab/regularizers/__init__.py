"""Regularizers: penalties on weights or activities that a layer adds to the loss.

Every one is a `keras.regularizers.Regularizer`, for `kernel_regularizer=` and the like.
To regularize all weights of a model at once, and at no cost in the loss, give the
optimizer `l1`, `l2`, `weight_decay` or `l1_proximal` instead.
"""

from keras_optlab.regularizers.l1 import L1
from keras_optlab.regularizers.l1_l2 import L1L2
from keras_optlab.regularizers.l2 import L2

__all__ = ["L1", "L1L2", "L2"]
