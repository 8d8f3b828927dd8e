"""The units of an update: a weight, several weights as one vector, or some rows."""
