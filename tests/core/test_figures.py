"""The style of pictures, and new axes in it."""

import sys

import pytest

from keras_optlab.core import figures


def test_new_axes_have_the_style_and_others_keep_theirs():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    ours, others = figures.new_axes((2.0, 2.0)), pyplot.subplots()[1]
    visible = [axes.spines["top"].get_visible() for axes in (ours, others)]
    assert visible == [False, True]
    assert figures.new_axes((2.0, 2.0), 2, 3).shape == (2, 3)
    pyplot.close("all")


@pytest.mark.parametrize(
    ("instead", "end"), [("", r"\[plot\]`\.$"), ("print it", r"`, or print it\.$")]
)
def test_without_matplotlib_the_error_says_what_to_do(monkeypatch, instead, end):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=end):
        figures.new_axes((2.0, 2.0), instead=instead)
