"""Weight clipping during `fit`, with a start, a stop and scheduled limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.callbacks.base.building import build_for_fit
from keras_optlab.callbacks.base.step import StepCallback
from keras_optlab.constraints.clip_value import clip_value
from keras_optlab.constraints.max_norm import max_norm as project_norm
from keras_optlab.constraints.spectral_norm import spectral_norm as project_spectrum
from keras_optlab.core.arguments import (
    globs,
    number,
    optional_number,
    optional_schedule,
)
from keras_optlab.core.errors import shown
from keras_optlab.core.paths import path_matches, path_of
from keras_optlab.core.retrace import retrace
from keras_optlab.core.types import Tensor
from keras_optlab.engine import find_optimizer
from keras_optlab.engine.backend.keras_adapter import inner_optimizer

_DRIFTS = keras.backend.backend() == "tensorflow"


class WeightClipping(StepCallback):
    r"""A projection of the weights onto limits after each step, for a part of `fit`.

    From step `start` until before step `stop`, each step ends with a projection of the
    weights, inside the compiled step and after the layer's own constraint. With a
    `schedule` $f$ the limits at step $t$ are $f(t)$ times those given. After training,
    the layers have their own constraints again, and the weights keep their values.

    Works with every Keras optimizer. A step is an update, counted by the optimizer: the
    count continues in a second `fit` and after resuming. The projection follows the
    step of any optimizer that updates the weight.

    The model must be built before `fit`, for instance with an Input layer. For limits
    during all of training use `constraints.constrain`.

    Args:
        low: smallest entry of a weight.
        high: largest entry of a weight, >= `low`.
        max_norm: largest Euclidean norm of a unit's incoming weights, > 0: the norm
            over all axes but the last; a vector is one unit.
        spectral_norm: largest singular value of a kernel, > 0, by power iteration; see
            `constraints.SpectralNorm`.
        match: glob, or list of globs, on the paths of the weights, as in `Group`.
        skip: glob, or list of globs, on the paths of weights not to clip.
        schedule: a factor on the limits, as a schedule over steps.
        start: first step that is clipped, counted from 0; integer >= 0.
        stop: first step that is no longer clipped; integer > `start`, or `None`.
        optimizer: the optimizer that counts the steps, if a custom training step uses
            another one than the model's; `None` is the model's.

    Raises:
        TypeError: if none or several of `low`/`high`, `max_norm` and `spectral_norm`
            are given, or an argument has a wrong type.
        ValueError: if an argument is out of range; in `fit`, if no weight matches, or
            another callback clips the same weights.

    Source:
        Arjovsky, Chintala and Bottou, 2017, arXiv:1701.07875, Algorithm 1, for `low`
        and `high`; Srebro and Shraibman, 2005, for `max_norm`; Gouk et al., 2018,
        arXiv:1804.04368, for `spectral_norm`.

    Example:
        >>> import numpy as np
        >>> dense = keras.layers.Dense(1, use_bias=False)
        >>> model = keras.Sequential([keras.Input((3,)), dense])
        >>> model.compile("sgd", loss="mse")
        >>> x, y = np.ones((4, 3)), 99 * np.ones((4, 1))
        >>> clipping = WeightClipping(low=-0.01, high=0.01)
        >>> history = model.fit(x, y, verbose=0, callbacks=[clipping])
        >>> round(float(model.get_weights()[0].max()), 6)
        0.01
    """

    hints = {
        "min_value": "Write `low`.",
        "max_value": "Write `high`.",
        "clip_value": "Write `low` and `high`.",
        "value": "Write `low` and `high`.",
        "norm": "Write `max_norm`.",
        "skip_layers": "Write `skip`: globs on the paths of weights.",
    }
    useless = "`start`, `stop` and `schedule` remain at step 0"

    def __init__(
        self,
        *,
        low: float | None = None,
        high: float | None = None,
        max_norm: float | None = None,
        spectral_norm: float | None = None,
        match: str | Sequence[str] = "*",
        skip: str | Sequence[str] = (),
        schedule: LearningRateSchedule | None = None,
        start: int = 0,
        stop: int | None = None,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        super().__init__(every=None, optimizer=optimizer)
        kinds = ("low", "high", "max_norm", "spectral_norm")
        given = zip(kinds, (low, high, max_norm, spectral_norm), strict=True)
        self.limits = _check_limits(dict(given))
        self.match, self.skip = globs("match", match), globs("skip", skip)
        self.schedule = optional_schedule(schedule, "the limits")
        self.start = number("start", start, ">= 0", "first step", integer=True)
        after, doc = f"> {self.start}", "step of the end"
        self.stop = optional_number("stop", stop, after, doc, integer=True)
        self._counts = bool(self.start or self.stop or self.schedule)
        self._before: list[tuple[keras.Variable, Any]] = []
        self._drift: Any = None

    def driven_values(self) -> dict[str, float]:
        """Return the limits at the next step."""
        factor = 1.0
        if self.schedule is not None:
            value = self.scheduled(self.schedule, self.updates)
            factor = float(ops.convert_to_numpy(value))
        globs = [self.match] if isinstance(self.match, str) else self.match
        which = "" if self.match == "*" else f" of {', '.join(globs)}"
        limits = self.limits.items()
        return {f"WeightClipping.{k}{which}": factor * v for k, v in limits}

    def drives(self) -> set[tuple[int, str]]:
        """Return the limits; another callback must not set them on the same weights."""
        return {(0, name) for name in self.driven_values()}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Set the projections as constraints of the weights; retrace the step."""
        super().on_train_begin(logs)
        if self.trains_without_steps or (self._counts and self.optimizer is None):
            raise ValueError(
                "WeightClipping needs an optimizer that takes steps. Received: a "
                "training without one. Pass the optimizer that trains by `optimizer=`, "
                "or leave the callback out."
            )
        if self.schedule is not None:
            self.announce(self.schedule)
        self._count()
        build_for_fit(self.model)
        for variable in self._found():
            self._before.append((variable, variable.constraint))
            variable.constraint = self._constraint(variable.constraint)
        retrace(self.model, "train")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Update the step count of a stock optimizer."""
        super().on_epoch_begin(epoch, logs)
        self._count()

    def warn_of_no_step(self) -> None:
        """Warn if the limits depend on the step, and the optimizer takes none."""
        if self._counts:
            super().warn_of_no_step()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Restore the layers' own constraints."""
        self._end()

    def on_train_interrupted(self) -> None:
        """Restore the layers' own constraints."""
        self._end()

    def _end(self) -> None:
        for variable, constraint in self._before:
            variable.constraint = constraint
        if self._before:
            retrace(self.model, "train")
        self._before = []

    def _count(self) -> None:
        """Store by how much a stock optimizer's counter is ahead of its steps.

        On TensorFlow the counter also counts the ends of datasets of unknown length.
        """
        if self._counts and self.our_optimizer is None and _DRIFTS:
            if self._drift is None:
                self._drift = keras.Variable(0, dtype="int64", trainable=False)
            counted = int(ops.convert_to_numpy(self._counting.iterations))
            self._drift.assign(counted - self.step)

    @property
    def _counting(self) -> Any:
        """The optimizer that counts the steps."""
        return inner_optimizer(self.optimizer)

    def _found(self) -> list[keras.Variable]:
        variables = self.model.trainable_variables
        found = [
            v
            for v in variables
            if path_matches(path_of(v), self.match)
            and not path_matches(path_of(v), self.skip)
        ]
        if not variables:
            raise ValueError(
                "WeightClipping needs a model with trainable weights. Received: "
                f"{self.model!r}. Build it first, with an Input layer or model.build."
            )
        if not found:
            paths = "\n  ".join(map(path_of, variables))
            raise ValueError(
                "WeightClipping must match a trainable weight. Received: "
                f"match={shown(self.match)}, skip={shown(self.skip)}. The weights "
                f"are:\n  {paths}"
            )
        return found

    def _constraint(self, own: Callable[[Tensor], Tensor] | None) -> Any:
        """Return the projection, as a constraint that Keras applies after each step."""
        optimizer = self._counting if self._counts else None

        def constraint(w: Tensor) -> Tensor:
            w = ops.convert_to_tensor(w if own is None else own(w))
            if optimizer is None:
                limits = {k: ops.cast(v, w.dtype) for k, v in self.limits.items()}
                return _project(w, limits)
            step = self._step(optimizer)
            given = self.schedule
            factor = 1.0 if given is None else self.scheduled(given, step)
            limits = {k: ops.cast(v * factor, w.dtype) for k, v in self.limits.items()}
            clipped = step >= self.start
            if self.stop is not None:
                clipped = ops.logical_and(clipped, step < self.stop)
            return ops.where(clipped, _project(w, limits), w)

        return constraint

    def _step(self, optimizer: Any) -> Tensor:
        """Return the number of the step that ends here, counted from 0."""
        ours = find_optimizer(optimizer)
        if ours is not None:  # it has counted this step already
            return ops.maximum(ops.convert_to_tensor(ours.updates) - 1, 0)
        step = ops.convert_to_tensor(optimizer.iterations)
        if self._drift is None:
            return step
        return step - ops.cast(self._drift, step.dtype)


def _project(w: Tensor, limits: dict[str, Tensor]) -> Tensor:
    if "max_norm" in limits:
        inputs = list(range(len(w.shape) - 1)) or None
        return project_norm(w, limits["max_norm"], inputs)
    if "spectral_norm" in limits:
        return project_spectrum(w, limits["spectral_norm"])
    return clip_value(w, limits.get("low", -math.inf), limits.get("high", math.inf))


def _check_limits(limits: dict[str, float | None]) -> dict[str, float]:
    """Return the given limits; raise unless they are of one kind."""
    given = {
        k: number(k, v, "> 0" if "norm" in k else "(-inf, inf)", "limit of the weights")
        for k, v in limits.items()
        if v is not None
    }
    if len({"entry" if k in ("low", "high") else k for k in given}) != 1:
        received = ", ".join(f"{k}={v!r}" for k, v in given.items()) or "none"
        raise TypeError(
            "WeightClipping takes limits of one kind: `low` or `high` or both, or "
            f"`max_norm`, or `spectral_norm`. Received: {received}"
        )
    if given.get("low", -math.inf) > given.get("high", math.inf):
        raise ValueError(
            "`low` must not be above `high`. "
            f"Received: low={given['low']}, high={given['high']}"
        )
    return given
