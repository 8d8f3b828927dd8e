"""Summary values in the formats that TensorBoard's pages read.

Every function returns a list of `Summary.Value` messages for `EventWriter.write`.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_optlab.engine import Histogram
from keras_optlab.tensorboard.descriptions import description
from keras_optlab.tensorboard.layout import Charts, layout

Values = list[Any]
HParam = bool | int | float | str


def scalars(values: Mapping[str, float]) -> Values:
    """Return one scalar per tag."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    return [Summary.Value(tag=tag, simple_value=v) for tag, v in values.items()]


def text(tag: str, markdown: str) -> Values:
    """Return a text, which TensorBoard renders as Markdown."""
    from tensorboard.plugins.text.metadata import create_summary_metadata

    about = create_summary_metadata(display_name=tag, description="")
    return [_value(tag, about, np.array(markdown.encode(errors="replace"), "object"))]


def histogram(tag: str, entries: Histogram) -> Values:
    """Return a histogram, or `[]` if all counts are 0, as for a NaN entry."""
    from tensorboard.plugins.histogram.metadata import create_summary_metadata

    if not np.any(entries.counts):
        return []
    edges = np.linspace(entries.low, entries.high, len(entries.counts) + 1)
    buckets = np.stack([edges[:-1], edges[1:], entries.counts], axis=1)
    about = create_summary_metadata(display_name=tag, description="")
    return [_value(tag, about, buckets)]


def image(tag: str, pixels: np.ndarray) -> Values:
    """Return an image.

    Args:
        tag: Tag of the image.
        pixels: Shape `(height, width, 3)`, type uint8.
    """
    from PIL import Image  # tensorboard requires it
    from tensorboard.plugins.image.metadata import create_summary_metadata

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    height, width, _ = pixels.shape
    parts = [str(width).encode(), str(height).encode(), file.getvalue()]
    about = create_summary_metadata(display_name=tag, description="")
    return [_value(tag, about, np.array(parts, "object"))]


def session_start(hparams: Mapping[str, HParam]) -> Values:
    """Return the hyperparameters of a run, which are a row of the HPARAMS page."""
    from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG
    from tensorboard.plugins.hparams.plugin_data_pb2 import SessionStartInfo

    info = SessionStartInfo(start_time_secs=time.time())
    for key, value in hparams.items():
        name = _text(key)
        if isinstance(value, bool):
            info.hparams[name].bool_value = value
        elif isinstance(value, int | float) and math.isfinite(value):
            info.hparams[name].number_value = value
        else:  # the page cannot show an infinite number
            info.hparams[name].string_value = _text(value)
    return _session(SESSION_START_INFO_TAG, session_start_info=info)


def session_end(success: bool) -> Values:
    """Return the final status of the run, for the same row."""
    from tensorboard.plugins.hparams import api_pb2
    from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG
    from tensorboard.plugins.hparams.plugin_data_pb2 import SessionEndInfo

    status = api_pb2.STATUS_SUCCESS if success else api_pb2.STATUS_FAILURE
    info = SessionEndInfo(status=status, end_time_secs=time.time())
    return _session(SESSION_END_INFO_TAG, session_end_info=info)


def custom_layout(categories: Mapping[str, Charts]) -> Values:
    """Return the layout of the page CUSTOM SCALARS, as `story` makes it."""
    from tensorboard.plugins.custom_scalar import metadata

    about = metadata.create_summary_metadata()
    content = layout(categories).SerializeToString()
    return [_value(metadata.CONFIG_SUMMARY_TAG, about, np.array(content, "object"))]


def describe(value: Any) -> None:
    """Add the description of its tag to a value."""
    from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR

    value.metadata.summary_description = description(value.tag)
    if value.HasField("simple_value"):  # else the fast loader ignores the metadata
        value.metadata.plugin_data.plugin_name = "scalars"
        value.metadata.data_class = DATA_CLASS_SCALAR


def _text(value: Any) -> str:
    """Return a value as text that can be encoded as UTF-8."""
    return str(value).encode(errors="replace").decode()


def _session(tag: str, **info: Any) -> Values:
    from tensorboard.plugins.hparams.metadata import create_summary_metadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    about = create_summary_metadata(HParamsPluginData(**info))
    return [_value(tag, about, np.zeros(0, "float32"))]


def _value(tag: str, metadata: Any, content: np.ndarray) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.util.tensor_util import make_tensor_proto

    tensor = make_tensor_proto(content)
    return Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
