"""What to do about accidents that follow each other: ever more."""

from __future__ import annotations

from enum import Enum


class Action(Enum):
    """What to do about an accident.

    Each does what those before it do, too.
    """

    SKIP = "skip"
    LOWER = "lower"
    ROLL_BACK = "roll back"
    GIVE_UP = "give up"


class Stages:
    """The stage of a series of accidents.

    An accident that comes more than `memory` steps after the last one begins a new
    series. The first of a series is skipped, the second also lowers the rate, and all
    others roll back. After `max_rollbacks` rollbacks in all, the next one gives up.

    After `recovery` steps without an accident, one reduction of the rate is taken back,
    as dynamic loss scaling does with its scale (Micikevicius et al., 2018).

    Args:
        memory: Steps.
        max_rollbacks: Number of rollbacks, >= 0.
        recovery: Steps.
        lowers: Whether the rate may be lowered; otherwise that stage is left out.

    Attributes:
        rollbacks: Number of rollbacks so far.
        lowered: Number of reductions of the rate that have not been taken back.

    >>> stages = Stages(memory=40, max_rollbacks=1, recovery=1000)
    >>> [stages.accident(step).value for step in (500, 510, 520, 530)]
    ['skip', 'lower', 'roll back', 'give up']
    """

    def __init__(
        self, memory: int, max_rollbacks: int, recovery: int, lowers: bool = True
    ) -> None:
        self.memory, self.max_rollbacks = memory, max_rollbacks
        self.recovery, self.lowers = recovery, lowers
        self.rollbacks = self.lowered = 0
        self._series = 0  # accidents in this series
        self._last = self._quiet_since = 0

    @property
    def state(self) -> dict[str, int]:
        """What it knows, without its arguments."""
        names = "rollbacks", "lowered", "_series", "_last", "_quiet_since"
        return {name: getattr(self, name) for name in names}

    def restore(self, state: dict[str, int]) -> None:
        """Go on from the `state` of another one."""
        vars(self).update(state)

    def accident(self, step: int, harmless: bool = False) -> Action:
        """Return what to do about an accident at a step.

        Args:
            step: The step.
            harmless: Whether bad data are the cause, and the step was not applied.
        """
        if harmless:
            return Action.SKIP
        self._series = 1 if step - self._last > self.memory else self._series + 1
        self._series = max(self._series, 1)
        self._last = self._quiet_since = step
        stage = self._series if self.lowers or self._series == 1 else self._series + 1
        if stage == 1:
            return Action.SKIP
        if stage == 2:
            self.lowered += 1
            return Action.LOWER
        if self.rollbacks >= self.max_rollbacks:
            return Action.GIVE_UP
        self.rollbacks += 1
        return Action.ROLL_BACK

    def recovers(self, step: int) -> bool:
        """Return whether to take back a reduction of the rate at a step."""
        due = self.lowered > 0 and step - self._quiet_since >= self.recovery
        if due:
            self.lowered -= 1
            self._quiet_since = step
        return due
