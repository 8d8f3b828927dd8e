"""A growing batch in place of a falling learning rate."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.callbacks.base.batch_stages import (
    Stage,
    StagedValue,
    batch_at,
    stages_of,
    values_at_updates,
)
from keras_optlab.callbacks.base.step import StepCallback
from keras_optlab.core.arguments import number, optional_number
from keras_optlab.core.ends import end_of
from keras_optlab.core.errors import shown
from keras_optlab.core.registry import twin_of
from keras_optlab.core.retrace import retrace
from keras_optlab.core.spans import Span, needs_span, over
from keras_optlab.engine import Optimizer, fit_arguments, fit_length
from keras_optlab.engine.backend.trainer_adapter import first_epoch

NAMES = "accumulation_steps", "learning_rate"
LONG = 2**20  # updates, of a schedule without an end in a training of unknown length


class BatchRamp(StepCallback):
    r"""A ramp of the batch: twice the batch where a schedule would halve the rate.

    For a schedule with values $s_i$, where update $i$ has $k_0$ micro-batches, let $p$
    be its largest value, and $n$ the number of times that $p$ has to be divided by the
    factor $\alpha$ to reach $s_i$, rounded down. From the update with the value $p$ on,

    $$k = \alpha^n k_0, \qquad
      \eta = \alpha^{-n} p \sqrt{k / k_0} = \alpha^{-n / 2} p .$$

    So with $\alpha = 2$, where the schedule has fallen to a half of the last such
    value, the window of `MultiSteps` doubles and the rate is divided by $\sqrt 2$.
    Before (in the warm-up) the rate follows the schedule.

    The schedule's updates count the data: update $i$ is micro-batch $i k_0$, whatever
    the window is now. So the same data make fewer updates. A window is no longer than
    the rest of the data. At `max_accumulation_steps` the batch stops growing, and the
    rate falls by $\alpha$ instead.

    The values are part of the compiled step and are exact with any
    `steps_per_execution`; a new window needs no new trace. After `fit`, the window and
    the rate have the values of the optimizer's constructor again. In a second `fit`, a
    schedule with a length continues at the optimizer's number of updates.

    Args:
        schedule: the schedule of the learning rate with a constant window, such as
            `Cosine(1e-3)`. Without a length of its own, it spans the `fit`.
        max_accumulation_steps: largest window, integer >= the first one, or `None`.
            Beyond the critical batch size, larger batches do not help.
        factor: $\alpha$ > 1. A smaller one follows the schedule more closely.
        optimizer: the optimizer that trains, if a custom training step uses another one
            than the model's; `None` is the model's.

    Attributes:
        stages: in `fit`, the list of stages, each with its first `update` and `batch`
            (a micro-batch), its `accumulation_steps` and its `learning_rate`.

    Raises:
        TypeError: if an argument has a wrong type; in `fit`, if the optimizer is not a
            `MultiSteps`, with the line to write.
        ValueError: if a number is out of range; in `fit`, if `MultiSteps` or the inner
            optimizer has a schedule, or the length of the training is not known.

    Warns:
        UserWarning: once, if the optimizer takes no step in an epoch.

    Source:
        Meterez, Morwani, Wu, Oncescu, Pehlevan and Kakade, 2025, arXiv:2510.14717,
        Seesaw, for Adam. For SGD see Smith, Kindermans, Ying and Le, 2017,
        arXiv:1711.00489, who leave the rate constant.

    Example:
        >>> from keras_optlab import optimizers, schedules
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> adam = optimizers.Adam(1e-3)
        >>> model.compile(optimizers.MultiSteps(adam, accumulation_steps=1), "mse")
        >>> ramp = BatchRamp(schedules.Cosine(1e-3))
        >>> x = np.ones((64, 3))
        >>> history = model.fit(x, x[:, :1], 1, verbose=0, callbacks=[ramp])
        >>> [(s.batch, s.accumulation_steps, round(s.learning_rate, 6))
        ...     for s in ramp.stages[:3]]
        [(0, 1, 0.001), (32, 2, 0.000707), (42, 4, 0.0005)]
    """

    useless = "its window and its rate change nothing"
    hints = {
        "learning_rate": "Write `schedule`.",
        "max_steps": "Write `max_accumulation_steps`.",
        "max_batch_size": "Write `max_accumulation_steps`, in micro-batches.",
        "alpha": "Write `factor`.",
    }

    def __init__(
        self,
        schedule: LearningRateSchedule,
        *,
        max_accumulation_steps: int | None = None,
        factor: float = 2.0,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        super().__init__(every=None, optimizer=optimizer)
        if not isinstance(schedule, LearningRateSchedule):
            raise TypeError(
                "`schedule` must be a schedule of the learning rate. "
                f"Received: schedule={shown(schedule)}"
            )
        self.schedule = schedule
        self.max_accumulation_steps = optional_number(
            "max_accumulation_steps",
            max_accumulation_steps,
            ">= 1",
            "largest window",
            integer=True,
        )
        self.factor = number("factor", factor, "> 1", "ratio of two windows")
        self.stages: list[Stage] = []
        self._driven: list[str] = []
        self._over: tuple[int, int | None, int] | None = None

    def driven_values(self) -> dict[str, float]:
        """Return the window and the rate of the next update."""
        ours = self.our_optimizer
        known = [n for n in NAMES if ours is not None and n in ours.fields]
        return {name: float(ours.current(name)) for name in known}  # type: ignore[union-attr]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Compute the stages, and have them drive the optimizer."""
        super().on_train_begin(logs)
        ours = self._multi_steps()
        self.announce(self.schedule)
        window = int(ours.current("accumulation_steps"))
        limit = self.max_accumulation_steps
        if limit is not None and limit < window:
            raise ValueError(
                "`max_accumulation_steps` must not be below the window of MultiSteps, "
                f"{window}. Received: max_accumulation_steps={limit}"
            )
        self._begin(*self._training(ours, window))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Give the window and the rate their own values back."""
        self._end()

    def on_train_interrupted(self) -> None:
        """Give the window and the rate their own values back."""
        self._end()

    def get_state(self) -> dict[str, Any]:
        """Return the training that the stages are for."""
        return {"training": self._over}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue the stages of an interrupted training; called in `fit`."""
        self._end()
        self._begin(*state["training"])

    def _begin(self, first: int, batches: int | None, epochs: int) -> None:
        """Have the stages of a training drive the optimizer.

        Args:
            first: The update at which it begins.
            batches: All its micro-batches; `None` if the schedule has an end.
            epochs: Its number of epochs.
        """
        ours, schedule = self.required_optimizer, self.schedule
        window = int(ours.current("accumulation_steps"))
        if needs_span(schedule) and batches is not None:
            whole = Span(0, max(-(-batches // window), 1), max(epochs, 1))
            schedule = over(schedule, whole, whole.last)
        values, self.stages = self._stages(schedule, window, batches)
        warm_up = schedule if np.argmax(values) else None
        for name, rising in zip(NAMES, (None, warm_up), strict=True):
            ours.drive(name, StagedValue(self.stages, name, first, rising))
            self._driven.append(name)
        self._over = first, batches, epochs
        retrace(self.model, "train")

    def _end(self) -> None:
        driven, self._driven = self._driven, []
        for name in driven:
            self.required_optimizer.release(name)
        if driven:
            retrace(self.model, "train")

    def _multi_steps(self) -> Optimizer:
        """Return the optimizer if its window and rate can be driven."""
        ours = self.our_optimizer
        if ours is None or "accumulation_steps" not in ours.fields:
            raise TypeError(
                "BatchRamp drives `accumulation_steps` of MultiSteps. "
                f"Received: optimizer={shown(self.optimizer)}. Write:\n"
                f"  {_line(self.optimizer, ours)}"
            )
        values = {"accumulation_steps": ours.scalars.values["accumulation_steps"]}
        values["learning_rate"] = ours.rate.source
        for name, value in values.items():
            if not isinstance(value, int | float | keras.Variable):
                raise ValueError(
                    f"BatchRamp drives `{name}`, which must be a number. "
                    f"Received: {name}={value!r} in {ours!r}. Give the schedule of the "
                    "rate to BatchRamp, and numbers to the optimizer."
                )
        return ours

    def _training(self, ours: Any, window: int) -> tuple[int, int | None, int]:
        """Return the first update, all micro-batches, and the number of epochs.

        The number of micro-batches is `None` if the schedule has an end.
        """
        schedule, length, told = self.schedule, fit_length(), fit_arguments()
        begin = first_epoch(self.model, told) if told else 0
        epochs = told.get("epochs", 1) - begin
        if not needs_span(schedule):
            if end_of(schedule) is not None:
                return 0, None, epochs
            known = length and length.batches(epochs)
            if known is None and hasattr(schedule, "formula"):
                known = LONG * window
            return 0, self._ahead(schedule, window, self._known(known)), epochs
        step, span = self.updates, ours.training_span
        if not (span.covers(step) and (span.by_hand or begin > 0)):
            return step, self._known(length and length.batches(epochs)), epochs
        now = ours.moment(step).span
        if span.by_hand:
            return now.begin, now.updates * window, now.epochs
        return now.begin, self._known(length and length.batches(now.epochs)), now.epochs

    def _known(self, batches: int | None) -> int:
        """Return the number of batches; raise if it is not known."""
        if batches is None:
            raise ValueError(
                "BatchRamp needs the number of batches of the training, or a schedule "
                f"with an end. Received: {self.schedule!r}, and data of unknown "
                "length. Pass `steps_per_epoch` to `fit`, or `steps` to the schedule."
            )
        return batches

    def _ahead(self, schedule: Any, window: int, batches: int) -> int:
        """Return all micro-batches, if this `fit` goes on with a ramp."""
        step, ahead = self.updates, batches
        while True:
            _, stages = self._stages(schedule, window, ahead)
            if (needed := batch_at(stages, step) + batches) <= ahead:
                return ahead
            ahead = needed

    def _stages(
        self, schedule: Any, window: int, batches: int | None
    ) -> tuple[np.ndarray, list[Stage]]:
        """Return the values of the schedule with a constant window, and the stages."""
        how = self.factor, self.max_accumulation_steps
        if batches is None:
            end = max(end_of(schedule) or 0, 1)
            *values, last = values_at_updates(schedule, end + 1)
            values = np.array(values)
            return values, stages_of(values, window, *how, final=float(last))
        values = values_at_updates(schedule, max(-(-batches // window), 1))
        return values, stages_of(values, window, *how, batches=batches)


def _line(optimizer: Any, ours: Optimizer | None) -> str:
    """Return the line that makes the optimizer one that BatchRamp can drive."""
    steps = getattr(optimizer, "gradient_accumulation_steps", None) or 1
    if ours is None:
        twin = twin_of(type(optimizer).__name__)
        rate = keras.ops.convert_to_numpy(getattr(optimizer, "learning_rate", 1e-3))
        inner = f"optimizers.{twin.__name__ if twin else 'Adam'}({float(rate):g})"
    else:
        rate = ours.current("learning_rate")
        inner = f"optimizers.{ours!r}".replace(repr(ours.rate.source), f"{rate:g}")
        inner = re.sub(r"(, )?gradient_accumulation_steps=\d+", "", inner)
    return f"optimizers.MultiSteps({inner}, accumulation_steps={steps})"
