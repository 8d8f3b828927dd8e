"""Keras' private names, and what differs between TensorFlow, JAX and torch."""
