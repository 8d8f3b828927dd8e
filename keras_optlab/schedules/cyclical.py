"""Cyclical rates."""

from __future__ import annotations

from typing import Any

from keras_optlab.core import Choice, Hyper
from keras_optlab.core.errors import shown
from keras_optlab.core.values import Values
from keras_optlab.schedules.arguments import rate, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import as_float, periods, power, shares


class Cyclical(Timed):
    """Repeated linear cycles from `initial` up to `peak` and back.

        value(t) = initial + (peak - initial) · triangle(t) · height(t)

    The triangle is 0 at the start of a cycle and 1 in its middle. The height is 1 with
    mode "triangular", halved after each cycle with "triangular2", and gamma^t with
    "exp_range". With `peak < initial` each cycle goes down first, for example for a
    momentum that is cycled opposite to the learning rate.

    Equal to torch's `CyclicLR(base_lr=initial, max_lr=peak, step_size_up=steps / 2,
    mode=mode, gamma=gamma)`. The step size of torch and of the paper is half a cycle.
    Neither Keras nor optax has it.

    Args:
        initial: Value at the start of a cycle; finite, >= 0.
        peak: Value in the middle of the first cycle; finite, >= 0.
        steps: Length of a cycle in updates; integer > 0, or a share of the training in
            (0, 1). If it is odd, the peak lies between two steps. Or use the keyword
            `epochs`, > 0, alone or with `steps_per_epoch`, integer > 0. Defaults to the
            whole training.
        mode: "triangular", "triangular2" or "exp_range". Defaults to "triangular".
        gamma: Factor on the height per update, in (0, 1]; required by mode "exp_range"
            and refused by the others.

    Raises:
        ValueError: if an argument is out of range, or `gamma` does not go with `mode`.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
        arXiv:1506.01186, section 3. There "exp_range" lowers both bounds, here and in
        torch only the upper one.

    Example:
        >>> Cyclical(0.1, 0.5, steps=4).values(7)
        array([0.1, 0.3, 0.5, 0.3, 0.1, 0.3, 0.5])
        >>> Cyclical(0.1, 0.5, steps=4, mode="triangular2").values(7)
        array([0.1, 0.3, 0.5, 0.3, 0.1, 0.2, 0.3])
    """

    integer_steps = True
    between_rates = True

    initial: float = rate("value at the start of a cycle")
    peak: float = rate("value in the middle of the first cycle")
    steps: float = steps("length of a cycle")
    mode: str = Choice(
        default="triangular",
        doc="how the height changes",
        choices=("triangular", "triangular2", "exp_range"),
    )
    gamma: float | None = Hyper(
        default=None,
        doc="factor on the height per update",
        within="(0, 1]",
        adjustable=False,
    )

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return a checked value for every field."""
        values = super().bind(*args, **kwargs)
        if (values.gamma is None) == (values.mode == "exp_range"):
            raise ValueError(
                '`gamma` must be given with mode "exp_range" and with no other mode. '
                f"Received: gamma={shown(values.gamma)} with mode={shown(values.mode)}"
            )
        return values

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        cycle, position = periods(self.steps, step, ops)
        below, up = shares(0, self.steps / 2, position, ops)
        down, fallen = shares(self.steps / 2, self.steps, position, ops)
        wave = self.initial * (below + fallen) + self.peak * (up * down)
        height = self.height(step, cycle, ops)
        return self.initial * (1.0 - height) + wave * height

    def height(self, step: Any, cycle: Any, ops: Any) -> Any:
        """Return the height of the triangle, which starts at 1."""
        if self.gamma is not None:
            return power(self.gamma, as_float(step, ops), ops)
        return 0.5**cycle if self.mode == "triangular2" else 1.0

    @property
    def _horizon(self) -> int:
        return int(4 * self.steps)
