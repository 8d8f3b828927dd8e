"""Names for what every backend has of its own kind."""

from typing import Any

Tensor = Any  # of TensorFlow, JAX or torch
Variable = Any  # of Keras or of a backend
