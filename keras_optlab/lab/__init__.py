"""The lab: which optimizer, at what rate, for which model, found by measurement."""
