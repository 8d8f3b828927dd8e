"""Base classes and helpers of the callbacks."""
