"""Pictures of trainings."""

from keras_optlab.core.renamed import show_public_names
from keras_optlab.plotting.plot_history import plot_history

__all__ = ["plot_history"]

show_public_names(globals())
