"""TensorFlow's own kernels: a rule and its step in one pass over memory.

A kernel is listed here if it computes exactly the rule of that name. It saves the
passes that compiled code still makes, one for each slot. Kernels compute 1 - beta in
float32, so scalars must be prepared from betas rounded by `rounded_as_kernels`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_optlab.core import Values
from keras_optlab.core.numerics import BetaTensor
from keras_optlab.core.types import Tensor

Handle = Any
Kernel = Callable[..., Any]  # of a weight's handle, its slots' handles, and a gradient


def has_kernel(name: str, values: Values) -> bool:
    """Return whether a kernel computes this rule, also where XLA compiles everything.

    Args:
        name: Name of the optimizer in the registry.
        values: Its arguments.
    """
    given = vars(values)
    return (
        name in KERNELS
        and given.get("form", "heavy_ball") == "heavy_ball"
        and given.get("epsilon_placement") != "inside"
        and not given.get("amsgrad")  # XLA does not support its kernel
        and given["l1_proximal"] is None
    )


def rounded_as_kernels(h: Values) -> Values:
    """Return hyperparameters with betas as a kernel rounds them."""
    return Values(
        **{
            name: BetaTensor(1 - x.value) if isinstance(x, BetaTensor) else x
            for name, x in h.items()
        }
    )


def _raw() -> Any:
    import tensorflow as tf

    return tf.raw_ops


def _descent(h: Values) -> Kernel:
    def run(w: Handle, s: dict[str, Handle], g: Tensor) -> None:  # noqa: ARG001
        _raw().ResourceApplyGradientDescent(var=w, alpha=h.learning_rate, delta=g)

    return run


def _velocity(h: Values, momentum: Tensor, nesterov: bool) -> Kernel:
    def run(w: Handle, s: dict[str, Handle], g: Tensor) -> None:
        _raw().ResourceApplyKerasMomentum(
            var=w,
            accum=s["v"],
            lr=h.learning_rate,
            grad=g,
            momentum=momentum,
            use_nesterov=nesterov,
        )

    return run


def _sgd(h: Values, slots: set[str]) -> Kernel:
    return _velocity(h, h.momentum, h.nesterov) if "v" in slots else _descent(h)


def _momentum(h: Values, slots: set[str]) -> Kernel:  # noqa: ARG001
    return _velocity(h, h.momentum.value, nesterov=False)


def _adam(h: Values, slots: set[str]) -> Kernel:  # noqa: ARG001
    def run(w: Handle, s: dict[str, Handle], g: Tensor) -> None:
        _raw().ResourceApplyAdam(
            var=w,
            m=s["m"],
            v=s["v"],
            beta1_power=0.0,  # the rate has both bias corrections
            beta2_power=0.0,
            lr=h.alpha_t,
            beta1=h.beta_1.value,
            beta2=h.beta_2.value,
            epsilon=h.epsilon_t,
            grad=g,
        )

    return run


def _adamax(h: Values, slots: set[str]) -> Kernel:  # noqa: ARG001
    def run(w: Handle, s: dict[str, Handle], g: Tensor) -> None:
        _raw().ResourceApplyAdaMax(
            var=w,
            m=s["m"],
            v=s["u"],
            beta1_power=0.0,  # the rate has the bias correction
            lr=h.alpha_t,
            beta1=h.beta_1.value,
            beta2=h.beta_2.value,
            epsilon=h.epsilon,
            grad=g,
        )

    return run


def _adadelta(h: Values, slots: set[str]) -> Kernel:  # noqa: ARG001
    def run(w: Handle, s: dict[str, Handle], g: Tensor) -> None:
        _raw().ResourceApplyAdadelta(
            var=w,
            accum=s["accumulated_grad"],
            accum_update=s["accumulated_delta"],
            lr=h.learning_rate,
            rho=h.rho.value,
            epsilon=h.epsilon,
            grad=g,
        )

    return run


def _ftrl(h: Values, slots: set[str]) -> Kernel:  # noqa: ARG001
    def apply(w: Handle, s: dict[str, Handle], g: Tensor) -> int:
        _raw().ResourceApplyFtrlV2(
            var=w,
            accum=s["accumulator"],
            linear=s["linear"],
            grad=g,
            lr=h.learning_rate,
            l1=h.l1_regularization_strength,
            l2=h.l2_regularization_strength + h.beta / (2 * h.learning_rate),
            l2_shrinkage=h.l2_shrinkage_regularization_strength,
            lr_power=h.learning_rate_power,
        )
        return 0

    def run(w: Handle, s: dict[str, Handle], g: Tensor) -> None:
        import tensorflow as tf

        moves = h.learning_rate > 0  # the kernel divides by it
        tf.cond(moves, lambda: apply(w, s, g), lambda: 0)

    return run


# Each entry returns the kernel, given hyperparameters as `prepare` returned them, and
# the names of the slots.
KERNELS: dict[str, Callable[[Values, set[str]], Kernel]] = {
    "adadelta": _adadelta,
    "adam": _adam,
    "adamax": _adamax,
    "adamw": _adam,
    "ftrl": _ftrl,
    "momentum": _momentum,
    "sgd": _sgd,
}

PREFER_KERNEL = {"ftrl"}  # faster for small weights too: XLA is slow at powers
