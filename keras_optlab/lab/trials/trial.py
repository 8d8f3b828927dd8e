"""`Trial`: one training of a study, and its record."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from keras_optlab.lab.trials.setting import Setting

PURPOSES = ("search", "confirm", "final")


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        problem: A reference to the problem, as `problems.find` takes.
        label: The candidate's.
        setting: The optimizer.
        index: Number of the setting among those of the candidate, from 0.
        seed: Seed of the weights and of the order of the batches.
        purpose: `"search"` for a setting, `"confirm"` of a good one with another seed,
            or `"final"`, with fresh seeds on the test data.
        changes: Fields of the problem that the study changes, such as `epochs`.
        stop_at_target: Whether to end when the target is reached.
        devices: Number of devices that share each batch; integer >= 1.
    """

    problem: str
    label: str
    setting: Setting
    index: int = 0
    seed: int = 0
    purpose: str = "search"
    changes: dict[str, Any] = field(default_factory=dict)
    stop_at_target: bool = False
    devices: int = 1

    @property
    def key(self) -> str:
        """What tells it from the other trials of the study."""
        return f"{self.label} {self.purpose} {self.index} seed {self.seed}"

    def as_dict(self) -> dict[str, Any]:
        """Return the trial as JSON values, with its key.

        Without the problem, which may be a path of this machine; the study names it.
        """
        values = {"key": self.key, **dataclasses.asdict(self)}
        del values["problem"]
        return values
