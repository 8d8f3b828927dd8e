"""The devices that tests run on: CPUs in the plain run, or an accelerator."""

import keras
import pytest


def _on_accelerator():
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.is_available()
    import jax

    return jax.default_backend() != "cpu"


ON_ACCELERATOR = _on_accelerator()

on_two_devices = pytest.mark.skipif(
    ON_ACCELERATOR
    and keras.backend.backend() == "jax"
    and len(keras.distribution.list_devices()) < 2,
    reason="needs two devices",
)
