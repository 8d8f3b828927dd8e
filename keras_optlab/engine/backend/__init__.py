"""Keras' private API, and what differs between TensorFlow, JAX and torch."""
