"""What notebooks show for an object."""

import re
import sys

import keras
import numpy as np
import pytest

import keras_optlab as kol

PNG = r'<img [^>]*alt="[^"]+" src="data:image/png;base64,iVBOR[\w+/=]+">'


def trained(optimizer, callbacks=()):
    inputs, head = keras.Input((3,)), keras.layers.Dense(2, name="head")
    model = keras.Sequential([inputs, keras.layers.Dense(4, name="body"), head])
    model.compile(optimizer, "mse")
    model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0, callbacks=list(callbacks))
    return model


def test_an_optimizer_shows_its_groups_and_the_size_of_its_state():
    groups = [
        kol.Group("head", learning_rate=0.5, weight_decay=0.0),
        kol.Group("*/bias", frozen=True),
    ]
    optimizer = kol.optimizers.AdamW(1e-3, groups=groups)
    page = optimizer._repr_html_()
    assert "AdamW(learning_rate=0.001" in page
    assert "<td>not built yet</td><td>0.5</td><td>weight_decay=0.0</td>" in page
    assert "No state yet" in page
    trained(optimizer)
    page = optimizer._repr_html_()
    assert "<td>&#x27;head&#x27;</td><td>2</td><td>0.5</td>" in page  # kernel and bias
    assert "<td>1</td><td>frozen</td>" in page
    assert re.search(r"State: \d+ bytes for 26 entries of weights", page)


def test_the_state_of_a_large_weight_is_its_slots():
    weight = keras.Variable(np.zeros((1000, 250), "float32"))
    optimizer = kol.optimizers.Adam(slot_dtype="bfloat16")
    optimizer.build([weight])
    assert "State: 1 MB for 250,000 entries" in optimizer._repr_html_()


def test_a_wrapper_shows_the_inner_optimizer():
    page = kol.optimizers.EMA(kol.optimizers.SGD())._repr_html_()
    assert page.startswith("<code>EMA(SGD(learning_rate=0.01")
    assert "<table>" not in page


@pytest.mark.parametrize(
    "schedule",
    [
        kol.schedules.OneCycle(1e-3),
        kol.schedules.Warmup(0.1, 5),
        kol.schedules.Cosine(1, 9),
    ],
)
def test_a_schedule_shows_its_curve(schedule):
    pytest.importorskip("matplotlib")
    assert re.search(PNG, schedule._repr_html_())


def test_a_schedule_in_epochs_shows_its_arguments():
    page = kol.schedules.Cosine(1e-3, epochs=2)._repr_html_()
    assert page == "<code>Cosine(initial=0.001, final=0.0, epochs=2.0)</code>"


@pytest.mark.slow
def test_a_monitor_shows_its_plot():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monitor = kol.callbacks.Monitor()
    assert monitor._repr_html_().startswith("<code>")
    trained(kol.optimizers.SGD(), [monitor])
    before = pyplot.get_fignums()
    assert re.search(PNG, monitor._repr_html_())
    assert pyplot.get_fignums() == before


def test_without_matplotlib_there_are_no_pictures(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = kol.schedules.Cosine(1e-3)._repr_html_()
    assert page == "<code>Cosine(initial=0.001, final=0.0)</code>"
