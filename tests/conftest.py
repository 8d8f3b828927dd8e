"""Fixtures and test selection. The backend is set before Keras is imported."""

import gc
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault(  # two CPU devices; fast compilation, the main cost on JAX
    "XLA_FLAGS",
    "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0",
)
os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", "highest")  # on a GPU

import keras
import pytest

from keras_optlab.verify.comparisons import precision
from tests.support.problems import REPRESENTATIVES, optimizers

gc.freeze()  # the garbage collector skips everything imported so far

BACKEND = keras.backend.backend()
NAMES = set(optimizers.names())
FEW = set(sorted(REPRESENTATIVES)[4::5])  # rules for tests marked `long`

if BACKEND == "tensorflow":
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)


@pytest.hookimpl(tryfirst=True)  # before pytest selects by markers
def pytest_collection_modifyitems(items):
    """Mark tests as `every` if a similar test already runs by default.

    These are tests of a rule with another representative of its kind, tests of a rule
    with settings, and all but the first parameters of tests marked `sampled`.
    """
    sampled = set()
    for item in items:
        if of_another_rule(item):
            item.add_marker(pytest.mark.every)
        elif item.get_closest_marker("sampled") and "every" not in item.keywords:
            function = item.nodeid.partition("[")[0]
            if function in sampled:
                item.add_marker(pytest.mark.every)
            sampled.add(function)


def of_another_rule(item):
    """Return whether a test is of a rule with settings, or of no representative."""
    chosen = FEW if item.get_closest_marker("long") else REPRESENTATIVES
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    for value in parameters.values():
        name, settings = value if is_case(value) else (value, {})
        if isinstance(name, str) and (settings or name in NAMES - chosen):
            return True
    return False


def is_case(value):
    """Return whether a parameter is a pair of optimizer name and settings."""
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], dict)


@pytest.fixture(autouse=True)
def seeded():
    """Give every test the same random seed and fresh layer names."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)


@pytest.fixture
def float64():
    """Compute in double precision, as far as the backend can."""
    with precision("float64"):
        yield
