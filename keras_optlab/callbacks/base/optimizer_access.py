"""Access of callbacks to an optimizer, and a warning if it takes no steps."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import keras

from keras_optlab.core.arguments import optional_optimizer
from keras_optlab.core.errors import shown
from keras_optlab.engine import Optimizer, find_optimizer
from keras_optlab.engine.backend.keras_adapter import inner_optimizer, progress


class OptimizerAccess:
    """A callback with an argument `optimizer`, which defaults to the model's.

    A model with a custom training step, such as a GAN, may never step the optimizer
    from `compile`. A callback that reads or drives that optimizer would have no effect,
    so the callback checks that the optimizer takes steps, and warns.

    On JAX, `fit` passes the variables of the model and of `model.optimizer` to the
    compiled step. Another optimizer is updated only if its variables are among these,
    as for the optimizers in a `keras.optimizers.MultiOptimizer`.

    Attributes:
        given_optimizer: The optimizer from the constructor; `None` is the model's.
        useless: End of the warning: the consequence if the optimizer takes no step.
            `None` gives no warning.
    """

    useless: ClassVar[str | None] = None
    model: Any
    params: dict[str, Any] | None

    def set_optimizer(self, optimizer: Any) -> None:
        """Store the argument `optimizer`; the constructor calls this."""
        self.given_optimizer = optional_optimizer(optimizer)
        self._at_first: Any = None
        self._moved = True
        self._warned_of_no_step = False

    @property
    def optimizer(self) -> Any:
        """The given optimizer, or the model's; `None` if there is none."""
        model = self.model  # on JAX this syncs the variables with the trainer's state
        if self.trains_without_steps:
            return None
        if self.given_optimizer is not None:
            return self.given_optimizer
        return getattr(model, "optimizer", None)

    @property
    def trains_without_steps(self) -> bool:
        """Whether training uses no optimizer, as in `fit_full_batch`."""
        return "optimizer" in (self.params or {})

    @property
    def our_optimizer(self) -> Optimizer | None:
        """The optimizer if from keras_optlab, also inside a `LossScaleOptimizer`."""
        return find_optimizer(self.optimizer)

    @property
    def required_optimizer(self) -> Optimizer:
        """The optimizer, which must be from keras_optlab.

        Raises:
            TypeError: if it is not.
        """
        ours = self.our_optimizer
        if ours is None:
            raise TypeError(
                f"{type(self).__name__} needs an optimizer of keras_optlab. "
                f"Received: optimizer={shown(self.optimizer)}.{_advice(self.optimizer)}"
            )
        return ours

    def watch_for_steps(self) -> None:
        """Store the optimizer's progress, to detect steps from now on."""
        self._moved = False
        self._at_first = progress(self.optimizer)

    @property
    def takes_no_step(self) -> bool:
        """Whether the optimizer has taken no step since `watch_for_steps`."""
        if not self._moved:
            self._moved = progress(self.optimizer) != self._at_first
        return not self._moved

    @property
    def model_optimizer_is_idle(self) -> bool:
        """Whether no optimizer was given, and the model's takes no step."""
        return self.given_optimizer is None and self.takes_no_step

    def warn_of_no_step(self) -> None:
        """Warn once if the optimizer takes no step, unless `useless` is `None`."""
        if self.useless is None or self._warned_of_no_step or not self.takes_no_step:
            return
        if self.optimizer is None:
            return
        self._warned_of_no_step = True
        name = type(self).__name__
        if self.given_optimizer is not None:
            warnings.warn(
                f"{name}: the optimizer that it was given, "
                f"{type(self.optimizer).__name__}, has taken no step in an epoch. Pass "
                "the optimizer that trains. On JAX, `fit` updates `model.optimizer` "
                "alone: combine several optimizers in a "
                "keras.optimizers.MultiOptimizer there.",
                stacklevel=3,
            )
            return
        own = [
            f"model.{k}"
            for k, v in vars(self.model).items()
            if isinstance(v, keras.optimizers.Optimizer) and v is not self.optimizer
        ]
        found = f" The model has {', '.join(own)}." if own else ""
        warnings.warn(
            f"{name}: the model's optimizer, {type(self.optimizer).__name__}, has "
            f"taken no step, so {self.useless}. If a custom `train_step` or loop uses "
            f"another optimizer, pass it: {name}(..., optimizer=...).{found}",
            stacklevel=3,
        )


def named_optimizers(optimizer: Any) -> dict[str, Any]:
    """Return the optimizers of a `MultiOptimizer` by name, or one by the name `""`.

    >>> named_optimizers(None)
    {}
    """
    if optimizer is None:
        return {}
    optimizer = inner_optimizer(optimizer)
    several = getattr(optimizer, "optimizers", None)
    if several is None:
        return {"": optimizer}
    names = [x.name for x in several]
    return {
        name if names.count(name) == 1 else f"{name}_{i}": x
        for i, (name, x) in enumerate(zip(names, several, strict=True))
    }


def _advice(optimizer: Any) -> str:
    """Return advice on an optimizer that is not from keras_optlab."""
    several = getattr(optimizer, "optimizers", [])
    if any(find_optimizer(x) is not None for x in several):
        return " Pass one of its `optimizers` by `optimizer=`."
    name = type(optimizer).__name__
    return (
        f" Compile the model with one, such as keras_optlab.optimizers.{name}, if it "
        "exists there; see keras_optlab.optimizers.names(). If a custom training step "
        "uses another optimizer, pass it by `optimizer=`."
        if optimizer is not None
        else " Compile the model with one, or pass it by `optimizer=`."
    )
