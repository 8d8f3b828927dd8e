"""Descriptions of tags, and the order of the charts."""

import re

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import (
    EventAccumulator,
)
from tensorboard.plugins.custom_scalar import layout_pb2, metadata

from keras_optlab.callbacks import EarlyStopping, TensorBoard
from keras_optlab.optimizers import SGD
from keras_optlab.schedules import Cosine
from keras_optlab.stopping import GeneralizationLoss
from keras_optlab.tensorboard import story
from keras_optlab.tensorboard.descriptions import DESCRIPTIONS, description
from tests.support.logs import X, Y, fit, line, read, read_tensors

# Tags of statistics that an optimizer records on request.
REQUESTED = (
    "weight_dead_units/dense/kernel",
    "optimizer/gradient_cosine",
    "optimizer/gradient_noise_scale",
    "optimizer/sharpness",
    "spikes/count",
    "throughput/examples_per_second",
    "throughput/memory",
    "throughput/steps_per_second",
)


@pytest.mark.parametrize("tag", [*REQUESTED, "optimizer/learning_rate/sgd_1"])
def test_tags_have_a_description(tag):
    assert len(description(tag)) > 20


def test_each_description_says_what_is_healthy():
    silent = {"configuration/", "stopping/"}
    silent |= {k for k in DESCRIPTIONS if k.startswith("result/") and k != "result/"}
    texts = {k: v for k, v in DESCRIPTIONS.items() if k not in silent}
    assert [k for k, v in texts.items() if "ealthy" not in v] == [
        "optimizer/gradient_noise_scale"
    ]
    assert all(len(text) < 260 for text in DESCRIPTIONS.values())


@pytest.mark.slow
def test_every_tag_of_a_training_is_described_in_the_files(tmp_path):
    x = np.zeros((32, 8, 8), "float32")
    model = keras.Sequential(
        [keras.Input((8, 8)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model.compile(SGD(Cosine(0.1), global_clipnorm=0.1), "mse", metrics=["mae"])
    stop = EarlyStopping("val_loss", patience=9, criteria=[GeneralizationLoss(9.0)])
    tensorboard = TensorBoard(tmp_path, every=2, histograms_every=2, images=True)
    how = {"x": x, "y": np.ones((32, 1)), "validation_data": (x, Y)}
    fit(model, [stop, tensorboard], **how)
    plugins = set()
    for run in "train", "validation", "best", "result":
        events = EventAccumulator(str(tmp_path / run)).Reload()
        for tag in events.Tags()["tensors"]:
            about = events.SummaryMetadata(tag)
            plugins.add(about.plugin_data.plugin_name)
            hidden = about.plugin_data.plugin_name in ("hparams", "custom_scalars")
            assert hidden or about.summary_description == description(tag) != "", tag
    assert plugins == {
        "scalars", "text", "images", "histograms", "hparams", "custom_scalars"
    }  # fmt: skip


def test_a_description_is_written_once_per_file(tmp_path):
    fit(line(SGD(0.1)), [TensorBoard(tmp_path, every=1)])
    (file,) = (tmp_path / "train").glob("events*")
    text = description("weight_norm/line/kernel").encode()
    assert file.read_bytes().count(text) == 1


def charts(log_dir):
    """Return the regular expressions of each chart, by category and title."""
    tensors = read_tensors(log_dir / "result", metadata.PLUGIN_NAME)
    last = list(tensors[metadata.CONFIG_SUMMARY_TAG].values())[-1].item()
    layout = layout_pb2.Layout.FromString(last)
    return {
        category.title: {c.title: list(c.multiline.tag) for c in category.chart}
        for category in layout.category
    }


def test_the_charts_tell_a_story_and_none_is_empty(tmp_path):
    model = line(SGD(Cosine(0.1), global_clipnorm=0.1), metrics=["mae"])
    fit(model, [TensorBoard(tmp_path, every=2)], validation_data=(X, Y))
    shown = charts(tmp_path)
    first = ["Loss", "Metrics", "Learning rate", "Gradient", "Layers"]
    assert list(shown) == [*first, "Throughput"]
    assert list(shown["Loss"]) == ["loss, by epoch", "loss, by step"]
    tags = set()
    for run in "train", "validation", "best", "result":
        tags |= read(tmp_path / run).keys()
    patterns = [p for c in shown.values() for ps in c.values() for p in ps]
    for pattern in patterns:
        assert any(re.match(pattern, tag) for tag in tags), pattern
    left_out = {t for t in tags if not any(re.match(p, t) for p in patterns)}
    assert {tag.split("/")[0] for tag in left_out} == {"result"}


def test_losses_of_outputs_and_names_with_signs():
    tags = {"epoch/loss", "epoch/a_loss", "epoch/a+b", "step/f1/0", "step/f1/1"}
    shown = story(tags | set(REQUESTED))
    assert list(shown["Loss"]) == ["loss, by epoch", "a_loss, by epoch"]
    assert shown["Metrics"] == {
        "a+b, by epoch": [r"epoch/a\+b(/.*)?$"],
        "f1, by step": ["step/f1(/.*)?$"],
    }
    rest = ["Gradient", "Layers", "Spikes", "Throughput"]
    assert list(shown) == ["Loss", "Metrics", "Learning rate", *rest]
