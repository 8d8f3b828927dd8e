"""The charts of a report."""

from keras_optlab.lab.report.charts.bars import bars
from keras_optlab.lab.report.charts.curves import curves
from keras_optlab.lab.report.charts.profile import profile
from keras_optlab.lab.report.charts.rates import objective_of_rates, rate_charts
from keras_optlab.lab.report.charts.runs import runs

__all__ = ["bars", "curves", "objective_of_rates", "profile", "rate_charts", "runs"]
