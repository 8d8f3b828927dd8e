"""The parts of a report: axes, drawings, curves."""

import pytest

from keras_optlab.lab.report.charts.curves import curves
from keras_optlab.lab.report.drawing import Drawing
from keras_optlab.lab.report.material import Material
from keras_optlab.lab.report.scales import Scale, scale_of
from tests.lab.synthetic import write_study


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(0, 469, 0, 1), ["0", "100", "200", "300", "400"]),
        (Scale(0.2, 0.8, 0, 1), ["0.2", "0.4", "0.6", "0.8"]),
        (Scale(90, 400, 0, 1, log=True), ["100", "200"]),
        (Scale(0.99, 1.01, 0, 1, log=True), ["0.99", "0.995", "1", "1", "1.01"]),
        (Scale(1e-9, 1e6, 0, 1, log=True), ["1e-8", "0.0001", "1", "10,000"]),
    ],
)
def test_ticks_are_few_and_round(scale, ticks):
    found = scale.ticks(5)
    assert len(found) <= 5
    assert [text for _, text in found][: len(ticks)] == ticks
    assert all(scale.low <= x * (1 + 1e-9) for x, _ in found)


def test_a_scale_has_room_for_equal_values_and_none():
    assert scale_of([3.0, 3.0], 0, 100).at(3.0) == 50
    assert scale_of([3.0], 0, 100, log=True).at(3.0) == 50
    assert scale_of([], 0, 100).at(1.0) == 50
    assert scale_of([0.0], 0, 100).at(0.0) == 50


def test_texts_in_a_drawing_are_escaped():
    drawing = Drawing("a", "<title>", "a & b", 10)
    drawing.text(0, 0, "<script>")
    drawing.dot(1, 2, 3, "run", "</title>")
    html = drawing.__html__()
    assert "<script>" not in html
    assert "&lt;/title&gt;" in html
    assert "a &amp; b" in html


def test_a_curve_is_the_median_of_the_seeds_within_all_of_them(tmp_path):
    values = {1000: [0.8, 0.9], 1001: [0.7, 0.95], 1002: [0.6]}

    def change(record):
        of_seed = values.get(record["seed"], [0.5])
        updates = [10, 20][: len(of_seed)]
        seconds = [u * (record["seed"] - 999) for u in updates]
        record["curve"] = {
            "updates": updates,
            "seconds": seconds,
            "accuracy": of_seed,
            "train_loss": [None] * len(updates),
        }

    comparison = write_study(tmp_path, ["adam"], trials=1, change=change)
    material = Material(comparison)
    table = curves(material, "updates", "accuracy").table
    assert table.head == ("optimizer", "10 updates", "20 updates")
    assert [c.value for c in table.rows[0][1:]] == pytest.approx([0.7, 0.925])
    table = curves(material, "seconds", "accuracy").table
    assert table.head[1:] == ("20 seconds", "30 seconds")
    assert curves(material, "updates", "train_loss") is None
