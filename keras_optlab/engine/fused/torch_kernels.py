"""torch's own kernels: a rule and the step it makes in one pass over memory.

A kernel stands here if it computes exactly what the rule of that name does. It is
given the rule's own corrected rate, so its step count is one at which it has none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from keras_optlab.core import Record

Tensor = Any
Kernel = Callable[..., None]  # of a weight, its slots, and a gradient

CORRECTED = 1e9  # steps, after which torch's bias corrections are 1


def kernel_for(name: str, h: Record, slots: set[str], decays: bool) -> Kernel | None:
    """Return the kernel that is the rule of this name, or `None`.

    Args:
        name: Name of the optimizer in the registry.
        h: Its hyperparameters, as `prepare` returned them.
        slots: Names of its slots.
        decays: Whether the weight decays by `h.weight_decay`.
    """
    choose = KERNELS.get(name)
    return choose(h, slots, decays) if choose else None


def _adam(h: Record, slots: set[str], decays: bool) -> Kernel | None:
    rate = float(h.alpha_t)
    if h.epsilon_placement == "inside" or rate == 0:
        return None
    # torch's decay is by its rate, which here is the corrected one
    decay = float(h.weight_decay * h.learning_rate) / rate if decays else 0.0

    def run(w: Tensor, s: dict[str, Tensor], g: Tensor) -> None:
        adam(
            [w],
            [g],
            [s["m"]],
            [s["v"]],
            [s["v_max"]] if "v_max" in s else [],
            [torch.tensor(CORRECTED)],
            fused=True,
            decoupled_weight_decay=True,
            amsgrad="v_max" in slots,
            beta1=1 - float(h.beta_1.rest),
            beta2=1 - float(h.beta_2.rest),
            lr=rate,
            weight_decay=decay,
            eps=float(h.epsilon_t),
            maximize=False,
        )

    return run


def _descent(
    w: Tensor,
    s: dict[str, Tensor],
    g: Tensor,
    *,
    rate: float,
    keep: float = 0.0,
    take: float = 1.0,
    decay: float,
) -> None:
    r"""Run $v \leftarrow k v + c g$ and $w \leftarrow w - \eta v$."""
    if decay:
        w.mul_(1 - decay)
    sgd(
        [w],
        [g],
        [s["v"]] if "v" in s else [None],
        fused=True,
        weight_decay=0.0,
        momentum=keep,
        lr=rate,
        dampening=1 - take,
        nesterov=False,
        maximize=False,
    )


def _sgd(h: Record, slots: set[str], decays: bool) -> Kernel | None:
    rate, decay = float(h.learning_rate), _decay(h, decays)
    if "v" not in slots:
        return partial(_descent, rate=rate, decay=decay)
    keep = float(h.momentum)
    if h.nesterov or keep == 0:  # to torch, no momentum is no slot
        return None
    return partial(_descent, rate=-1.0, keep=keep, take=-rate, decay=decay)


def _momentum(h: Record, slots: set[str], decays: bool) -> Kernel | None:  # noqa: ARG001
    rate, rest, decay = (
        float(h.learning_rate),
        float(h.momentum.rest),
        _decay(h, decays),
    )
    factors = {
        "heavy_ball": {"rate": -1.0, "take": -rate},
        "velocity": {"rate": 1.0, "take": rate},
        "ema": {"rate": rate, "take": rest},
    }
    if rest == 1:
        return None
    return partial(_descent, keep=1 - rest, decay=decay, **factors[h.form])


def _decay(h: Record, decays: bool) -> float:
    return float(h.weight_decay * h.learning_rate) if decays else 0.0


KERNELS: dict[str, Callable[[Record, set[str], bool], Kernel | None]] = {
    "adam": _adam,
    "adamw": _adam,
    "momentum": _momentum,
    "sgd": _sgd,
}
