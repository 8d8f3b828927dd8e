"""torch's fused kernels on an accelerator, without waiting for the device.

The learning rate, and whether the step is good, are computed on the device and stay
there: kernels take the rate as a tensor, and `found_inf` makes them do nothing. Betas
and epsilon must be numbers. They are read from the device once, and again only after
they have changed. If a schedule drives them, there is no kernel.
"""

from __future__ import annotations

from collections.abc import Callable

from torch.utils.weak import WeakTensorKeyDictionary

from keras_optlab.core import Values
from keras_optlab.core.numerics import BetaTensor
from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.modules import torch_module
from keras_optlab.engine.fused.torch_kernels import CORRECTED, Kernel, Tensors

torch = torch_module()

numbers = WeakTensorKeyDictionary()  # of each scalar variable: its version and number


def number(x: Tensor) -> float | None:
    """Return the number in a variable's tensor; `None` if the step has computed it."""
    if not isinstance(x, torch.nn.Parameter):
        return None
    known = numbers.get(x)
    if known is None or known[0] != x._version:
        known = numbers[x] = x._version, float(x)
    return known[1]


class DeviceStep:
    """What the kernels of one step share.

    Args:
        h: The hyperparameters as `prepare` returned them.
        t: Number of this update, counted from 1.
        decay: Weight decay times the learning rate; `None` for none.
        applies: Whether the step is good; `None`: always.
    """

    def __init__(
        self, h: Values, t: Tensor, decay: Tensor | None, applies: Tensor | None
    ) -> None:
        self.h, self.t = h, t
        one = torch.ones((), dtype=torch.float32, device=t.device)
        self.good = one if applies is None else applies.to(torch.float32)
        self.found_inf = None if applies is None else 1 - self.good
        self.keep = None if decay is None else 1 - decay * self.good

    def decay(self, w: Tensors) -> None:
        """Apply decoupled weight decay."""
        if self.keep is not None:
            torch._foreach_mul_(w, self.keep)

    def subtract(self, x: Tensors, y: Tensors, factor: Tensor | float) -> None:
        """Subtract `factor` times `y` from `x` in one pass."""
        torch._fused_sgd_(
            x,
            y,
            [],
            weight_decay=0.0,
            momentum=0.0,
            lr=factor,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
            found_inf=self.found_inf,
        )


def _adam(step: DeviceStep, slots: set[str]) -> Kernel | None:  # noqa: ARG001
    h = step.h
    rest_1, rest_2 = number(h.beta_1.complement), number(h.beta_2.complement)
    epsilon = number(h.epsilon)
    if rest_1 is None or rest_2 is None or epsilon is None:
        return None
    if h.epsilon_placement == "outside":
        rate, steps = h.learning_rate, step.t
    else:
        rate, steps = h.alpha_t, torch.full_like(step.t, CORRECTED)

    def run(w: Tensors, s: dict[str, Tensors], g: Tensors) -> None:
        step.decay(w)
        torch._fused_adamw_(
            w,
            g,
            s["m"],
            s["v"],
            s.get("v_max", []),
            [steps] * len(w),
            amsgrad="v_max" in s,
            beta1=1 - rest_1,
            beta2=1 - rest_2,
            lr=rate,
            weight_decay=0.0,
            eps=epsilon,
            maximize=False,
            found_inf=step.found_inf,
        )

    return run


def _descent(
    step: DeviceStep, keep: Tensor, take: Tensor, factor: Tensor | float
) -> Kernel:
    r"""Return a kernel for $v \leftarrow k v - c g$ and $w \leftarrow w - \eta v$.

    torch's kernel multiplies by the rate after the momentum, where rules with the rate
    in the velocity do it before. So this takes three calls.
    """
    shrink = 1 - (1 - keep) * step.good

    def run(w: Tensors, s: dict[str, Tensors], g: Tensors) -> None:
        step.decay(w)
        torch._foreach_mul_(s["v"], shrink)
        step.subtract(s["v"], g, take)
        step.subtract(w, s["v"], factor)

    return run


def _sgd(step: DeviceStep, slots: set[str]) -> Kernel:
    h = step.h
    if "v" in slots:
        return _descent(step, h.momentum, h.learning_rate, -1.0)

    def run(w: Tensors, s: dict[str, Tensors], g: Tensors) -> None:  # noqa: ARG001
        step.decay(w)
        step.subtract(w, g, h.learning_rate)

    return run


def _momentum(step: DeviceStep, slots: set[str]) -> Kernel:  # noqa: ARG001
    h = step.h
    beta: BetaTensor = h.momentum
    take, factor = {
        "heavy_ball": (h.learning_rate, -1.0),
        "velocity": (-h.learning_rate, 1.0),
        "ema": (-beta.complement, h.learning_rate),
    }[h.form]
    return _descent(step, beta.value, take, factor)


# Each entry returns the kernel, or `None` if there is none for these arguments.
DEVICE_KERNELS: dict[str, Callable[[DeviceStep, set[str]], Kernel | None]] = {
    "adam": _adam,
    "adamw": _adam,
    "momentum": _momentum,
    "sgd": _sgd,
}
