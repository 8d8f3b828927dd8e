"""Pictures of trainings."""

from keras_optlab.plotting.plot_history import plot_history

__all__ = ["plot_history"]
