"""Reading a `tf.data.Dataset` again, without any effect on its other readers."""

from __future__ import annotations

import sys
from typing import Any


def is_dataset(x: Any) -> bool:
    """Return whether this is a `tf.data.Dataset`, without importing TensorFlow."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)


def independent_copy(dataset: Any) -> Any:
    """Return a copy of a dataset that shares no random state with it.

    Each pass over a shuffled dataset draws the seed of its order from a generator of
    the dataset. Another pass over the dataset itself would change the order of all
    later ones, and so the training.

    Raises:
        Exception: an error of TensorFlow, if the dataset cannot be copied.
    """
    import tensorflow as tf

    variant = tf.data.experimental.to_variant(dataset)
    ignore = 1  # ExternalStatePolicy.IGNORE: the state of random generators
    graph = tf.raw_ops.DatasetToGraphV2(
        input_dataset=variant, external_state_policy=ignore
    )
    definition = tf.compat.v1.GraphDef.FromString(graph.numpy())
    for node in definition.node:
        if node.op == "ShuffleDatasetV3":  # whose last input is the generator
            node.op = "ShuffleDataset"
            del node.input[4:]
    copied = tf.raw_ops.DatasetFromGraph(graph_def=definition.SerializeToString())
    return tf.data.experimental.from_variant(copied, dataset.element_spec)
