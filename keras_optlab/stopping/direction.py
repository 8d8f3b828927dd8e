"""Whether a metric improves by falling or by rising, from its name."""

from __future__ import annotations

import re

from keras_optlab.core.errors import shown

FALLING = (
    "loss|error|mse|rmse|mae|mape|msle|rmsle|nll|perplexity|brier|hinge|crossentropy|"
    "divergence|kld|poisson|logcosh|deviance"
)
RISING = (
    "acc|accuracy|auc|precision|recall|sensitivity|specificity|f1|fbeta|r2|iou|dice|"
    "jaccard|mcc|kappa|bleu|rouge|ndcg|mrr|psnr|ssim|similarity|correlation"
)
NEGATED = "neg|negative"


def infer_mode(metric: str) -> str:
    """Return `"min"` or `"max"` from the words in a metric's name.

    >>> infer_mode("val_loss"), infer_mode("mean_squared_error"), infer_mode("auc_1")
    ('min', 'min', 'max')

    Raises:
        ValueError: if the name does not determine the mode.
    """
    mode = _mode_from_name(metric)
    if mode is None:
        raise ValueError(
            "Expected a metric whose name tells which way it improves, such as "
            f"'val_loss' or 'accuracy'. Received: monitor={shown(metric)}. Pass "
            "mode='min' if a lower value is better, mode='max' if a higher one is."
        )
    return mode


def check_mode(metric: str, mode: str) -> str:
    """Return `"min"` or `"max"`, inferred if `mode` is `"auto"`.

    >>> check_mode("val_loss", "auto"), check_mode("score", "max")
    ('min', 'max')

    Raises:
        ValueError: if `mode` is another string, or contradicts the metric's name.
    """
    if not isinstance(mode, str) or mode not in ("auto", "min", "max"):
        raise ValueError(
            f"`mode` must be 'auto', 'min' or 'max'. Received: mode={shown(mode)}"
        )
    if mode == "auto":
        return infer_mode(metric)
    if _mode_from_name(metric) not in (mode, None):
        better = "lower" if mode == "max" else "higher"
        raise ValueError(
            f"`mode` must agree with the metric's name, which says that a {better} "
            f"value is better. Received: monitor={shown(metric)}, mode={shown(mode)}. "
            "Leave `mode` out; if the name misleads, rename the metric, for instance "
            "to 'neg_...'."
        )
    return mode


def _mode_from_name(metric: str) -> str | None:
    words = re.split(r"[^a-z0-9]+", metric.lower().replace("io_u", "iou"))
    falls, rises, negated = (
        any(re.fullmatch(group, word) for word in words)
        for group in (FALLING, RISING, NEGATED)
    )
    if negated:
        return None
    if metric.endswith("_loss"):  # Keras names a loss after the output it belongs to
        return "min"
    if falls == rises:
        return None
    return "min" if falls else "max"
