"""Monitor: scalars of a training as a table, a plot and entries of the logs."""

import csv
import math
import sys

import keras
import matplotlib
import numpy as np
import pytest

from keras_optlab.callbacks import TensorBoard
from keras_optlab.callbacks.monitor import Monitor
from keras_optlab.optimizers import SGD, Adam
from keras_optlab.schedules import Cosine
from tests.support.logs import X, Y, by_hand, fit, line, read

matplotlib.use("agg")


def column(monitor, tag):
    return {row["step"]: row[tag] for row in monitor.rows if tag in row}


def test_the_table_holds_what_tensorboard_shows(tmp_path):
    model, monitor = line(Adam(Cosine(0.1, 9), weight_decay=Cosine(0.1, 9))), Monitor(3)
    history = fit(
        model, [monitor, TensorBoard(tmp_path, every=3)], validation_data=(X, Y)
    )
    train = read(tmp_path / "train")
    speed = {tag for tag in train if tag.startswith("throughput/")}  # by two clocks
    apart = (*speed, *(tag for tag in train if tag.startswith("epoch/")))
    shown = {tag: at for tag, at in train.items() if tag not in apart}
    constant = {f"optimizer/{x}" for x in ("clipped_fraction", "gradient_norm_clipped")}
    constant |= {f"optimizer/skipped_{x}" for x in ("fraction", "steps")}
    constant |= {"weight_dead_units/line/kernel"}
    assert "hyperparameter/weight_decay" in shown
    assert not {"epoch/lr", "epoch/grad_norm", "step/lr"} & train.keys()  # once
    for tag, at in shown.items():
        assert column(monitor, tag) == pytest.approx(at), tag
    epochs = {"epoch/loss": history["loss"], "epoch/val_loss": history["val_loss"]}
    for tag, (first, second) in epochs.items():
        assert column(monitor, tag) == {4: first, 8: second}
    assert [row["step"] for row in monitor.rows] == [1, 3, 4, 6, 8]
    assert [row["epoch"] for row in monitor.rows] == [0, 0, 0, 1, 1]
    tags = {*shown, *speed, *epochs, *constant}
    assert monitor.columns == ["step", "epoch", *sorted(tags)]


@pytest.mark.parametrize("order", [1, -1])
def test_the_logs_hold_rate_and_gradient_norm(tmp_path, capsys, order):
    rate = Cosine(0.2, steps=10)
    path = tmp_path / "log.csv"
    callbacks = [Monitor(3), keras.callbacks.CSVLogger(path)][::order]
    history = fit(line(SGD(rate)), callbacks, verbose=2)
    steps = by_hand(rate, math.inf)
    norms = [np.linalg.norm(steps[i][1]) for i in (2, 5)]  # last records of the epochs
    assert history["lr"] == pytest.approx([rate(4), rate(8)])
    assert history["grad_norm"] == pytest.approx(norms, rel=1e-4)
    assert f"lr: {rate(4):.4f} - grad_norm: {norms[0]:.4f}" in capsys.readouterr().out
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["lr"]) for row in rows] == pytest.approx(history["lr"])
    assert [float(row["grad_norm"]) for row in rows] == history["grad_norm"]
    assert [float(row["skipped_fraction"]) for row in rows] == [0, 0]
    assert "clipped_fraction" not in rows[0]


def test_the_logs_hold_the_shares_of_clipped_and_skipped(tmp_path):
    path, x = tmp_path / "log.csv", X.copy()
    x[9] = math.nan
    model = line(SGD(0.01, global_clipnorm=0.5))
    callbacks = [keras.callbacks.CSVLogger(path), Monitor(1)]
    with pytest.warns(UserWarning, match="skipped"):
        history = fit(model, callbacks, x=x)
    assert history["skipped_fraction"] == [0.25, 0.25]
    assert history["clipped_fraction"] == [1.0, 1.0]
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for key in "skipped_fraction", "clipped_fraction":
        assert [float(row[key]) for row in rows] == history[key]


