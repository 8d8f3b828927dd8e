"""Comparisons of the optimizers with their papers and with other libraries."""
