"""Rules written in place with torch's combined operations, for one weight at a time.

Keras' optimizers on torch work in place. A rule as written here makes a new tensor in
each operation, which takes two to three times as long on a CPU. These are the rules
that have a twin in Keras and no kernel in torch. They run until a rule is compiled.
"""

from __future__ import annotations

from collections.abc import Callable

from keras_optlab.core import Values
from keras_optlab.core.numerics import BetaTensor
from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.modules import torch_module

Step = Callable[[Tensor, dict[str, Tensor], Tensor], None]  # weight, slots, gradient

torch = torch_module()


def in_place_step(name: str, h: Values, slots: set[str], decay: float) -> Step | None:
    """Return the step of a rule in place, or `None` if there is none.

    Args:
        name: Name of the optimizer in the registry.
        h: The hyperparameters as `prepare` returned them.
        slots: Names of the slots.
        decay: Weight decay times the learning rate.
    """
    make = IN_PLACE.get(name)
    change = make(h, slots) if make else None
    if change is None:
        return None

    def step(w: Tensor, s: dict[str, Tensor], g: Tensor) -> None:
        if decay:
            w.mul_(1 - decay)
        change(w, s, g)

    return step


def _lion(h: Values, slots: set[str]) -> Step:  # noqa: ARG001
    rate, near, far = float(h.learning_rate), _rest(h.beta_1), _rest(h.beta_2)

    def change(w: Tensor, s: dict[str, Tensor], g: Tensor) -> None:
        w.add_(torch.lerp(s["m"], g, near).sign_(), alpha=-rate)
        s["m"].lerp_(g, far)

    return change


def _adagrad(h: Values, slots: set[str]) -> Step:  # noqa: ARG001
    rate, divisor = float(h.learning_rate), _root(h, h.epsilon)

    def change(w: Tensor, s: dict[str, Tensor], g: Tensor) -> None:
        total = s["accumulator"].addcmul_(g, g)
        w.addcdiv_(g, divisor(total), value=-rate)

    return change


def _rmsprop(h: Values, slots: set[str]) -> Step | None:
    if slots != {"velocity"}:
        return None  # centered, or with momentum
    rate, rest, divisor = float(h.learning_rate), _rest(h.rho), _root(h, h.epsilon)

    def change(w: Tensor, s: dict[str, Tensor], g: Tensor) -> None:
        v = s["velocity"].mul_(1 - rest).addcmul_(g, g, value=rest)
        w.addcdiv_(g, divisor(v), value=-rate)

    return change


def _nadam(h: Values, slots: set[str]) -> Step:  # noqa: ARG001
    of_m, of_g = float(h.alpha_m), float(h.alpha_g)
    rest_1, rest_2 = _rest(h.beta_1), _rest(h.beta_2)
    epsilon = float(h.epsilon_t)

    def change(w: Tensor, s: dict[str, Tensor], g: Tensor) -> None:
        m = s["m"].lerp_(g, rest_1)
        v = s["v"].mul_(1 - rest_2).addcmul_(g, g, value=rest_2)
        u = torch.mul(m, of_m).add_(g, alpha=of_g)
        w.addcdiv_(u, v.sqrt().add_(epsilon), value=-1)

    return change


def _rest(beta: BetaTensor) -> float:
    return float(beta.complement)


def _root(h: Values, epsilon: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the function of the second moment that divides the step."""
    small = float(epsilon)
    if h.epsilon_placement == "inside":
        return lambda v: (v + small).sqrt_()
    return lambda v: v.sqrt().add_(small)


# Each entry returns the change without weight decay, or `None` if these arguments
# have none: from the hyperparameters and the names of the slots.
IN_PLACE: dict[str, Callable[[Values, set[str]], Step | None]] = {
    "adagrad": _adagrad,
    "lion": _lion,
    "nadam": _nadam,
    "rmsprop": _rmsprop,
}
