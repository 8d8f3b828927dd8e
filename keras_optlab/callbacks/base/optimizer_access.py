"""Which optimizer a callback reads, and whether that one trains."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import keras

from keras_optlab.callbacks.base.arguments import optional_optimizer
from keras_optlab.engine import Optimizer, find_optimizer
from keras_optlab.engine.backend.keras_adapter import inner_optimizer, progress


class OptimizerAccess:
    """A callback with an argument `optimizer`, which defaults to the model's.

    A model that trains with optimizers of its own, such as a GAN, may have another one
    from `compile` that no step uses. A callback that shows or moves it does not say
    anything about the training, so whether it takes steps is watched.

    On JAX `fit` hands a step the variables of the model and of `model.optimizer`; those
    of another optimizer move only if they are among these, as those of the optimizers
    in a `keras.optimizers.MultiOptimizer` are.

    Attributes:
        given_optimizer: The optimizer to read; `None` is the model's.
        useless: What a callback does in vain where the optimizer takes no step;
            `None` if it does not matter.
    """

    useless: ClassVar[str | None] = None
    model: Any
    params: dict[str, Any] | None

    def take_optimizer(self, optimizer: Any) -> None:
        """Read this one, or the model's; the constructor calls it."""
        self.given_optimizer = optional_optimizer(optimizer)
        self._at_first: Any = None
        self._moved = True
        self._told_of_no_step = False

    @property
    def optimizer(self) -> Any:
        """The optimizer that was given, or the model's; `None` if it has none."""
        model = self.model  # on JAX this takes the variables back from the trainer
        if self.trains_without_steps:
            return None
        if self.given_optimizer is not None:
            return self.given_optimizer
        return getattr(model, "optimizer", None)

    @property
    def trains_without_steps(self) -> bool:
        """Whether this is a training in which no optimizer takes part."""
        return "optimizer" in (self.params or {})

    @property
    def our_optimizer(self) -> Optimizer | None:
        """The optimizer, if it is one of ours; also from inside a loss scaling one."""
        return find_optimizer(self.optimizer)

    @property
    def required_optimizer(self) -> Optimizer:
        """The optimizer, which has to be one of ours.

        Raises:
            TypeError: if it is not.
        """
        ours = self.our_optimizer
        if ours is None:
            raise TypeError(
                f"{type(self).__name__} needs an optimizer of keras_optlab. "
                f"Received: optimizer={self.optimizer!r}.{_instead(self.optimizer)}"
            )
        return ours

    def watch_for_steps(self) -> None:
        """Find out from here on whether the optimizer takes steps."""
        self._moved = False
        self._at_first = progress(self.optimizer)

    @property
    def takes_no_step(self) -> bool:
        """Whether the optimizer has not moved since training began."""
        if not self._moved:
            self._moved = progress(self.optimizer) != self._at_first
        return not self._moved

    @property
    def is_idle(self) -> bool:
        """Whether this is the model's optimizer, and it takes no step."""
        return self.given_optimizer is None and self.takes_no_step

    def tell_of_no_step(self) -> None:
        """Warn, once, if the optimizer takes no step and that makes this useless."""
        if self.useless is None or self._told_of_no_step or not self.takes_no_step:
            return
        if self.optimizer is None:
            return
        self._told_of_no_step = True
        name = type(self).__name__
        if self.given_optimizer is not None:
            warnings.warn(
                f"{name}: the optimizer that it was given, "
                f"{type(self.optimizer).__name__}, has taken no step in an epoch. Pass "
                "the one that trains. On JAX a step of `fit` has the state of "
                "`model.optimizer` alone: hold several optimizers in a "
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
            f"taken no step, so {self.useless}. If a `train_step` or a loop of your "
            f"own uses another one, pass it: {name}(..., optimizer=...).{found}",
            stacklevel=3,
        )


def parts_of(optimizer: Any) -> dict[str, Any]:
    """Return an optimizer under no name, or those that it holds by their names.

    >>> parts_of(None)
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


def _instead(optimizer: Any) -> str:
    """Return what to do about an optimizer that is none of ours."""
    several = getattr(optimizer, "optimizers", [])
    if any(find_optimizer(x) is not None for x in several):
        return " Pass one of its `optimizers` by `optimizer=`."
    name = type(optimizer).__name__
    return (
        f" Compile the model with one, such as keras_optlab.optimizers.{name}, if it "
        "exists there; see keras_optlab.optimizers.names(). An optimizer that a step "
        "of your own uses is passed by `optimizer=`."
        if optimizer is not None
        else " Compile the model with one, or pass it by `optimizer=`."
    )
