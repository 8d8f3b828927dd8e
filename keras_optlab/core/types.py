"""Names for types that differ from backend to backend."""

from typing import Any

Tensor = Any  # of TensorFlow, JAX or torch
Variable = Any  # of Keras or of a backend
