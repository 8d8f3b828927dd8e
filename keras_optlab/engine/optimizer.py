"""`Optimizer`: a pure update rule made into a `keras.optimizers.Optimizer`."""

from __future__ import annotations

import contextlib
import functools
import inspect
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from keras_optlab.core import Values
from keras_optlab.core.declaration_checks import check_slots
from keras_optlab.core.declared import HyperparameterStore, plain
from keras_optlab.core.registry import register
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine import checkpoint
from keras_optlab.engine.backend.gradients import divisible
from keras_optlab.engine.backend.keras_adapter import (
    KerasAdapter,
    concrete,
    constant,
    unbuilt_if_it_fails,
)
from keras_optlab.engine.backend.modules import eager_scope
from keras_optlab.engine.backend.variables import copy_buffers, to_numpy
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.description import Description
from keras_optlab.engine.hyperparameters.access import HyperparameterAccess
from keras_optlab.engine.hyperparameters.checks import check_arguments, check_exclusion
from keras_optlab.engine.hyperparameters.decay_correction import correction_for
from keras_optlab.engine.hyperparameters.documentation import with_shared_arguments
from keras_optlab.engine.hyperparameters.keras_values import (
    KerasArguments,
    KerasLearningRate,
)
from keras_optlab.engine.hyperparameters.options import KERAS_OWNED
from keras_optlab.engine.hyperparameters.training_span import TrainingSpan
from keras_optlab.engine.hyperparameters.variables import (
    HyperparameterVariables,
    scalar_dtype,
)
from keras_optlab.engine.model import hooks
from keras_optlab.engine.model.model_methods import ModelMethods
from keras_optlab.engine.model.moves import Moves
from keras_optlab.engine.model.skip_warnings import SkipWatch
from keras_optlab.engine.notebook import Notebook
from keras_optlab.engine.public_names import is_public
from keras_optlab.engine.rule import Rule
from keras_optlab.engine.state_sharding import StateSharding
from keras_optlab.engine.statistics.histograms import Histograms
from keras_optlab.engine.statistics.recorder import Recorder
from keras_optlab.engine.statistics.statistics import Statistics
from keras_optlab.engine.update.other_statistics import add_statistics, write
from keras_optlab.engine.update.plan import make_plan
from keras_optlab.engine.update.plan_warnings import warn_of_weights
from keras_optlab.engine.update.skips import Skips
from keras_optlab.engine.update.step import take_step
from keras_optlab.engine.update.window import Counts, Window
from keras_optlab.engine.weights.master import MASTER
from keras_optlab.engine.weights.parameter import Parameter
from keras_optlab.transforms import Transform


