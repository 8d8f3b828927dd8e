"""Layouts of an optimizer's state over the devices of a `keras.distribution`, on JAX.

A slot follows its weight: each of its axes is divided over devices as the axis of the
weight that it belongs to. `shard_state` also divides each variable of the state over
the devices that share a batch: ZeRO stage 1 (Rajbhandari et al., 2019,
arXiv:1910.02054).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import keras

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.axis_lengths import axes_of
from keras_optlab.engine.backend.keras_adapter import asked_layout, layouts_of

Shape = tuple[int, ...]

WHOLE = 2**8  # entries of a variable; fewer stay whole: a gather for so few is dear

WHAT_TO_DO = (
    "Before the model is made, call keras.distribution.set_distribution("
    "keras.distribution.DataParallel()), or leave `shard_state` out."
)


def layout_beside(layout: Any, shape: Sequence[int]) -> Any:
    """Return the layout of a slot from that of its weight.

    Args:
        layout: The weight's layout; `None` without a distribution.
        shape: The slot's shape, with `AxisLength`s for axes of the weight.
    """
    axes = [axes_of(n) for n in shape]
    if not isinstance(layout, keras.distribution.TensorLayout):
        same = axes == [(i,) for i in range(len(shape))]
        return layout if same else None
    names: list[str | None] = []
    for name in (_name_along(layout, of) for of in axes):
        names.append(None if name in names else name)  # a mesh axis divides only one
    return keras.distribution.TensorLayout(names, layout.device_mesh)


def _name_along(layout: Any, axes: Sequence[int]) -> str | None:
    """Return the mesh axis over which an axis of a slot is divided.

    Joined axes of a weight are divided as the first of them, if no other one is.
    """
    names = [layout.axes[axis] for axis in axes]
    return names[0] if names and not any(names[1:]) else None


def slot_layout(weight: Variable, path: str, shape: Sequence[int]) -> Any:
    """Return the layout that a slot takes from a user, or from its weight."""
    asked = asked_layout(path, weight)
    if asked is not None:
        return check_layout(asked, shape, path)
    layout = layouts_of([weight])[0]
    if tuple(shape) == tuple(weight.shape) and not any(map(axes_of, shape)):
        return layout  # of plain integers
    return layout_beside(layout, shape)


def laid_out(variable: Variable, value: Tensor) -> Tensor:
    """Return a value divided over devices as its variable is.

    In a compiled step on JAX this is a constraint. Without it, the compiler may gather
    the variables of the state on each device.
    """
    layout = layouts_of([variable])[0]
    if not isinstance(layout, keras.distribution.TensorLayout):
        return value
    return keras.distribution.distribute_tensor(value, layout)


def shared_gradients(
    gradients: Sequence[Tensor], variables: Sequence[Variable]
) -> list[Tensor]:
    """Return gradients divided over the devices of a batch where their state is.

    Without this constraint the compiler divides the gradients of other weights, too,
    and gathers what is computed from them.
    """
    shared = []
    for g, layout in zip(gradients, layouts_of(variables), strict=True):
        _, divided = shared_out(layout, tuple(g.shape), pads=False)
        shared.append(keras.distribution.distribute_tensor(g, divided))
    return shared


def check_layout(layout: Any, shape: Sequence[int], path: str) -> Any:
    """Return a layout that a user gave for a variable of the state.

    Raises:
        ValueError: if it does not fit the variable's shape.
    """
    counts = dict(
        zip(layout.device_mesh.axis_names, layout.device_mesh.shape, strict=True)
    )
    fits = len(layout.axes) == len(shape) and all(
        n % counts.get(name, 1) == 0 for n, name in zip(shape, layout.axes, strict=True)
    )
    if not fits:
        raise ValueError(
            f"The layout of {path!r} must have one entry for each axis, and divide it "
            f"without remainder. Received: {tuple(layout.axes)} for the shape "
            f"{tuple(map(int, shape))}, on a mesh of {counts}. Give it another layout "
            "in the `LayoutMap`; with none, it follows its weight."
        )
    return layout


def shared_out(layout: Any, shape: Shape, pads: bool = True) -> tuple[Shape, Any]:
    """Divide one more axis of a variable over the devices that share a batch.

    That is the axis that needs the least padding, and of these the longest.

    Args:
        layout: The variable's layout.
        shape: Its shape.
        pads: Whether the axis may be padded to a multiple of the number of devices.

    Returns:
        The shape to store, and the layout.
    """
    distribution = keras.distribution.distribution()
    if distribution is None or not isinstance(layout, keras.distribution.TensorLayout):
        return shape, layout
    name, mesh = distribution.batch_dim_name, layout.device_mesh
    count = mesh.shape[list(mesh.axis_names).index(name)]
    free = [i for i, x in enumerate(layout.axes) if x is None]
    if not pads:
        free = [i for i in free if shape[i] % count == 0]
    if not free or count == 1 or name in layout.axes or math.prod(shape) < WHOLE:
        return shape, layout

    def stored(axis: int) -> int:
        return -(-shape[axis] // count) * count

    best = min(free, key=lambda i: (stored(i) / shape[i], -shape[i]))
    names = [name if i == best else x for i, x in enumerate(layout.axes)]
    padded = tuple(stored(i) if i == best else n for i, n in enumerate(shape))
    return padded, keras.distribution.TensorLayout(names, mesh)


def mesh() -> Any:
    """Return the devices of the present distribution, `None` without one."""
    distribution = keras.distribution.distribution()
    if keras.backend.backend() != "jax" or distribution is None:
        return None
    return distribution.device_mesh.backend_mesh


def check_shard_state(layouts: Sequence[Any], from_config: bool) -> None:
    """Raise if the state cannot be divided over devices.

    An optimizer from a saved configuration may be one that resumes on one device, or on
    another backend: it only warns.

    Args:
        layouts: The layouts of the weights, and of the variables that exist so far.
        from_config: Whether the optimizer was made from a configuration.

    Raises:
        ValueError: if the backend is not JAX, or a variable has no layout.
    """
    backend = keras.backend.backend()
    expected = "`shard_state` divides the state over the devices of a distribution"
    if backend != "jax":
        found = f"the backend {backend}, and it needs JAX"
        advice = "Set KERAS_BACKEND=jax, or leave `shard_state` out."
    elif mesh() is None:
        found, advice = "no distribution", WHAT_TO_DO
    elif not all(isinstance(x, keras.distribution.TensorLayout) for x in layouts):
        found = "weights or an optimizer made before the distribution was set"
        advice = WHAT_TO_DO
    else:
        return
    if not from_config:
        raise ValueError(
            f"{expected}. Received: shard_state=True and {found}. {advice}"
        )
    warnings.warn(
        f"{expected}. The saved configuration has shard_state=True, and here is "
        f"{found}: the state is kept whole.",
        stacklevel=2,
    )


def check_same_mesh(before: Any) -> None:
    """Raise if the distribution is not the one for which the state was made.

    Raises:
        ValueError: if its devices are others, or there is none.
    """
    now = mesh()
    if now == before:
        return
    had, has = ("no distribution" if x is None else str(x) for x in (before, now))
    raise ValueError(
        "`shard_state` needs the distribution for which the optimizer was built. "
        f"Received: {has}, and it was built with {had}. Set the distribution first, "
        "then make the model and the optimizer again; `save_weights` and "
        "`load_weights` carry the state over."
    )
