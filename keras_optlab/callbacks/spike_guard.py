"""Undoing of steps with a spike of the loss or of the gradient norm."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_optlab.callbacks.base.accident_watch import AccidentWatch
from keras_optlab.callbacks.base.adjustable_numbers import (
    RateScale,
    StockRate,
    required_rates,
)
from keras_optlab.callbacks.base.messages import print_message
from keras_optlab.callbacks.base.training_copies import Copy, TrainingCopies
from keras_optlab.core.arguments import metric_name, number, verbosity
from keras_optlab.engine.model.device_copy import optimizers_in
from keras_optlab.spikes import (
    Accident,
    Action,
    BatchLosses,
    Stages,
    non_finite_data,
    traced,
)
from keras_optlab.spikes.outliers import FEWEST

COUNTS = "accidents", "skipped", "undone", "lowered", "rollbacks"
ALTERNATIVE = ", or pass `rate_factor=1` to leave the rate alone"
LINES = 50  # printed at most
RECOVERY = 1000  # steps without an accident after which a reduction is taken back
TRACED = 3  # batches of a `fit` that are run again to find the first NaN


class SpikeGuard(AccidentWatch):
    r"""Undoes steps with a spike, lowers the rate, or goes back, before training fails.

    A step has an accident if its loss or the norm of its gradient is not finite, or is
    a spike: a robust z-score above `threshold`, and more than `min_ratio` times the
    median. With $u = \log x$ (or $x$ if the window has values <= 0),

        $z = (u - \operatorname{median}(u_i)) / (1.4826 \operatorname{MAD}(u_i))$

    over the last `window` steps without an accident. Before there are 20, a spike is
    more than 100 times the largest value so far. Where gradient norms are not known, as
    with a stock Keras optimizer, a weight that is not finite is an accident too.

    Every `every` steps the callback looks at the steps since the last time, and keeps a
    copy of weights, optimizer, averages, normalization statistics and metrics on the
    device. After an accident it does, in this order:

    1. **Skip** the step. With an optimizer of this package, a step whose gradient is a
       spike or not finite is not applied at all: the compiled step compares its norm
       with a limit. Otherwise (a spike of the loss alone, or a stock Keras optimizer)
       the newest copy from before the step is put back, which undoes up to
       2 * `every` steps.
    2. **Lower the rate** by `rate_factor`, if the next accident comes within
       2 * `every` steps. After 1000 steps without an accident, one reduction is taken
       back.
    3. **Roll back** to the oldest copy, if the next ones still come within
       2 * `every` steps.
    4. **Give up** instead of a rollback after `max_rollbacks`: training stops with
       `reason`, and the model has the weights of the oldest copy.

    Undone steps are as if they had not been: the optimizer's number of updates goes
    back too, so a schedule ends that much earlier on its curve. `Dropout`'s random
    numbers and the data go on. The means of the epoch leave the undone and skipped
    batches out.

    When a loss or gradient was not finite, the batch is run again, without effect on
    training, and the first of these that is not finite is named: the data (with feature
    and row), a weight, a layer's output, the loss, a weight's gradient. If the data
    are, and the step was not applied, the accident leads to no further stage.

    The loss of each batch comes from the means that Keras reports, without waiting for
    the device. Cost: one wait and one copy every `every` steps, and the check of the
    weights where it is made; memory for `keep`
    copies on the device, and for references to the last batches (at most 256 MiB).
    A batch of too large inputs makes no spike if a `BatchNormalization` follows before
    the loss: it rescales them, and its running statistics are then off.

    With `steps_per_execution` the loss of an execution is a mean over its steps, and
    its steps are undone together; gradient norms are still those of each step.

    Args:
        every: steps between two looks; integer >= 1.
        monitor: name of the loss as `fit` reports it.
        threshold: smallest robust z-score of a spike; > 0.
        min_ratio: smallest ratio of a spike to the median; >= 1.
        window: steps of the median; integer >= 20.
        keep: copies to keep; integer >= 1.
        rate_factor: what the rate is multiplied by; (0, 1]. 1 leaves the rate alone, so
            that another callback can drive it.
        max_rollbacks: rollbacks after which to give up; integer >= 0.
        verbose: 1 prints one line for each accident, the first 50; 0 prints nothing.
        optimizer: the optimizer whose rate to lower, if a custom training step uses
            another one than the model's; `None` is the model's.

    Attributes:
        counts: Numbers of accidents, of skipped steps, of undone batches, of reductions
            of the rate, and of rollbacks, in all `fit`s. `TensorBoard` and `Monitor`
            log them as `spikes/accidents`, `spikes/skipped`, `spikes/undone`,
            `spikes/lowered` and `spikes/rollbacks`, at each accident.
        log: A line for each accident.
        reason: Why it stopped the training, in one line, or `""`.

    Raises:
        ValueError: if an argument is out of range; in `fit`, before training, if
            another callback drives the rate.
        TypeError: if an argument has a wrong type; in `fit`, before training, if there
            is no optimizer, or a stock Keras optimizer follows a schedule and
            `rate_factor` is not 1.

    Warns:
        UserWarning: when it gives up; once, if `monitor` is not reported.

    Source:
        Chowdhery et al., 2022, arXiv:2204.02311, section 5.1, for going back to before
        a spike and on with other batches; Iglewicz and Hoaglin, 1993, "How to detect
        and handle outliers", for the score; Micikevicius et al., 2018,
        arXiv:1710.03740, for lowering at once and recovering slowly.

    Differs from Keras' `TerminateOnNaN` and from detectors of spikes elsewhere, which
    stop training: this undoes the step and goes on.

    Example:
        >>> import numpy as np
        >>> x, y = np.ones((40, 2), "float32"), np.ones((40, 1))
        >>> x[22, 1] = np.nan
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.Adam(), loss="mse")
        >>> guard = SpikeGuard(every=5)
        >>> history = model.fit(
        ...     x, y, batch_size=4, shuffle=False, callbacks=[guard], verbose=0)
        SpikeGuard: step 6: the loss is nan: undone, back to step 5. inputs: feature 1
        of the batch has NaN, in 1 of 4 rows, first in row 2.
        >>> bool(np.isfinite(model.get_weights()[0]).all())
        True
    """

    useless = None
    hints = {
        "patience": "Write `max_rollbacks`, or `every`.",
        "factor": "Write `rate_factor`.",
        "zscore": "Write `threshold`.",
        "freq": "Write `every`: steps between two looks.",
    }

    def __init__(
        self,
        every: int = 20,
        *,
        monitor: str = "loss",
        threshold: float = 5.0,
        min_ratio: float = 3.0,
        window: int = 100,
        keep: int = 3,
        rate_factor: float = 0.5,
        max_rollbacks: int = 3,
        verbose: int = 1,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        doc = "steps between two looks"
        super().__init__(
            number("every", every, ">= 1", doc, integer=True),
            metric_name(monitor),
            number("threshold", threshold, "> 0", "smallest z-score"),
            number("min_ratio", min_ratio, ">= 1", "smallest ratio to the median"),
            number("window", window, f">= {FEWEST}", "steps", integer=True),
            optimizer,
        )
        self.keep = number("keep", keep, ">= 1", "copies", integer=True)
        self.rate_factor = number("rate_factor", rate_factor, "(0, 1]", "factor")
        doc = "rollbacks before giving up"
        self.max_rollbacks = number(
            "max_rollbacks", max_rollbacks, ">= 0", doc, integer=True
        )
        self.verbose = verbosity(verbose)
        self.counts = dict.fromkeys(COUNTS, 0)
        self.log: list[str] = []
        self.recorded: Sequence[tuple[int, Mapping[str, float]]] = []
        self._begin()

    def _begin(self) -> None:
        memory, lowers = 2 * (self.every or 1), self.rate_factor < 1
        self._stages = Stages(memory, self.max_rollbacks, RECOVERY, lowers)
        self._copies = TrainingCopies(self.keep)
        self._last: Copy | None = None  # the weights to end with, after giving up
        self._traced = 0
        self.reason = ""

    def get_state(self) -> dict[str, Any]:
        """Return what it has learned and counted; copies of weights are not part."""
        return {
            "counts": dict(self.counts),
            "log": list(self.log),
            "losses": list(self.judge.losses.values),
            "norms": list(self.judge.norms.values),
            "stages": self._stages.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from the result of `get_state`."""
        self.counts, self.log = dict(state["counts"]), list(state["log"])
        self.judge.losses.restart(state["losses"])
        self.judge.norms.restart(state["norms"])
        self.executions.set_limit(self.judge.norms.limit)
        self._stages.restore(state["stages"])

    def driven_values(self) -> dict[str, float]:
        """Return the scale of the rate; with a stock optimizer, the rate."""
        return {k: x.get() or 0.0 for k, x in self._rates().items()}

    def drives(self) -> set[tuple[int, str]]:
        """Return the driven scales or rates, each as (`id` of the optimizer, name)."""
        return {(id(x.optimizer), x.label) for x in self._rates().values()}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check the rate, and forget the previous `fit`."""
        self.start()
        self._begin()
        if self.optimizer is None or self.rate_factor < 1:
            required_rates(self, ALTERNATIVE)  # raises if there is none to lower
        super().on_train_begin(logs)
        model = self.model
        own_step = type(model).train_step is not keras.Model.train_step
        if model.built and not own_step and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Look if that is due; keep a first copy if everything is built."""
        super().on_train_batch_begin(batch, logs)
        if self._copies:
            return
        model, done = self.model, batch - self._first
        if model.built and all(x.built for x in optimizers_in(model)):
            self._copies.reach(self._gradients + done)
            self._keep_copy(model, done)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Let go of the copies."""
        super().on_train_end(logs)
        self._copies, self._last = TrainingCopies(self.keep), None

    def on_train_interrupted(self) -> None:
        """Let go of the copies."""
        super().on_train_interrupted()
        self._copies, self._last = TrainingCopies(self.keep), None

    def on_quiet(self, model: Any, done: int) -> None:
        """Keep a copy; take a reduction of the rate back if that is due."""
        self._copies.reach(self._gradients + done)
        if self._last is not None:  # a batch has followed after giving up
            self._last.state.restore(with_metrics=False)
            return
        if self._stages.recovers(self._step_after(done)):
            self._scale_rates(1 / self.rate_factor)
            rates = self._rates_text()
            self._say(f"{RECOVERY} steps without an accident: {rates}.")
        self._keep_copy(model, done)

    def on_accidents(
        self, model: Any, accidents: list[Accident], done: int, ahead: int
    ) -> bool:
        """Do what the stage says, and report it; return whether steps were undone."""
        self._copies.reach(self._gradients + done)
        if self._last is not None:
            self._last.state.restore(with_metrics=False)
            return True
        worst = next((x for x in accidents if x.applied), accidents[0])
        step = self._step_after(worst.at) + 1
        places = range(worst.at, worst.at + worst.batches)
        known = [self.batches.get(done - at + ahead) for at in places]
        known = [batch for batch in known if batch is not None]
        cause = next(filter(None, map(non_finite_data, known)), None)
        harmless = cause is not None and not worst.applied
        action = self._stages.accident(step, harmless)
        back = action in (Action.ROLL_BACK, Action.GIVE_UP)
        needed = worst.applied or back
        at = self._gradients + worst.at
        copy = self._copies.before(at, back, worst.finite) if needed else None
        self.counts["accidents"] += len(accidents)
        self.counts["skipped"] += sum(not x.applied for x in accidents)
        if copy is not None:
            self._go_back(copy)
        if action is Action.LOWER:
            self.counts["lowered"] += 1
            self._scale_rates(self.rate_factor)
        self.counts["rollbacks"] += action is Action.ROLL_BACK
        found = cause or (None if worst.finite else self._trace(model, known))
        why = "" if found is None else f" {found}."
        self._say(f"step {step}: {worst}: {self._done_text(action, copy)}.{why}")
        tags = {f"spikes/{k}": float(v) for k, v in self.counts.items()}
        self.recorded = [*self.recorded, (step, tags)]
        if (needed and copy is None) or action is Action.GIVE_UP:
            self._give_up(step, worst, copy)
        elif copy is None:
            self._keep_copy(model, done)
        return copy is not None

    def _go_back(self, copy: Copy) -> None:
        same_epoch = copy.epoch == self.epoch and not self.validated
        undone, with_metrics = self._copies.go_back(copy, same_epoch)
        self.counts["undone"] += undone
        if self.judge.running is not None:
            counted, mean = copy.mean if with_metrics else (0, 0.0)
            self.judge.running = BatchLosses(counted, mean)

    def _keep_copy(self, model: Any, done: int) -> None:
        running, mean = self.judge.running, self.executions.mean(model) or 0.0
        known = (0 if running is None else running.counted, mean)
        self._copies.add(model, self._step_after(done), self.epoch, known)

    def _trace(self, model: Any, batches: list[Any]) -> str | None:
        """Run batches again; return where one is first not finite, if it is found."""
        self._traced += 1
        return traced(model, batches) if batches and self._traced <= TRACED else None

    def _give_up(self, step: int, accident: Accident, copy: Copy | None) -> None:
        self.model.stop_training = True
        self._last = copy
        kept = (
            "the model has bad weights, as no finite copy is from before it"
            if copy is None
            else f"the model has the weights of step {copy.step}"
        )
        self.reason = (
            f"SpikeGuard gave up at step {step} ({accident}), after "
            f"{self._stages.rollbacks} rollbacks and {self.counts['accidents']} steps "
            f"with an accident: {kept}."
        )
        warnings.warn(
            f"{self.reason} Look for bad rows in the data, lower the learning rate, or "
            "clip the gradients. If these are no accidents, raise `threshold` or "
            "`min_ratio`.",
            stacklevel=2,
        )

    def _done_text(self, action: Action, copy: Copy | None) -> str:
        texts = {
            Action.ROLL_BACK: "rolled back to step",
            Action.GIVE_UP: "gave up, back to step",
        }
        text = texts.get(action, "undone, back to step")
        done = "not applied" if copy is None else f"{text} {copy.step}"
        return f"{done}; {self._rates_text()}" if action is Action.LOWER else done

    def _rates(self) -> dict[str, RateScale | StockRate]:
        if self.rate_factor == 1:
            return {}
        return required_rates(self, ALTERNATIVE)

    def _scale_rates(self, factor: float) -> None:
        for rate in self._rates().values():
            rate.set(factor * (rate.get() or 0.0))

    def _rates_text(self) -> str:
        rates = self._rates().items()
        return ", ".join(f"{k} is now {x.get() or 0.0:.6g}" for k, x in rates)

    def _say(self, text: str) -> None:
        self.log.append(text)
        if self.verbose and len(self.log) <= LINES:
            print_message(f"SpikeGuard: {text}")
        if self.verbose and len(self.log) == LINES:
            print_message("SpikeGuard: more lines are kept in `log`, not printed.")
