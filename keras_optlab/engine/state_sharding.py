"""`StateSharding`: an optimizer's state, divided over devices as its weights are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.keras_adapter import KerasAdapter, layouts_of
from keras_optlab.engine.backend.layouts import (
    check_same_mesh,
    check_shard_state,
    mesh,
    shared_gradients,
    shared_out,
    slot_layout,
)
from keras_optlab.engine.weights.views import slot_of

Base = KerasAdapter if TYPE_CHECKING else object


class StateSharding(Base):
    """The part of an optimizer that lays its state out, and `shard_state`.

    Attributes:
        from_configuration: Whether it was made from what `get_config` returned.
        mesh: The devices over which `shard_state` divides the state, or `None`.
    """

    from_configuration = False
    mesh: Any = None
    shard_state: Any

    @property
    def divides_state(self) -> bool:
        """Whether new variables are divided by `shard_state`."""
        return self.mesh is not None

    def build(self, variables: Sequence[Variable]) -> None:
        """Choose the devices over which the state is divided, and create it."""
        if self.shard_state:
            layouts = layouts_of([*variables, *self.variables])
            check_shard_state(layouts, self.from_configuration)
            self.mesh = mesh()
        super().build(list(variables))

    def divided(self, gradients: list[Tensor], indices: list[int]) -> list[Tensor]:
        """Return the gradients of weights, divided as their state is."""
        if self.shard_state:
            check_same_mesh(self.mesh)
        if not self.divides_state:
            return gradients
        return shared_gradients(gradients, [self.weights[i] for i in indices])

    def add_slot(
        self, weight: Variable, name: str, shape: tuple[int, ...], dtype: str, init: Any
    ) -> Variable:
        """Create a variable beside a weight, divided over devices like it.

        With `shard_state` it may be padded; then this is a view of it.
        """
        layout = slot_layout(weight, f"{self.name}/{name}", shape)
        stored = shape = tuple(map(int, shape))
        if self.divides_state:
            stored, layout = shared_out(layout, shape)
        made = self.add_beside(weight, name, stored, dtype, init, layout)
        return slot_of(made, shape)

    def add_variable(self, shape: Any, *args: Any, **kwargs: Any) -> Variable:
        """Create a variable; `shard_state` divides it if it belongs to a weight."""
        if self.divides_state and kwargs.get("layout") is not None:
            _, kwargs["layout"] = shared_out(kwargs["layout"], shape, pads=False)
        return super().add_variable(shape, *args, **kwargs)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Make an optimizer from what `get_config` returned."""
        made = super().from_config(config, custom_objects)  # type: ignore[call-arg]
        made.from_configuration = True
        return made
