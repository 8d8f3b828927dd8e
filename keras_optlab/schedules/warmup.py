"""Linear warm-up in front of another schedule."""

from __future__ import annotations

from typing import Any

from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.ends import end_of
from keras_optlab.core.errors import shown
from keras_optlab.core.spans import Span, at_least_one, needs_span, over
from keras_optlab.core.values import Values
from keras_optlab.schedules.arguments import rate, steps
from keras_optlab.schedules.base import Timed, horizon_of, value_of
from keras_optlab.schedules.curves import shares, since


class Warmup(Timed):
    """A linear rise from `initial` to the first value of `schedule`, then `schedule`.

        value(t) = initial + (schedule(0) - initial) · t / steps    for t < steps
        value(t) = schedule(t - steps)                              for t >= steps

    The wrapped schedule counts its steps from the end of the warm-up, so the whole
    takes `steps` updates more than the wrapped schedule alone.

    Equal to the `warmup_target` and `warmup_steps` of Keras' `CosineDecay`, and to
    `optax.join_schedules([linear_schedule(initial, schedule(0), steps), schedule],
    [steps])`, which includes `optax.warmup_constant_schedule`,
    `warmup_cosine_decay_schedule` and `warmup_exponential_decay_schedule`. The
    `decay_steps` of the second includes the warm-up.

    Args:
        schedule: Schedule after the warm-up, of this package or of Keras, or a constant
            value, finite and >= 0.
        steps: Length of the warm-up in updates; integer > 0, or a share of the training
            in (0, 1). Or use the keyword `epochs`, > 0, alone or with
            `steps_per_epoch`, integer > 0. Defaults to the whole training if `schedule`
            is a number; required otherwise.
        initial: Value at step 0; finite, >= 0. Defaults to 0, so the first update
            changes no weight.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour",
        2017, arXiv:1706.02677, section 2.2.

    Example:
        >>> Warmup(0.1, steps=4).values(6)
        array([0.   , 0.025, 0.05 , 0.075, 0.1  , 0.1  ])
        >>> from keras_optlab.schedules import Cosine
        >>> Warmup(Cosine(0.1, steps=2), steps=2).values(5).round(4)
        array([0.  , 0.05, 0.1 , 0.05, 0.  ])
    """

    integer_steps = True
    between_rates = True

    schedule: float | LearningRateSchedule = rate("after the warm-up", or_schedule=True)
    steps: float = steps("length of the warm-up")
    initial: float = rate("value at step 0", default=0.0)

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return a checked value for every field."""
        values = super().bind(*args, **kwargs)
        alone = isinstance(values.schedule, float)
        if values.steps is None and values.epochs is None and not alone:
            raise TypeError(
                "A warm-up with a schedule after it must have a length. Received: "
                f"schedule={shown(values.schedule)} alone. Pass `steps`, such as "
                "`steps=0.05` for 5% of the training."
            )
        return values

    def lengths(self, span: Span, rest: Any) -> dict[str, Any]:
        """Return the arguments that depend on the training, with their values in it."""
        steps = span.length(self._values.steps, self._values.epochs, rest)
        after = over(self._values.schedule, span, at_least_one(rest - steps))
        return {"schedule": after, "steps": steps, "epochs": None}

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        following = value_of(self.schedule, since(self.steps, step, ops), ops)
        remaining, elapsed = shares(0, self.steps, step, ops)
        return self.initial * remaining + following * elapsed

    @property
    def end(self) -> int | None:
        """First step of the constant final value, or `None`."""
        end = None if needs_span(self) else end_of(self.schedule)
        return None if end is None else int(self.steps) + end

    @property
    def _horizon(self) -> int:
        return int(self.steps) + horizon_of(self.schedule)
