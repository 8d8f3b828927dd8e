"""Regularizers: penalties on weights or activities that a layer adds to the loss.

Each is a `keras.regularizers.Regularizer` for `kernel_regularizer=` and similar
arguments; `regularize` attaches them to a built model. Their factors can change during
training. To regularize all weights of a model without a term in the loss, give the
optimizer `l1`, `l2`, `weight_decay` or `l1_proximal`.
"""

from keras_optlab.core.renamed import show_public_names
from keras_optlab.regularizers.group_lasso import GroupLasso
from keras_optlab.regularizers.l1 import L1
from keras_optlab.regularizers.l1_l2 import L1L2
from keras_optlab.regularizers.l2 import L2
from keras_optlab.regularizers.orthogonal import Orthogonal
from keras_optlab.regularizers.penalty import Factor, Penalty
from keras_optlab.regularizers.regularize import regularize
from keras_optlab.regularizers.spectral_norm import SpectralNorm

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "Factor",
    "GroupLasso",
    "Orthogonal",
    "Penalty",
    "SpectralNorm",
    "regularize",
]

show_public_names(globals())
