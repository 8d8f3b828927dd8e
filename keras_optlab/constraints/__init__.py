"""Constraints: projections of weights that Keras applies after each update.

Each is a `keras.constraints.Constraint` for `kernel_constraint=` and similar arguments.
It runs inside the compiled step, with every optimizer. `constrain` attaches constraints
to a built model. Each file also has the pure function that its class calls.
"""

from keras_optlab.constraints.clip_value import ClipValue
from keras_optlab.constraints.constrain import constrain
from keras_optlab.constraints.max_norm import MaxNorm
from keras_optlab.constraints.min_max_norm import MinMaxNorm
from keras_optlab.constraints.non_negative import NonNegative
from keras_optlab.constraints.simplex import Simplex
from keras_optlab.constraints.spectral_norm import SpectralNorm
from keras_optlab.constraints.unit_norm import UnitNorm
from keras_optlab.core.renamed import show_public_names

__all__ = [
    "ClipValue",
    "MaxNorm",
    "MinMaxNorm",
    "NonNegative",
    "Simplex",
    "SpectralNorm",
    "UnitNorm",
    "constrain",
]

show_public_names(globals())
