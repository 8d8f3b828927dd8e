"""`Optimizer`: a pure update rule made into a `keras.optimizers.Optimizer`."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np

from keras_optlab.core import Paper, Record, Slot
from keras_optlab.core.declared import plain
from keras_optlab.core.errors import suggest
from keras_optlab.core.registry import register
from keras_optlab.engine import state
from keras_optlab.engine.backends import eagerly, unshare
from keras_optlab.engine.driving import Driving
from keras_optlab.engine.histograms import Histograms
from keras_optlab.engine.options import KERAS_OWNED, UNGROUPED
from keras_optlab.engine.plan import Plan, make_plan
from keras_optlab.engine.recorder import Recorder
from keras_optlab.engine.scalars import Scalars, scalar_dtype
from keras_optlab.engine.seam import Seam, concrete, constant
from keras_optlab.engine.statistics import Statistics
from keras_optlab.engine.step import take_step
from keras_optlab.transforms import Transform

Tensor = Any
Variable = Any


class Optimizer(Driving):
    r"""Base of every optimizer: an algorithm declares, the engine does the rest.

    A subclass declares its hyperparameters and slots and implements `update`, a pure
    function of tensors. By being defined it is entered in the registry under its
    lower-case name and can be serialized by Keras. It needs no constructor.

    Args:
        **kwargs: The arguments in `Options`, and the subclass' own.

    Attributes:
        updates: Variable; the number of updates applied.
        skipped_steps: Variable; the number of (micro-)steps skipped.
        learning_rate_scale: Factor >= 0 on the rate, for callbacks; 1 at first.

    Raises:
        TypeError: for an argument of the wrong kind or an unknown name.
        ValueError: for one out of range, and for more than one of `clipnorm`,
            `clipvalue` and `global_clipnorm`.

    >>> from keras import ops
    >>> class SignSGD(Optimizer):
    ...     "Sign of the gradient."
    ...     def update(self, w, g, s, h, t):
    ...         return -h.learning_rate * ops.sign(g), s
    >>> w = keras.Variable([1.0, 1.0])
    >>> SignSGD(0.5).apply([ops.convert_to_tensor([3.0, -4.0])], [w])
    >>> w.numpy()
    array([0.5, 1.5], dtype=float32)
    """

    shared: ClassVar[tuple[Slot, ...]] = ()
    elementwise: ClassVar[bool] = True
    rebuilds_weights: ClassVar[bool] = False  # from the state, whatever they were
    paper: ClassVar[Paper] = Paper("Unpublished", "Unknown", 0)
    keras_twin: ClassVar[str | None] = None
    registry_name: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.registry_name = register(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        values = self.bind(*args, **kwargs)
        Seam.__init__(
            self,
            learning_rate=values.learning_rate,  # pyright: ignore[reportCallIssue]
            **{k: getattr(values, k) for k in KERAS_OWNED},
        )
        self._values = values
        self._check_groups()
        self.live = Scalars(type(self), values, self._add_scalar)
        for transform in self.transforms:
            add = functools.partial(self._add_scalar, owner=type(transform).__name__)
            transform.live = Scalars(type(transform), transform._values, add)
        self.updates = self._add_counter("updates")
        self.skipped_steps = self._add_counter("skipped_steps")
        self.recorder = Recorder()
        self.pending_state: Any = None
        self._reported_skips = 0

    # What an algorithm implements.

    def prepare(self, h: Record, t: Tensor, z: Record) -> tuple[Record, Record]:
        """Derive, once a step, the scalars that all tensors share.

        Args:
            h: The hyperparameters, as scalar tensors or `DecayRate`s.
            t: The number of this update, counted from 1.
            z: The `shared` state.

        Returns:
            `h`, extended by what `update` wants to read from it, and the next `z`.
        """
        del t
        return h, z

    def update(
        self, w: Tensor, g: Tensor, s: Record, h: Record, t: Tensor
    ) -> tuple[Tensor, Record]:
        """Return what to add to one weight, and its next slots. Pure.

        Args:
            w: The weight, after decoupled decay.
            g: Its gradient, of the same shape and type.
            s: Its slots.
            h: The hyperparameters, as `prepare` returned them, in the type of `w`.
            t: The number of this update, counted from 1.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must implement `update(self, w, g, s, h, t)`."
        )

    # One step, as Keras asks for it.

    def build(self, variables: Sequence[Variable]) -> None:
        """Create the state for these weights."""
        if self.built:
            return
        variables = list(variables)
        super().build(variables)
        self.plan: Plan = make_plan(self, variables)
        if self.gradient_accumulation_steps:
            self.accumulated = self._add_counter("accumulated")
        self.recorder.build(self._add_record, [p.path for p in self.plan.live])
        with eagerly():
            state.load_pending(self)

    def step(self, gradients: list[Tensor], indices: list[int]) -> None:
        """Update the weights with these indices by their gradients."""
        take_step(self, gradients, indices)

    @property
    def transforms(self) -> list[Transform]:
        """All transforms, the gradient side first."""
        return [*self.gradient_transforms, *self.update_transforms]

    # What callbacks ask for.

    def collect_statistics(
        self, every: int | None, histograms_every: int | None = None, who: str = ""
    ) -> bool:
        """Let the step record norms at its first and then at every so many updates.

        The step must be traced after the call. A callback asks in `on_train_begin` and,
        if the answer is `True`, makes Keras build its train function anew.

        Args:
            every: Updates between two records, >= 1; `None` is never.
            histograms_every: The same for histograms of all entries.
            who: Whose request it is; a later one of the same name replaces it.

        Returns:
            Whether the step has to be traced anew.

        Raises:
            ValueError: if a number is not an integer >= 1.
        """
        return self.recorder.request(who, every, histograms_every)

    def statistics(self) -> Statistics | None:
        """Return the last record, or `None` before the first."""
        return self.recorder.statistics()

    def histograms(self) -> Histograms | None:
        """Return the last histograms, or `None` before the first."""
        return self.recorder.histograms()

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """End training: write the average, and say if steps were skipped."""
        skipped, steps = concrete(self.skipped_steps), concrete(self.micro_steps)
        if skipped is None:
            return  # a failed step took the state with it; let its error be seen
        super().finalize_variable_values(var_list)
        if self.use_ema:
            unshare(var_list)
        if skipped > self._reported_skips:
            self._reported_skips = int(skipped)
            warnings.warn(
                f"{self.name} skipped {skipped} of {steps} steps, because their "
                "gradients held a NaN or an infinity; the weights are unharmed. Look "
                "for bad rows in the data, or lower the learning rate.",
                stacklevel=3,
            )

    # Keeping and restoring.

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """Leave weights out of decay and penalties; call before `build`.

        Args:
            var_list: Variables to leave out.
            var_names: Regular expressions to look for in the variables' names.

        Raises:
            ValueError: if the optimizer has been built.
        """
        if self.built:
            raise ValueError(
                "exclude_from_weight_decay must be called before the optimizer is "
                f"built. Received: an optimizer built for {len(self.weights)} weights."
            )
        super().exclude_from_weight_decay(var_list=var_list, var_names=var_names)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        names = [k for k in self.fields if k != "learning_rate"]
        config = {k: plain(self._own(k)) for k in names}
        rate = self.base_learning_rate
        if isinstance(rate, keras.Variable):
            given, now = self._values.learning_rate, float(rate.numpy())
            same = isinstance(given, float) and np.float32(given) == np.float32(now)
            rate = given if same else now
        return config | {"learning_rate": plain(rate)}

    def save_own_variables(self, store: Any) -> None:
        """Write the state, by slot and name of the weight."""
        state.save(self, store)

    def load_own_variables(self, store: Any) -> None:
        """Read the state, or raise what differs."""
        state.load(self, store)

    # Small things the above is made of.

    def _check_groups(self) -> None:
        of_the_whole = {s.when for s in self.slots} | UNGROUPED
        fields = {
            k: f
            for k, f in self.fields.items()
            if f.adjustable and k not in of_the_whole
        }
        for group in self.groups:
            for name, value in group.hyperparameters.items():
                if name not in fields:
                    raise TypeError(
                        f"A Group of {type(self).__name__} cannot set this. "
                        f"Received: {name}={value!r}. {suggest(name, fields)}"
                    )
                group.hyperparameters[name] = fields[name].validate(value)

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
