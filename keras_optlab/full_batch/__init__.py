"""Training of small models on all data at once, with the methods of SciPy."""

from keras_optlab.full_batch.fitting import fit_full_batch

__all__ = ["fit_full_batch"]