class Optimizer(
    StateSharding, Rule, ModelMethods, HyperparameterAccess, Notebook, Description
):
    r"""Base of every optimizer: a rule for one weight, run by the engine for all.

    A subclass declares its hyperparameters as class attributes (`Hyper`, `Beta`,
    `Flag`, `Choice`, `Option`) and implements `update`, a pure function of tensors. It
    needs no constructor. Defining it enters it in the registry under its lower-case
    name and registers it with `keras.saving`.

    | class attribute | type, default | meaning | set by |
    |---|---|---|---|
    | `slots` | `Slot`s, `()` | state for each weight | most |
    | `shared` | `Slot`s, `()` | state kept once for each group | Prodigy |
    | `elementwise` | bool, `True` | entries do not affect each other | Shampoo |
    | `sees_matrices` | bool, `False` | weights are matrices, or several | SOAP |
    | `decays_in_rule` | bool, `False` | `update` reads `h.weight_decay` | Lamb |
    | `may_fail` | bool, `False` | NaN from a matrix: the weight stays | Shampoo |
    | `learning_rate_free` | bool, `False` | finds its step size | Prodigy |
    | `paper` | `Paper` | where it was published | all |
    | `keras_twin` | str, `None` | Keras' class with the same numbers | Adam |
    | `tuning` | `Tuning`, `None` | what to search, when to use it | all |
    | `family` | str, `"other"` | keyword of the class statement | all |

    | method | runs | implemented by |
    |---|---|---|
    | `update` | for each weight | all |
    | `prepare` | once an update, before `update` | Adam |
    | `local_sums`, `use_sums` | once, for sums over all weights | Prodigy |
    | `after_step` | for each weight, after it has changed | EMA |
    | `average` | for normalization statistics, after an update | EMA |
    | `second_pass` | once, for other gradients or Hessian products | SAM |
    | `to_evaluation`, `to_training` | between two sets of weights | SWA |
    | `rests_without_gradient` | in `build`, for sparse gradients | SGD |
    | `as_matrices` | in `build`, where a rule `sees_matrices` | Muon |
    | `is_too_large` | in `build`, for a warning | Shampoo |

    Args:
        **kwargs: The declared arguments, and those of every optimizer, below.

    Attributes:
        updates: Variable; the number of updates applied.
        skipped_steps: Variable; the number of (micro-)steps skipped.
        learning_rate_scale: Factor >= 0 on the rate, for callbacks; 1 at first.

    Raises:
        TypeError: for an argument of the wrong kind or an unknown name; when a class
            is defined, for a declaration that the engine cannot use; in the first
            step, if `update` returns something else than a step and its slots.
        ValueError: for an argument out of range, and for more than one of `clipnorm`,
            `clipvalue` and `global_clipnorm`.

    >>> import keras
    >>> from keras import ops
    >>> class Bounded(Optimizer, family="momentum"):
    ...     "Bounded: large entries of the gradient count as one."
    ...     def update(self, w, g, s, h, t):
    ...         return -h.learning_rate * g / (1 + ops.abs(g)), s
    >>> w = keras.Variable([1.0, 1.0])
    >>> Bounded(0.5).apply([ops.convert_to_tensor([3.0, -4.0])], [w])
    >>> w.numpy()
    array([0.625, 1.4  ], dtype=float32)
    """

    registry_name: ClassVar[str] = ""
    reserved_names: ClassVar[frozenset[str]] = frozenset(
        inspect.get_annotations(BuiltOptimizer)
    )
    update_is_checked = False

    def __init_subclass__(
        cls, registered: bool = True, family: str | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        check_slots(cls, cls.fields)
        if registered and cls.update is Rule.update:
            raise TypeError(
                f"{cls.__name__} must implement `update(self, w, g, s, h, t)`; write "
                f"`class {cls.__name__}(..., registered=False)` if it is a base of "
                "optimizers that do."
            )
        cls.family = family or cls.family
        if registered:
            cls.__doc__ = with_shared_arguments(vars(cls).get("__doc__"))
        cls.registry_name = register(cls) if registered else cls.__name__

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        values = self.bind(*args, **kwargs)
        KerasAdapter.__init__(self, **{k: getattr(values, k) for k in KERAS_OWNED})
        self._values = values
        self.rate = KerasLearningRate(self)
        self.keras_arguments = KerasArguments(self)
        check_arguments(self)
        if self.master_weights:
            self.__dict__["slots"] = (*self.slots, MASTER)  # TensorFlow would wrap it
        self.scalars = HyperparameterVariables(type(self), values, self._add_scalar)
        for transform in self.transforms:
            add = functools.partial(self._add_scalar, owner=type(transform).__name__)
            transform.scalars = HyperparameterVariables(
                type(transform), transform._values, add
            )
        self.updates = self._add_counter("updates")
        self.decay_correction = correction_for(self, self._add_scalar)
        self.skips = Skips(self._add_counter)
        self.norm_guard = self.pending_state = self.exclude = None
        self.skip_watch = SkipWatch(self)
        self.recorder = Recorder()
        self.times_loaded = 0
        self.evaluation_statistics = self.ema_statistics = None
        self.models = weakref.WeakSet()
        self.warned_of_end = self.at_evaluation_weights = self._second_pass_done = False
        if self.needs_second_pass and self.accumulates:
            self._check_accumulation()
        self.training_span = TrainingSpan(self._add_record, self._schedules)

    def __dir__(self) -> Iterable[str]:
        """Return the names meant for users, and those that subclasses add."""
        return [name for name in super().__dir__() if is_public(name, Optimizer)]

    # Methods that Keras calls.

    def build(self, variables: Sequence[Variable]) -> None:
        """Create the state for these weights."""
        if self.built:
            return
        variables = list(variables)
        with unbuilt_if_it_fails(self):
            super().build(variables)
            self.plan = make_plan(self, variables)
            if self.accumulates:
                self.window = Window(self._add_record, len(variables))
            warn_of_weights(self)
            self.recorder.build(self._add_record, self.add_slot, self.plan.trainable)
            add_statistics(self)
            self.moves = Moves(self)
            if self.pending_state is not None:
                self.plan.waiting.clear()
                with eager_scope():
                    checkpoint.load_pending(self)

    def apply(self, grads: Sequence[Tensor], trainable_variables: Any = None) -> None:
        """Update weights by their gradients, as Keras' optimizers do."""
        super().apply(divisible(grads, self.loss_scale_factor), trainable_variables)
        self.skip_watch.count()

    def update_weights(self, gradients: list[Tensor], indices: list[int]) -> None:
        """Update the weights with these indices by their gradients."""
        if self.needs_second_pass and not self._second_pass_done:
            raise RuntimeError(
                f"{type(self).__name__} looks at each batch more than once. Compile a "
                "model with it and call `fit` or `train_on_batch`. Received: a call of "
                "`apply` from elsewhere."
            )
        if self.at_evaluation_weights:
            raise RuntimeError(
                f"{type(self).__name__} trains at other weights than those it leaves "
                "for evaluation. Received: a call of `apply` while the model has the "
                "latter. Train within `with optimizer.training_weights():`."
            )
        if self.has_evaluation_weights and not self.models:
            hooks.warn_of_averages(self)
        self.training_span.check()
        self.plan.fill_slots()
        take_step(self, self.divided(gradients, indices), indices)

    @contextlib.contextmanager
    def second_pass_done(self) -> Iterator[None]:
        """Allow `apply` in this context, as the second pass has run."""
        self._second_pass_done = True
        try:
            yield
        finally:
            self._second_pass_done = False

    def parameters_of(self, weights: Sequence[Variable]) -> list[Parameter]:
        """Return the `Parameter`s of these weights."""
        return [self.plan.parameters[i] for i in self.indices_of(weights)]

    def is_complete(self, counts: Counts) -> Tensor:
        """Return whether a micro-batch is the last before an update."""
        return counts.received % self.gradient_accumulation_steps == 0

    def updates_in(self, batches: int) -> int:
        """Return the number of updates that the next batches make."""
        steps = self.gradient_accumulation_steps
        if steps is None:
            return batches
        pending = int(to_numpy(self.window.received)) % steps if self.built else 0
        return (pending + batches) // steps

    @property
    def skipped_steps(self) -> Variable:
        """The number of (micro-)steps skipped."""
        return self.skips.total

    @property
    def transforms(self) -> list[Transform]:
        """All transforms, the gradient side first."""
        return [*self.gradient_transforms, *self.update_transforms]

    @property
    def transform_scalars(self) -> list[HyperparameterStore]:
        """The store of each transform's arguments."""
        return [x.scalars for x in self.transforms if x.scalars is not None]

    # Methods for callbacks.

    def collect_statistics(
        self,
        every: int | None,
        histograms_every: int | None = None,
        who: str = "",
        gradient_cosine: bool = False,
    ) -> bool:
        """Request that the step records norms, at the first and every n-th update.

        A callback calls this in `on_train_begin`, and retraces the step if it returns
        `True`. The first request adds variables.

        Args:
            every: Updates between two records, >= 1; `None` for none.
            histograms_every: The same for histograms of all entries.
            who: Name of the caller; its next request replaces this one.
            gradient_cosine: Whether to record the cosine of consecutive gradients, too.

        Raises:
            ValueError: if a number is not an integer >= 1.
        """
        return self.recorder.request(who, every, histograms_every, gradient_cosine)

    def statistics(self) -> Statistics | None:
        """Return the last record, or `None` before the first."""
        return self.recorder.statistics()

    def histograms(self) -> Histograms | None:
        """Return the last histograms, or `None` before the first."""
        return self.recorder.histograms()

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Write the moving average of `use_ema` into the weights, after training."""
        if concrete(self.updates) is None or not self.built:
            return  # a failed step lost the state, or another optimizer has trained
        super().finalize_variable_values(var_list)
        if self.use_ema:
            copy_buffers(var_list)
            if self.ema_statistics is not None:
                write(self.ema_statistics.taken_over())

    # Saving and loading.

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """Exclude weights from weight decay and penalties; call before `build`.

        Args:
            var_list: Variables to exclude.
            var_names: Regular expressions to search in the names of variables.

        Raises:
            TypeError: if an argument is of the wrong type.
            ValueError: if the optimizer is built, or a regular expression is invalid.
        """
        if self.built:
            raise ValueError(
                "exclude_from_weight_decay must be called before the optimizer is "
                f"built. Received: an optimizer built for {len(self.weights)} weights."
            )
        variables, names = check_exclusion(var_list, var_names)
        super().exclude_from_weight_decay(var_list=variables, var_names=names or None)
        self.exclude = functools.partial(  # for a wrapper around this optimizer
            Optimizer.exclude_from_weight_decay, var_list=variables, var_names=names
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        return {k: plain(v) for k, v in self.arguments().items()}

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, as objects."""
        return {name: self._own(name) for name in self.fields}

    def save_own_variables(self, store: Any) -> None:
        """Write the state, by slot and name of the weight."""
        checkpoint.save(self, store)

    def load_own_variables(self, store: Any) -> None:
        """Load the state as far as it fits; warn of the rest.

        If the saved optimizer had not been built, or has another rule, this one is
        reset. If this one is not built, the state waits for `build`. If it is saved
        before, the loaded state is saved unchanged.

        Raises:
            ValueError: within `strict_loading`, if not all of it fits.
        """
        checkpoint.load(self, store)

    def values_of(self, group: int) -> Values:
        """Return the arguments, as constructed, for the weights of a group."""
        own = self.groups[group].hyperparameters if group >= 0 else {}
        return self._values.extend(**own)

    # Helpers.

    def _check_accumulation(self) -> None:
        owner = next(c for c in type(self).__mro__ if "second_pass" in vars(c))
        if owner.slots:  # type: ignore[attr-defined]
            raise ValueError(
                f"{type(self).__name__} remembers what it saw of a batch, which has to "
                "be a whole one. Received: gradient accumulation. Use larger batches."
            )

    def _add_scalar(self, name: str, value: float, owner: str = "") -> Variable:
        return self.add_variable(
            shape=(),
            initializer=constant(value),
            dtype=scalar_dtype(),
            name=f"{owner}_{name}".strip("_"),
        )

    def _add_counter(self, name: str) -> Variable:
        return self._add_record(name, (), "int")

    def _add_record(self, name: str, shape: tuple[int, ...], dtype: str) -> Variable:
        return self.add_variable(
            shape=shape, dtype=dtype, aggregation="only_first_replica", name=name
        )


Optimizer.__doc__ = with_shared_arguments(Optimizer.__doc__)
