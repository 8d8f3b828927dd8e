"""`BuiltOptimizer`: the interface of an optimizer for the modules that it uses.

`Optimizer` imports most modules of the engine. They must not import it, and use only
the names in this interface.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import keras

from keras_optlab.core import Values
from keras_optlab.core.axes import Matrices
from keras_optlab.core.declared import HyperparameterStore
from keras_optlab.core.slots import Weight
from keras_optlab.core.spans import Moment
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.transforms import Transform

if TYPE_CHECKING:
    from keras_optlab.engine.hyperparameters.decay_correction import DecayCorrection
    from keras_optlab.engine.hyperparameters.training_span import TrainingSpan
    from keras_optlab.engine.model.moves import Moves
    from keras_optlab.engine.model.second_pass import Batch
    from keras_optlab.engine.model.skip_warnings import SkipWatch
    from keras_optlab.engine.statistics.recorder import Recorder
    from keras_optlab.engine.update.norm_guard import NormGuard
    from keras_optlab.engine.update.other_statistics import OtherStatistics
    from keras_optlab.engine.update.plan import Plan
    from keras_optlab.engine.update.skips import Skips
    from keras_optlab.engine.update.window import Counts, Window
    from keras_optlab.engine.weights.parameter import Parameter


class RuleContract(Protocol):
    """Interface of an algorithm; see `Rule`."""

    registry_name: Any
    slots: Any
    shared: Any
    elementwise: Any
    decays_in_rule: Any
    sees_matrices: Any
    may_fail: Any
    needs_sums: Any
    has_after_step: Any
    needs_second_pass: Any
    has_evaluation_weights: Any
    averages_statistics: Any

    @property
    def whole_slots(self) -> set[str]: ...
    @property
    def constant_slots(self) -> set[str]: ...
    @property
    def other_set(self) -> set[str]: ...
    @property
    def rests_without_gradient(self) -> bool: ...
    def prepare(self, h: Values, t: Tensor, z: Values) -> tuple[Values, Values]: ...
    def local_sums(
        self, w: Tensor, g: Tensor, s: Values, h: Values, t: Tensor
    ) -> Values: ...
    def use_sums(
        self, h: Values, t: Tensor, z: Values, sums: Values
    ) -> tuple[Values, Values]: ...
    def update(
        self, w: Tensor, g: Tensor, s: Values, h: Values, t: Tensor
    ) -> tuple[Tensor, Values]: ...
    def after_step(self, w: Tensor, s: Values, h: Values, t: Tensor) -> Values: ...
    def average(self, a: Tensor, w: Tensor, h: Values, t: Tensor) -> Tensor: ...
    def second_pass(
        self,
        batch: Batch,
        ws: list[Tensor],
        gs: list[Tensor],
        s: list[Values],
        h: Values,
        t: Tensor,
    ) -> tuple[list[Tensor], list[Values]]: ...
    def as_matrices(self, weight: Weight) -> Matrices | None: ...
    def is_too_large(self, weight: Weight) -> bool: ...


class BuiltOptimizer(RuleContract, Protocol):
    """An optimizer, as the engine's other modules use it.

    Attributes:
        fields: The declared arguments, by name.
        scalars: Store of the arguments that Keras does not store.
        rate: Store of the learning rate.
        updates: Variable; the number of updates applied.
        plan: Its weights with groups, slots and buckets, made in `build`.
        window: Counters of gradient accumulation.
        decay_correction: The peaks of the rate, for `decay_schedule="corrected"`.
        skips: Counters of skipped steps.
        norm_guard: A limit on the gradient norm, set by a callback, or `None`.
        skip_watch: Warns of skipped steps.
        recorder: Statistics for callbacks.
        evaluation_statistics: Normalization statistics of the weights that the model
            does not hold; `None` if there are none.
        ema_statistics: Averages of normalization statistics for `use_ema`, or `None`.
        moves: Compiled functions that switch training and evaluation weights.
        models: The models that it is compiled into or attached to.
        pending_state: State that was loaded before `build`.
        times_loaded: How often state was loaded.
        at_evaluation_weights: Whether the models have the evaluation weights now.
        exclude: The call of `exclude_from_weight_decay`, to repeat on a wrapper.
        update_is_checked: Whether the results of `update` have been checked once.
        training_span: The updates that schedules without a length run over.
        warned_of_end: Whether `fit` has warned that a schedule ends early.
        from_configuration: Whether it was made from what `get_config` returned.
        mesh: The devices over which `shard_state` divides the state, or `None`.
    """

    fields: Any
    groups: Any
    sparse: Any
    slot_dtype: Any
    master_weights: Any
    shard_state: Any
    decay_mask: Any
    decay_schedule: Any
    skip_non_finite: Any
    stop_after_skips: Any
    learning_rate: Any
    scalars: Any
    rate: Any
    updates: Any
    plan: Plan
    window: Window
    decay_correction: DecayCorrection | None
    skips: Skips
    norm_guard: NormGuard | None
    skip_watch: SkipWatch
    recorder: Recorder
    evaluation_statistics: OtherStatistics | None
    ema_statistics: OtherStatistics | None
    moves: Moves
    models: weakref.WeakSet[keras.Model]
    pending_state: Any
    times_loaded: int
    at_evaluation_weights: bool
    exclude: functools.partial[None] | None
    update_is_checked: bool
    training_span: TrainingSpan
    warned_of_end: bool
    from_configuration: bool
    mesh: Any
    built: Any
    variables: Any
    name: Any
    gradient_transforms: Any
    update_transforms: Any
    use_ema: Any
    ema_momentum: Any
    ema_overwrite_frequency: Any
    gradient_accumulation_steps: Any
    _values: Values

    @property
    def transforms(self) -> list[Transform]: ...
    @property
    def transform_scalars(self) -> list[HyperparameterStore]: ...
    @property
    def weights(self) -> list[Variable]: ...
    @property
    def averages(self) -> list[Variable]: ...
    @property
    def accumulators(self) -> list[Variable]: ...
    @property
    def accumulates(self) -> bool: ...
    @property
    def micro_steps(self) -> Variable: ...
    @property
    def base_learning_rate(self) -> Any: ...
    def build(self, variables: Sequence[Variable]) -> None: ...
    def apply(
        self, grads: Sequence[Tensor], trainable_variables: Any = None
    ) -> None: ...
    def current(self, name: str) -> Any: ...
    def moment(self, step: Any) -> Moment: ...
    def updates_in(self, batches: int) -> int: ...
    def values_of(self, group: int) -> Values: ...
    def parameters_of(self, weights: Sequence[Variable]) -> list[Parameter]: ...
    def decays(self, variable: Variable) -> bool: ...
    def is_overwritten(self, variable: Variable) -> bool: ...
    def is_complete(self, counts: Counts) -> Tensor: ...
    def second_pass_done(self) -> AbstractContextManager[None]: ...
    def add_slot(
        self, weight: Variable, name: str, shape: tuple[int, ...], dtype: str, init: Any
    ) -> Variable: ...
    def add_variable(self, *args: Any, **kwargs: Any) -> Variable: ...
