"""One process, one backend: the environment is set before Keras is imported."""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")

import keras
import pytest

BACKEND = keras.backend.backend()

if BACKEND == "tensorflow":
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)


@pytest.fixture(autouse=True)
def seeded():
    """Give every test the same random numbers and fresh layer names."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)


@pytest.fixture
def float64():
    """Compute in double precision, as far as the backend can."""
    keras.config.set_floatx("float64")
    if BACKEND != "jax":
        yield
    else:
        import jax

        with jax.enable_x64(True):
            yield
    keras.config.set_floatx("float32")
