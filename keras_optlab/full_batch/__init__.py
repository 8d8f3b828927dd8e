"""Full-batch training of small models with the optimizers of SciPy."""

from keras_optlab.full_batch.fitting import fit_full_batch

__all__ = ["fit_full_batch"]
