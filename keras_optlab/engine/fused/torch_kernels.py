"""torch's own kernels: a rule and its step in one pass over memory.

A kernel is listed here if it computes exactly the rule of that name. It takes any
number of weights at once. It gets the rule's bias-corrected rate, and a step count so
large that its own bias corrections are 1.
"""

from __future__ import annotations

from collections.abc import Callable

from keras_optlab.core import Values
from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.modules import torch_module

Tensors = list[Tensor]
Kernel = Callable[..., None]  # of weights, their slots by name, and their gradients

torch = torch_module()

CORRECTED = 1e9  # steps, after which torch's bias corrections are 1


def has_kernel(name: str, values: Values) -> bool:
    """Return whether a kernel computes the rule of this name.

    Args:
        name: Name of the optimizer in the registry.
        values: Its arguments.
    """
    given = vars(values)
    return (
        name in KERNELS
        and not given.get("nesterov")
        and given.get("epsilon_placement") != "inside"
        and given["l1_proximal"] is None
    )


def _adam(h: Values, slots: set[str], decay: float) -> Kernel | None:  # noqa: ARG001
    rate = float(h.alpha_t)
    if rate == 0:
        return None

    def run(w: Tensors, s: dict[str, Tensors], g: Tensors) -> None:
        torch._fused_adamw_(
            w,
            g,
            s["m"],
            s["v"],
            s.get("v_max", []),
            [torch.tensor(CORRECTED)] * len(w),
            amsgrad="v_max" in s,
            beta1=1 - float(h.beta_1.complement),
            beta2=1 - float(h.beta_2.complement),
            lr=rate,
            weight_decay=decay / rate,  # torch multiplies it by `lr`
            eps=float(h.epsilon_t),
            maximize=False,
        )

    return run


def _descent(decay: float, rate: float, keep: float = 0.0, take: float = 1.0) -> Kernel:
    r"""Return a kernel for $v \leftarrow k v + c g$ and $w \leftarrow w - \eta v$."""

    def run(w: Tensors, s: dict[str, Tensors], g: Tensors) -> None:
        if decay:
            torch._foreach_mul_(w, 1 - decay)
        if not s:
            # one pass too; the fused kernel starts all threads for each small weight
            torch._foreach_add_(w, g, alpha=-rate)
            return
        torch._fused_sgd_(
            w,
            g,
            s["v"],
            weight_decay=0.0,
            momentum=keep,
            lr=rate,
            dampening=1 - take,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )

    return run


def _sgd(h: Values, slots: set[str], decay: float) -> Kernel | None:
    rate, keep = float(h.learning_rate), float(h.momentum)
    if "v" not in slots:
        return _descent(decay, rate)
    # torch ignores the slot if momentum is 0
    return _descent(decay, -1.0, keep, -rate) if keep else None


def _momentum(h: Values, slots: set[str], decay: float) -> Kernel | None:  # noqa: ARG001
    rate, rest = float(h.learning_rate), float(h.momentum.complement)
    step, take = {
        "heavy_ball": (-1.0, -rate),
        "velocity": (1.0, rate),
        "ema": (rate, rest),
    }[h.form]
    return None if rest == 1 else _descent(decay, step, 1 - rest, take)


# Each entry returns the kernel, or `None` if there is none for these arguments: the
# hyperparameters as `prepare` returned them, the names of the slots, and weight decay
# times the learning rate.
KERNELS: dict[str, Callable[[Values, set[str], float], Kernel | None]] = {
    "adam": _adam,
    "adamw": _adam,
    "momentum": _momentum,
    "sgd": _sgd,
}
