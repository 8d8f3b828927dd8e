"""A training at one moment, as it is saved and put back."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from keras_optlab._version import __version__
from keras_optlab.engine import (
    FitBatches,
    TrainingState,
    build_for,
    layout_of,
    read_state,
    write_state,
)
from keras_optlab.resuming.differences import (
    layout_differences,
    optimizer_differences,
    setting_differences,
)
from keras_optlab.resuming.object_states import set_state_of, settings_of, state_of

Arrays = dict[str, np.ndarray]
Key = tuple[str, int]  # class and number among those of its class


@dataclass
class SavedTraining:
    """A training at one moment.

    Attributes:
        epoch: The epoch to go on with, from 0.
        batch: The number of its batches that were trained on.
        stopped: Whether a callback has stopped the training.
        made_by: The backend, and versions.
        training: The state of model and optimizers.
        data: What determines the batches of an epoch.
        position: Where the batches are.
        callbacks: The states of the callbacks.
        settings: The configuration of the callbacks.
    """

    epoch: int
    batch: int
    stopped: bool
    made_by: dict[str, str]
    training: TrainingState
    data: dict[str, Any]
    position: dict[str, Any]
    callbacks: dict[Key, Any]
    settings: dict[Key, dict[str, Any]]

    @property
    def name(self) -> str:
        """The name of the checkpoint; a later moment has a later name."""
        return f"epoch-{self.epoch:06d}-batch-{self.batch:09d}"


@dataclass
class RunningFit:
    """What a `fit` consists of.

    Attributes:
        model: The model.
        callbacks: All callbacks of the `fit` whose states are saved.
        batches: The training batches.
        first: The attributes of each callback before the `fit`.
        configs: The configurations of the optimizers before the `fit`.
    """

    model: Any
    callbacks: Sequence[Any]
    batches: FitBatches
    first: list[dict[str, Any]]
    configs: list[dict[str, Any]]

    def save(self, epoch: int, batch: int) -> SavedTraining:
        """Return the training at this moment."""
        keys = _keys(self.callbacks)
        rows = list(zip(keys, self.callbacks, self.first, strict=True))
        return SavedTraining(
            epoch,
            batch,
            bool(self.model.stop_training),
            made_by(),
            read_state(self.model, self.configs),
            self.batches.description,
            self.batches.position(batch),
            {k: state_of(c, first) for k, c, first in rows},
            {k: settings_of(type(c), first) for k, c, first in rows},
        )

    def check(self, saved: SavedTraining) -> None:
        """Raise, or warn, if another training was saved.

        Raises:
            ValueError: if model, optimizer or data differ so that it cannot go on.
        """
        if saved.made_by["backend"] != keras.backend.backend():
            _refuse(
                "backend", f"{keras.backend.backend()}, not", saved.made_by["backend"]
            )
        before = [x["config"] for x in saved.training.optimizers]
        differs = optimizer_differences(before, self.configs)
        if differs:
            _refuse("optimizer", differs)
        data = setting_differences(saved.data, self.batches.description)
        if data and (saved.batch or saved.position["inside"]):
            _refuse("data", "; ".join(data))
        found = [f"data: {x}" for x in data]
        for one, now in zip(before, self.configs, strict=True):
            found += [f"{now['class']}: {x}" for x in setting_differences(one, now)]
        found += self._other_callbacks(saved)
        if found:
            warnings.warn(
                "Resume: this training differs from the saved one: "
                f"{'; '.join(found)}. Saved values of the optimizer and of the "
                "callbacks' state go on; new settings of callbacks are used.",
                stacklevel=2,
            )

    def build(self, saved: SavedTraining) -> None:
        """Create all variables of the saved training.

        Raises:
            ValueError: if the model or the optimizer has other variables.
        """
        build_for(self.model, saved.training, self.batches.example)
        now = layout_of(self.model)
        differs = layout_differences(saved.training.layout, now)
        if differs:
            _refuse("model or optimizer", differs)

    def write_variables(self, saved: SavedTraining) -> None:
        """Write the values of all variables."""
        write_state(self.model, saved.training)
        self.model.stop_training = saved.stopped

    def write_callbacks(self, saved: SavedTraining) -> None:
        """Write the states of the callbacks."""
        for key, callback in zip(_keys(self.callbacks), self.callbacks, strict=True):
            if key in saved.callbacks:
                set_state_of(callback, saved.callbacks[key])

    def _other_callbacks(self, saved: SavedTraining) -> list[str]:
        keys = _keys(self.callbacks)
        found = [f"{k[0]} is new" for k in keys if k not in saved.callbacks]
        found += [f"{k[0]} is missing" for k in saved.callbacks if k not in keys]
        for key, callback, first in zip(keys, self.callbacks, self.first, strict=True):
            now = settings_of(type(callback), first)
            new = setting_differences(saved.settings.get(key, {}), now)
            found += [f"{key[0]}: {x}" for x in new]
        return found


def made_by() -> dict[str, str]:
    """Return the backend and the versions that train."""
    versions = {"keras": keras.__version__, "keras_optlab": __version__}
    return {"backend": keras.backend.backend(), **versions}


def without_arrays(saved: SavedTraining) -> tuple[SavedTraining, Arrays]:
    """Return a saved training without its arrays, and these by name."""
    arrays = saved.training.arrays
    named = {f"{kind}|{i}": x for kind, xs in arrays.items() for i, x in enumerate(xs)}
    return replace(saved, training=replace(saved.training, arrays={})), named


def with_arrays(saved: SavedTraining, named: Arrays) -> SavedTraining:
    """Undo `without_arrays`."""
    arrays = {
        kind: [named[f"{kind}|{i}"] for i in range(len(entries))]
        for kind, entries in saved.training.layout.items()
    }
    return replace(saved, training=replace(saved.training, arrays=arrays))


def _keys(callbacks: Sequence[Any]) -> list[Key]:
    counts: Counter[str] = Counter()
    keys = []
    for callback in callbacks:
        name = type(callback).__name__
        keys.append((name, counts[name]))
        counts[name] += 1
    return keys


def _refuse(what: str, *differs: str) -> None:
    raise ValueError(
        f"The training cannot go on with another {what}. Received: "
        f"{' '.join(differs)}. Undo the change, or pass another directory to begin "
        "anew."
    )
