"""A training that can be computed by hand, and reading its TensorBoard log."""

import os

import keras
import numpy as np
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import (
    EventMultiplexer,
)
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.list_session_groups import Handler
from tensorboard.util.tensor_util import make_ndarray

from tests.support.problems import compiled_model

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def line(optimizer, **compile_):
    """Return a linear model of three weights, for `by_hand`."""
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1, use_bias=False, name="line")]
    )
    compiled_model(model, optimizer, **compile_)
    model.set_weights([np.ones((3, 1)) / 2])
    return model


def fit(model, callbacks, epochs=2, **kwargs):
    """Train for four steps an epoch; return the history."""
    data = {"x": X, "y": Y, "batch_size": 8, "shuffle": False, "verbose": 0} | kwargs
    return model.fit(**data, epochs=epochs, callbacks=callbacks).history


def by_hand(rate, clipnorm, epochs=2):
    """Train `line` by SGD in float64.

    Return for each step the weight, the gradient, the clipped gradient and the update.
    """
    w = np.ones((3, 1)) / 2
    steps = []
    for start in [0, 8, 16, 24] * epochs:
        x, y = X[start : start + 8].astype("float64"), Y[start : start + 8]
        g = 2 * x.T @ (x @ w - y) / 8
        clipped = g * min(1, clipnorm / np.linalg.norm(g))
        update = -rate(len(steps)) * clipped
        steps.append((w, g, clipped, update))
        w = w + update
    return steps


def accumulate(directory):
    everything = {"scalars": 0, "tensors": 0}
    return EventAccumulator(os.fspath(directory), size_guidance=everything).Reload()


def read(directory):
    """Return {tag: {step: value}} of the scalars."""
    events = accumulate(directory)
    return {
        tag: {e.step: e.value for e in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
    }


def read_tensors(directory, plugin):
    """Return {tag: {step: array}} of a plugin such as "histograms" or "images"."""
    events = accumulate(directory)
    tags = events.PluginTagToContent(plugin)
    return {
        tag: {e.step: make_ndarray(e.tensor_proto) for e in events.Tensors(tag)}
        for tag in tags
    }


def read_text(directory, tag):
    """Return the texts under a tag."""
    texts = read_tensors(directory, "text")[tag].values()
    return [str(text.item(), "utf-8") for text in texts]


def hparams_rows(log_dir):
    """Return the rows of the page HPARAMS, as TensorBoard's own backend makes them."""
    runs = EventMultiplexer().AddRunsFromDirectory(str(log_dir)).Reload()
    provider = MultiplexerDataProvider(runs, str(log_dir))
    everything = api_pb2.ListSessionGroupsRequest(
        slice_size=99, allowed_statuses=api_pb2.Status.values()
    )
    context = Context(TBContext(data_provider=provider))
    answer = Handler(RequestContext(), context, "", everything).run()
    return {group.name: group for group in answer.session_groups}


def hparams_values(row):
    """Return the hyperparameters of a row."""
    return {k: getattr(v, v.WhichOneof("kind")) for k, v in row.hparams.items()}
