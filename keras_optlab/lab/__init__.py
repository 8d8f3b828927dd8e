"""The lab: which optimizer, at what rate, for a model; answered by measurement."""
