"""Norms and histograms that a compiled step records for callbacks."""
