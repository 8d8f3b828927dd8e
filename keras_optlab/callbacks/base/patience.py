"""Direction of a metric, patience without improvement, limits and deadlines."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable

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
            f"'val_loss' or 'accuracy'. Received: monitor={metric!r}. Pass mode='min' "
            "if a lower value is better, mode='max' if a higher one is."
        )
    return mode


def check_mode(metric: str, mode: str) -> str:
    """Return `"min"` or `"max"`, inferred if `mode` is `"auto"`.

    >>> check_mode("val_loss", "auto"), check_mode("score", "max")
    ('min', 'max')

    Raises:
        ValueError: if `mode` is another string, or contradicts the metric's name.
    """
    if mode not in ("auto", "min", "max"):
        raise ValueError(
            f"`mode` must be 'auto', 'min' or 'max'. Received: mode={mode!r}"
        )
    if mode == "auto":
        return infer_mode(metric)
    if _mode_from_name(metric) not in (mode, None):
        better = "lower" if mode == "max" else "higher"
        raise ValueError(
            f"`mode` must agree with the metric's name, which says that a {better} "
            f"value is better. Received: monitor={metric!r}, mode={mode!r}. Leave "
            "`mode` out; if the name misleads, rename the metric, for instance to "
            "'neg_...'."
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


class Patience:
    """The wait since a value last improved.

    A value improves if it is better than the best so far by more than `min_delta`. NaN
    never improves. The unit of the wait is the unit of the positions that `update`
    receives: epochs, steps or seconds.

    >>> patience = Patience("min", 2)
    >>> values = 1.0, 0.5, float("nan"), 0.6
    >>> [patience.update(value, epoch) for epoch, value in enumerate(values, 1)]
    [True, True, False, False]
    >>> patience.best, patience.waited, patience.exhausted
    (0.5, 2, True)

    Args:
        mode: `"min"` if a lower value is better, `"max"` if a higher one is.
        limit: wait without improvement that exhausts the patience; >= 0.
        min_delta: an improvement by this much or less does not count; >= 0.
        start: position at which the wait begins.
    """

    def __init__(
        self, mode: str, limit: float, min_delta: float = 0.0, start: float = 0
    ) -> None:
        self.sign = 1 if mode == "max" else -1
        self.limit, self.min_delta = limit, min_delta
        self.best = -self.sign * math.inf
        self._now = self._since = self._cool = start

    def update(self, value: float, now: float) -> bool:
        """Record the value at position `now`; return whether it is an improvement."""
        improved = self.sign * (value - self.best) > self.min_delta
        if improved:
            self.best = value
        if improved or now < self._cool:
            self._since = now
        self._now = now
        return improved

    def restart(self, cooldown: float = 0) -> None:
        """Restart the wait at the last value, or at the last one in the cooldown."""
        self._since = self._now
        self._cool = self._now + cooldown

    @property
    def waited(self) -> float:
        """Distance of the last value from the last improvement or restart."""
        return self._now - self._since

    @property
    def exhausted(self) -> bool:
        """Whether the wait is positive and has reached `limit`."""
        return 0 < self.waited >= self.limit


class Limits:
    """Values of a metric at which to stop training.

    >>> limits = Limits("min", target=0.1, divergence=5.0)
    >>> [limits.crossed(value) for value in (0.2, 0.1, 6.0, float("nan"))]
    [None, 'target', 'divergence', 'check_finite']

    Args:
        mode: `"min"` if a lower value is better, `"max"` if a higher one is.
        target: stop at a value at least this good.
        divergence: stop at a value worse than this.
        check_finite: whether to stop at a NaN or an infinity.

    Raises:
        ValueError: if the target is not better than the divergence.
    """

    def __init__(
        self,
        mode: str,
        target: float | None = None,
        divergence: float | None = None,
        check_finite: bool = True,
    ) -> None:
        self.sign = 1 if mode == "max" else -1
        self.target, self.divergence = target, divergence
        self.check_finite = check_finite
        if target is not None and divergence is not None:
            if self.sign * (target - divergence) > 0:
                return
            raise ValueError(
                f"`target` must be better than `divergence` with mode={mode!r}. "
                f"Received: target={target}, divergence={divergence}"
            )

    def crossed(self, value: float) -> str | None:
        """Return the name of the limit that a value crosses, or `None`."""
        if self.check_finite and not math.isfinite(value):
            return "check_finite"
        if self.target is not None and self.sign * (value - self.target) >= 0:
            return "target"
        if self.divergence is not None and self.sign * (value - self.divergence) < 0:
            return "divergence"
        return None


class Deadline:
    """A deadline, in seconds from the construction of this object.

    >>> now = 0.0
    >>> deadline = Deadline(60, clock=lambda: now)
    >>> deadline.passed
    False
    >>> now = 61.0
    >>> deadline.passed, deadline.elapsed
    (True, 61.0)

    Args:
        seconds: time until the deadline; `None` is no deadline.
        clock: returns the current time in seconds.
    """

    def __init__(
        self, seconds: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds, self.clock = seconds, clock
        self.start = clock()

    @property
    def elapsed(self) -> float:
        """Seconds since construction."""
        return self.clock() - self.start

    @property
    def passed(self) -> bool:
        """Whether the deadline has passed."""
        return self.seconds is not None and self.elapsed >= self.seconds
