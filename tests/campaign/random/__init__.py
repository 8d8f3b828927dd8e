"""Random training programs, drawn from a seed, as data that JSON can hold."""
