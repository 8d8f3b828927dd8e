"""Which way a metric improves, and how long ago it last did."""

from __future__ import annotations

import math
import re

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
        ValueError: if the name does not tell.
    """
    if metric.endswith("_loss"):  # Keras names a loss after the output it belongs to
        return "min"
    words = re.split(r"[^a-z0-9]+", metric.lower().replace("io_u", "iou"))
    falls, rises, negated = (
        any(re.fullmatch(group, word) for word in words)
        for group in (FALLING, RISING, NEGATED)
    )
    if falls == rises or negated:
        raise ValueError(
            "Expected a metric whose name tells which way it improves, such as "
            f"'val_loss' or 'accuracy'. Received: monitor={metric!r}. Pass mode='min' "
            "if a lower value is better, mode='max' if a higher one is."
        )
    return "min" if falls else "max"


class Patience:
    """Counts the epochs since a value last improved.

    A value improves if it is better than the best so far by more than `min_delta`. NaN
    never improves.

    >>> patience = Patience("min", epochs=2)
    >>> [patience.update(value) for value in (1.0, 0.5, float("nan"), 0.6)]
    [True, True, False, False]
    >>> patience.best, patience.waited, patience.exhausted
    (0.5, 2, True)

    Args:
        mode: `"min"` if a lower value is better, `"max"` if a higher one is.
        epochs: values in a row without improvement that exhaust the patience; >= 0,
            where 0 is as good as 1.
        min_delta: an improvement by this much or less does not count; >= 0.
    """

    def __init__(self, mode: str, epochs: int, min_delta: float = 0.0) -> None:
        self.sign = 1 if mode == "max" else -1
        self.epochs, self.min_delta = epochs, min_delta
        self.best = -self.sign * math.inf
        self.waited = 0

    def update(self, value: float) -> bool:
        """Take the value of another epoch; return whether it is an improvement."""
        improved = self.sign * (value - self.best) > self.min_delta
        if improved:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        return improved

    @property
    def exhausted(self) -> bool:
        """Whether the wait has lasted long enough."""
        return self.waited >= max(self.epochs, 1)
