"""The order of the charts on the page CUSTOM SCALARS, as a story of the training."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Charts = dict[str, list[str]]  # regular expressions of tags, by title
RATE = "Learning rate"

GRADIENT = {
    "norm of the gradient, before and after clipping": "optimizer/gradient_norm",
    "share clipped and share skipped": "optimizer/(clipped|skipped)_fraction",
    "steps skipped so far": "optimizer/skipped_steps",
    "norm of the update": "optimizer/update_norm",
    "norm of all weights": "optimizer/weight_norm",
    "cosine of consecutive gradients": "optimizer/gradient_cosine",
    "gradient noise scale": "optimizer/gradient_noise_scale",
    "sharpness along the step": "optimizer/sharpness",
}
LAYERS = {
    "norm of the update / norm of the weight": "update_ratio/",
    "norm of the gradient": "weight_gradient_norm/",
    "norm of the weight": "weight_norm/",
    "share of dead units": "weight_dead_units/",
}
OTHERS = {
    "Spikes": {"what was seen and done": "spikes/"},
    "Stopping": {"figures of criteria": "stopping/"},
    "Throughput": {
        "steps per second": "throughput/steps_per_second",
        "examples per second": "throughput/examples_per_second",
        "memory, in bytes": "throughput/memory",
    },
}


def story(tags: Iterable[str]) -> dict[str, Charts]:
    """Return the charts for these tags, by category, in the order of a story.

    The loss comes first, then the metrics, the rate, the gradient and the layers.
    Charts without a tag are left out. TensorBoard merges the stories of several
    trainings in the order of the first one; a rate that is constant there still has
    its place.

    >>> story({"epoch/loss", "step/loss", "epoch/mae", "weight_norm/dense/kernel"})
    {'Loss': {'loss, by epoch': ['epoch/loss(/.*)?$'],
              'loss, by step': ['step/loss(/.*)?$']},
     'Metrics': {'mae, by epoch': ['epoch/mae(/.*)?$']},
     'Learning rate': {},
     'Layers': {'norm of the weight': ['weight_norm/']}}
    """
    tags = set(tags)
    names = sorted({t.split("/")[1] for t in tags if t.startswith(("epoch/", "step/"))})
    losses = [n for n in names if n == "loss" or n.endswith("_loss")]
    losses.sort(key=lambda name: name != "loss")
    story = {
        "Loss": _of_metrics(losses),
        "Metrics": _of_metrics([n for n in names if n not in losses]),
        RATE: {
            "learning rate": ["optimizer/learning_rate"],
            "other values that change": ["hyperparameter/"],
        },
        "Gradient": {title: [pattern] for title, pattern in GRADIENT.items()},
        "Layers": {title: [pattern] for title, pattern in LAYERS.items()},
    }
    story |= {k: {t: [p] for t, p in charts.items()} for k, charts in OTHERS.items()}
    found = {title: _with_tags(charts, tags) for title, charts in story.items()}
    return {k: charts for k, charts in found.items() if charts or k == RATE}


def layout(categories: Mapping[str, Charts]) -> Any:
    """Return the message that holds the categories that `story` has made."""
    from tensorboard.plugins.custom_scalar import layout_pb2

    return layout_pb2.Layout(
        category=[
            layout_pb2.Category(
                title=category,
                chart=[
                    layout_pb2.Chart(
                        title=title,
                        multiline=layout_pb2.MultilineChartContent(tag=patterns),
                    )
                    for title, patterns in charts.items()
                ],
            )
            for category, charts in categories.items()
        ]
    )


def _of_metrics(names: list[str]) -> Charts:
    """Return two charts for each metric: by epoch, and by step."""
    charts = {}
    for name in names:
        pattern = re.escape(name)
        charts[f"{name}, by epoch"] = [f"epoch/{pattern}(/.*)?$"]
        charts[f"{name}, by step"] = [f"step/{pattern}(/.*)?$"]
    return charts


def _with_tags(charts: Charts, tags: set[str]) -> Charts:
    return {
        title: patterns
        for title, patterns in charts.items()
        if any(re.match(pattern, tag) for pattern in patterns for tag in tags)
    }
