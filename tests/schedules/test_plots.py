"""Plots of schedules, and the range of steps they show."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from keras.optimizers import schedules as keras_schedules

from keras_optlab.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclical,
    Exponential,
    InverseSqrt,
    InverseTime,
    Join,
    Linear,
    Piecewise,
    Rex,
    Warmup,
)
from tests.support.schedule_examples import CLASSES, named


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        (Constant(0.1), 100),
        (Cosine(0.1, 40), 40),
        (CosineRestarts(0.1, 10), 70),
        (Cyclical(0.1, 0.3, 10), 40),
        (Exponential(0.1, 10), 50),
        (InverseTime(0.1, 10), 50),
        (InverseSqrt(0.1, 10), 50),
        (Join([0.1, Linear(0.1, 30)], [12]), 42),
        (Piecewise([20, 80], [3, 2, 1]), 100),
        (3 * Cosine(0.1, 40), 40),
        (Warmup(Cosine(0.1, 40), 5), 45),
        (Warmup(keras_schedules.CosineDecay(0.1, 40), 5), 105),
    ],
    ids=named,
)
def test_what_there_is_to_see_of_it(schedule, last):
    assert schedule.horizon == last


def test_plot_draws_the_values():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    schedule = Cosine(0.1, 40)
    assert schedule.plot(ax=axes) is axes
    assert schedule.plot(60, ax=axes) is axes
    until_the_end, longer = axes.lines
    np.testing.assert_array_equal(until_the_end.get_ydata(), schedule.values(41))
    np.testing.assert_array_equal(longer.get_ydata(), schedule.values(61))
    np.testing.assert_array_equal(longer.get_xdata(), np.arange(61))
    assert longer.get_label() == repr(schedule)
    assert axes.get_xlabel() == "step"
    (2 * schedule).plot(ax=axes)
    bottom, top = axes.get_ylim()
    assert bottom == 0
    assert top > 0.2


def test_the_example_shows_every_class():
    path = Path(__file__).parents[2] / "examples" / "schedules.py"
    panels = runpy.run_path(str(path))["panels"]()
    assert panels.keys() == {cls.__name__ for cls in CLASSES}
    for title, curves in panels.items():
        assert title in {type(schedule).__name__ for schedule in curves.values()}


def test_plot_makes_a_figure_of_its_own():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    one, other = Cosine(0.1, 40).plot(), Rex(0.1, 40).plot(10)
    assert one.figure is not other.figure
    pyplot.close("all")


def test_plot_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install keras-optlab\[plot\]"):
        Cosine(0.1, 40).plot()
