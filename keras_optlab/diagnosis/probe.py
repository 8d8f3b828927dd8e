"""A short training of a user's model, which is left as it was."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.core.arguments import number, optional_steps
from keras_optlab.core.errors import in_words
from keras_optlab.diagnosis.probed_data import facts_of_data, first_outputs
from keras_optlab.diagnosis.record import Curve, Record, Rerun
from keras_optlab.diagnosis.rules.rate import factors_to_try
from keras_optlab.diagnosis.setting import path_of, schedule_points, setting_of
from keras_optlab.engine.backend.batch_gradients import BatchGradients
from keras_optlab.engine.backend.datasets import batches_again
from keras_optlab.engine.backend.keras_adapter import (
    inner_optimizer,
    optimizers_of,
    sublayers,
)
from keras_optlab.engine.backend.trainer_adapter import compiled_parts
from keras_optlab.engine.model.snapshot import Snapshot, state_kept
from keras_optlab.finders.data import check_arrays
from keras_optlab.finders.driven_value import RATE, find_value
from keras_optlab.finders.find_rate import build_model, check_model
from keras_optlab.finders.range_test import draw_from, full_batches

MEASURED = 12  # steps at which weights and gradients are measured
LAST = 16  # batches after the last step on which dead units are looked for
SPAN = 20  # times the probe: the training that a schedule without a length gets
WITH_UNITS = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D)
WITH_UNITS += (keras.layers.Conv3D,)

Batch = tuple[Any, Any, Any]


def probe(
    model: Any,
    x: Any = None,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps: int = 50,
    seed: int = 0,
) -> Record:
    """Train a compiled model for some steps, put it back, and return the record."""
    check_model("kol.diagnose", model)
    if x is None:
        raise ValueError(
            "`kol.diagnose` of a model needs data. Received: x=None. Write "
            "`kol.diagnose(model, x, y)`, or pass the History or Monitor of a training."
        )
    check_arrays("kol.diagnose", model, x, y, sample_weight)
    batch_size = optional_steps("batch_size", batch_size, "samples in a batch")
    steps = number("steps", steps, "[20, 10000]", "updates of the probe", integer=True)
    seed = number("seed", seed, f"[0, {2**31}]", "seed of the batches", integer=True)
    again = batches_again(x, y, sample_weight, batch_size)
    unbuild = compiled_parts(model)
    try:
        build_model("kol.diagnose", model, again, x)
        with state_kept(model, x) as snapshot:
            return _Probe(model, snapshot, again, steps, seed).record(x)
    finally:
        unbuild()


class _Probe:
    """The steps of one probe, within `state_kept`."""

    def __init__(
        self,
        model: Any,
        snapshot: Snapshot,
        batches: Callable[[], Iterator[Any]],
        steps: int,
        seed: int,
    ) -> None:
        self.model, self.snapshot, self.batches = model, snapshot, batches
        self.steps, self.seed = steps, seed
        self.optimizer = inner_optimizer(model.optimizer)
        window = getattr(self.optimizer, "gradient_accumulation_steps", None)
        self.window = window or 1
        self.points: dict[str, list[tuple[float, float]]] = {}
        self.seen: list[Batch] = []

    def record(self, data: Any) -> Record:
        """Return what was measured."""
        self.paths = [path_of(v, self.model) for v in self.model.trainable_variables]
        before = setting_of(self.model)
        self.clips = {} if before is None else before.clips
        gradients = self._gradients()
        draw_from(self.seed)
        first = first_outputs(self.model, self._next(full_batches(self.batches))[0][0])
        self.seen.clear()
        self.snapshot.put_back()
        draw_from(self.seed)
        self._span_schedules()
        losses = self._run(gradients)
        record = Record(
            source="probe",
            steps={tag: Curve.of(points) for tag, points in self.points.items()},
            losses=Curve.of(enumerate(losses, 1)),
            rate=Curve.of(schedule_points(self.model)),
            setting=setting_of(self.model),
            trained=self.steps * self.window,
            data=facts_of_data(self.model, data, self.seen, first),
        )
        reruns = tuple(self._reruns(factors_to_try(record)))
        return replace(record, reruns=reruns)

    def _run(self, gradients: BatchGradients | None) -> list[float]:
        """Train, and measure; return the loss of each step."""
        skipped_before = self._skipped()
        measured = set(np.linspace(0, self.steps - 1, MEASURED).astype(int).tolist())
        losses = []
        stream = full_batches(self.batches)
        for i in range(self.steps):
            batches = self._next(stream)
            if i not in measured:
                losses.append(self._train(batches))
                continue
            if gradients is not None:
                gradients = self._measure_gradient(gradients, batches[0], i + 1)
            weights = self._weights()
            losses.append(self._train(batches))
            self._measure_update(weights, i + 1)
        skipped = self._skipped() - skipped_before
        self._add("optimizer/skipped_steps", self.steps, skipped)
        if gradients is not None:
            self._find_dead_units(gradients, stream)
        return losses

    def _reruns(self, factors: tuple[float, ...]) -> Iterator[Rerun]:
        """Repeat the steps at other rates."""
        if not factors:
            return
        try:
            value = find_value(self.model, RATE)
        except ValueError:  # several optimizers
            return
        rate = float(np.mean(self._rates()))
        self.snapshot.put_back()
        self.snapshot.undo.append(value.end)
        value.begin(rate)
        self.model.train_function = None  # a schedule is no longer in the step
        for factor in factors:
            self.snapshot.put_back()
            draw_from(self.seed)
            self._span_schedules()
            value.set(rate * factor)
            stream = full_batches(self.batches)
            losses = [self._train(self._next(stream)) for _ in range(self.steps)]
            yield Rerun(factor, np.array(losses))

    def _rates(self) -> list[float]:
        """Return the rates of the steps of the probe."""
        points = schedule_points(self.model)[-self.steps :]
        return [v for _, v in points] or [
            float(ops.convert_to_numpy(self.optimizer.learning_rate))
        ]

    def _next(self, stream: Iterator[Any]) -> list[Batch]:
        batches = [
            keras.utils.unpack_x_y_sample_weight(batch)
            for batch in itertools.islice(stream, self.window)
        ]
        self.seen += batches if len(self.seen) < self.steps else []
        return batches

    def _train(self, batches: list[Batch]) -> float:
        total = 0.0
        for x, y, weight in batches:
            logs = self.model.train_on_batch(x, y, weight, return_dict=True)
            if "loss" not in logs:
                raise ValueError(
                    "`kol.diagnose` reads the loss that the model's `train_step` "
                    f"returns. Received: a step that returned {in_words(sorted(logs))}"
                )
            total += float(logs["loss"])
        return total / len(batches)

    def _gradients(self) -> BatchGradients | None:
        """Return the measurement of gradients; `None` if the loss is not known."""
        cls = type(self.model)
        own_step = cls.train_step is not keras.Model.train_step
        own_loss = cls.compute_loss is not keras.Model.compute_loss
        if (own_step and not own_loss) or not self.model.trainable_variables:
            return None
        self.units = _kernels(self.model)
        return BatchGradients(self.model, set(self.units))

    def _measure_gradient(
        self, gradients: BatchGradients, batch: Batch, step: int
    ) -> BatchGradients | None:
        """Measure; return `None` if the loss cannot be computed like this."""
        try:
            norms, _ = gradients(*batch)
        except Exception:  # whatever a user's model or a backend raises
            return None
        for path, norm in zip(self.paths, norms, strict=True):
            self._add(f"weight_gradient_norm/{path}", step, norm)
        total = float(np.linalg.norm(norms))
        self._add("optimizer/gradient_norm", step, total)
        clips = self.clips
        limit = clips.get("global_clipnorm")
        if limit is not None:
            self._add("optimizer/clipped_fraction", step, float(total > limit))
            self._add("optimizer/gradient_norm_clipped", step, min(total, limit))
        elif "clipnorm" in clips:
            kept = np.minimum(norms, clips["clipnorm"])
            self._add("optimizer/clipped_fraction", step, np.mean(kept < norms))
            self._add("optimizer/gradient_norm_clipped", step, np.linalg.norm(kept))
        return gradients

    def _measure_update(self, before: list[np.ndarray], step: int) -> None:
        for path, old, new in zip(self.paths, before, self._weights(), strict=True):
            size = float(np.linalg.norm(old))
            self._add(f"weight_norm/{path}", step, size)
            if size:
                ratio = float(np.linalg.norm(new - old)) / size
                self._add(f"update_ratio/{path}", step, ratio)

    def _find_dead_units(self, gradients: BatchGradients, stream: Any) -> None:
        alive: dict[int, np.ndarray] = {}
        for batch, *_ in (self._next(stream) for _ in range(LAST)):
            for i, largest in gradients(*batch)[1].items():
                alive[i] = alive.get(i, np.zeros(len(largest), bool)) | (largest != 0)
        for i, units in alive.items():
            self._add(
                f"weight_dead_units/{self.paths[i]}", self.steps, 1 - units.mean()
            )

    def _weights(self) -> list[np.ndarray]:
        return [
            np.asarray(ops.convert_to_numpy(v), "float64")
            for v in self.model.trainable_variables
        ]

    def _skipped(self) -> float:
        found = optimizers_of(self.model)
        return float(sum(int(ops.convert_to_numpy(x.skipped_steps)) for x in found))

    def _span_schedules(self) -> None:
        """Give schedules without a length a training that the probe begins."""
        for optimizer in optimizers_of(self.model):
            if optimizer.training_span.needing:
                optimizer.span(SPAN * self.steps, epochs=SPAN)

    def _add(self, tag: str, step: int, value: Any) -> None:
        self.points.setdefault(tag, []).append((step, float(value)))


def _kernels(model: Any) -> list[int]:
    """Return the kernels of layers with units, by `id`, without those of the output."""
    layers = [x for x in sublayers(model) if isinstance(x, WITH_UNITS)]
    kernels = [x.kernel for x in layers if getattr(x, "kernel", None) is not None]
    return [id(v) for v in kernels[:-1]]