def test_monitor_moves_before_csv_loggers_alone(tmp_path):
    order = []

    class First(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            order.append("lr" in logs)

    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    fit(line(SGD(0.1)), [First(), logger, First(), Monitor()], epochs=1)
    assert order == [False, True]


def test_with_a_stock_optimizer_there_is_no_gradient_norm():
    monitor = Monitor(2)
    history = fit(line(keras.optimizers.SGD(0.25)), [monitor], epochs=1)
    assert history.keys() == {"loss", "lr"}  # and nothing that it does not have
    shown = [tag for tag in monitor.columns[2:] if not tag.startswith("throughput/")]
    assert shown == ["epoch/loss", "optimizer/learning_rate", "step/loss"]
    titles = [ax.get_title() for ax in monitor.plot().axes if ax.get_visible()]
    assert titles == ["loss", "learning rate"]


def test_a_second_fit_adds_to_the_table():
    model, monitor = line(SGD(0.1)), Monitor(3)
    fit(model, [monitor], epochs=1)
    model.compile(SGD(0.1), loss="mse")
    fit(model, [monitor], epochs=6, initial_epoch=5)
    assert [(row["step"], row["epoch"]) for row in monitor.rows] == [
        (1, 0),
        (3, 0),
        (4, 0),
        (5, 5),
        (7, 5),
        (8, 5),
    ]


def test_the_plot_shows_a_panel_for_each_kind_of_figure():
    model, monitor = line(SGD(Cosine(0.1, 9))), Monitor(1)
    fit(model, [monitor], validation_data=(X, Y))
    figure = monitor.plot()
    panels = {ax.get_title(): ax.get_lines() for ax in figure.axes}
    losses, rates, norms, ratios = panels.values()
    drawn = [x.get_label() for lines in (losses, norms, ratios) for x in lines]
    assert drawn == [
        "training",
        "validation",
        "before clipping",
        "after clipping",
        "line/kernel",
    ]
    assert losses[1].get_xdata().tolist() == [4, 8]
    rate = column(monitor, "optimizer/learning_rate")
    assert dict(zip(*rates[0].get_data(), strict=True)) == rate


def test_a_plot_of_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to draw yet"):
        Monitor().plot()


def test_the_table_as_a_data_frame():
    pytest.importorskip("pandas")
    monitor = Monitor(2)
    fit(line(SGD(0.1)), [monitor])
    frame = monitor.dataframe()
    assert frame.index.tolist() == [1, 2, 4, 6, 8]
    assert frame.columns.tolist() == monitor.columns[1:]
    loss = column(monitor, "step/loss")
    assert frame["step/loss"].to_dict() == loss
    assert frame["epoch/loss"].isna().tolist() == [True, True, False, True, False]


@pytest.mark.parametrize(
    ("library", "method"), [("pandas", "dataframe"), ("matplotlib", "plot")]
)
def test_a_library_that_is_missing_is_named(monkeypatch, library, method):
    monitor = Monitor()
    fit(line(SGD(0.1)), [monitor], epochs=1)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=f"needs {library}.*`rows`"):
        getattr(monitor, method)()


def test_rows_of_norms_between_points():
    monitor = Monitor(every=3, statistics_every=2)
    fit(line(SGD(0.1)), [monitor], epochs=1)
    assert list(column(monitor, "optimizer/gradient_norm")) == [1, 2, 4]
    assert list(column(monitor, "step/loss")) == [1, 3]


def test_more_norms_between_points_than_are_kept():
    with pytest.raises(ValueError, match="at most 64 times .* Received: every=129"):
        Monitor(every=129, statistics_every=2)


@pytest.mark.parametrize(("every", "error"), [(0, ValueError), (1.5, TypeError)])
def test_every_must_be_a_number_of_steps(every, error):
    with pytest.raises(error, match=f"an integer >= 1. Received: every={every}"):
        Monitor(every)
