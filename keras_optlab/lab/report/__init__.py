"""The report of a comparison: one HTML file that needs nothing else."""

from keras_optlab.lab.report.write import write_report

__all__ = ["write_report"]
