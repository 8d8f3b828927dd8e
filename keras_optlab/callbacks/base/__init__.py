"""Bases of the callbacks, from Keras' callback up to those that watch a metric."""
