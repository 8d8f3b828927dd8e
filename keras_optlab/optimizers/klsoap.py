"""KL-SOAP."""

from functools import partial

from keras import ops

from keras_optlab.core import Choices, LogUniform, Paper, Slot, Tuning, around
from keras_optlab.core.matrices import times_along, unfold
from keras_optlab.core.numerics import ema, maximum
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.optimizers.soap import AXES, SOAP, squared


def eigenvalues(axis: int, weight: Weight) -> Shape | None:
    """Return the shape of an axis' eigenvalues, if the axis is rotated."""
    shape = squared(axis, weight)
    return None if shape is None else shape[:1]


class KLSOAP(SOAP, family="matrix"):
    r"""KL-SOAP: SOAP in the eigenbasis of Kronecker factors fitted by KL divergence.

    The rule is `SOAP`'s with other matrices $L^{(i)}$. In SOAP, the factor of an axis
    is the mean of $G G^\top$, as if the other axes had none. Here, it is the mean after
    the other axes are whitened, so that the Kronecker product of all factors minimizes
    the Kullback-Leibler divergence from the gradients' covariance. For a matrix,

    $$\Delta^{(1)}_t = \tfrac1n G_t S_2^{-1} G_t^\top, \qquad
      \Delta^{(2)}_t = \tfrac1m G_t^\top S_1^{-1} G_t, \qquad
      S_i^{-1} = Q^{(i)} \operatorname{diag}(\lambda^{(i)}_{t-1})^{-1} Q^{(i)\top},$$
    $$L^{(i)}_t = \beta_2 L^{(i)}_{t-1} + (1 - \beta_2) \Delta^{(i)}_t, \qquad
      \lambda^{(i)}_t = \beta_2 \lambda^{(i)}_{t-1} + (1 - \beta_2)
        \operatorname{diag}(Q^{(i)\top} \Delta^{(i)}_t Q^{(i)})$$

    with $m \times n$ gradients $G$, $\lambda_0 = 0.1$ and $\lambda \ge \epsilon$ in the
    inverse. The first gradient is not whitened.

    In the paper, KL-SOAP beats SOAP on four language models of 123 to 227 million
    weights, and KL-Shampoo, without Adam, beats both. At 8 to 72 billion, Khona et al.,
    2026, arXiv:2607.20548, use it with `period=1`, without which SOAP's loss had spikes
    at large batches.

    Args:
        learning_rate: $\eta$ >= 0; 1e-4 in the authors' code, 3e-3 in heavyball.
        beta_1: $\beta_1$ in [0, 1); 0.9 in both.
        beta_2: $\beta_2$ in [0, 1); 0.98 in the authors' code, 0.95 in heavyball.
        period: $f$ >= 1 updates between steps of $Q$.
        max_size: Longest axis that is rotated.
        axes: As in `SOAP`.
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Lin et al., 2025, arXiv:2509.03378, and the authors' code (KL-Methods). The
    step has Adam's bias correction and bases are ordered by eigenvalues, as in SOAP and
    heavyball, but not in the authors' code. heavyball computes $\lambda$ from $L$ and
    $Q$ in each step, where the paper averages it.

    >>> optimizer = KLSOAP(3e-3, period=1)
    """

    slots = (
        *SOAP.slots,
        *(Slot(f"e_{i}", init=0.1, shape=partial(eigenvalues, i)) for i in range(AXES)),
    )
    paper = Paper(
        "Understanding and improving Shampoo and SOAP via Kullback-Leibler "
        "minimization",
        "Lin et al.",
        2025,
        "2509.03378",
    )
    tuning = Tuning(
        around(3e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "period": Choices((1, 5, 10)),
        },
        use_when="SOAP works, and its last bit of progress per update is wanted.",
        not_when="Memory is short or layers wide: it stores all that SOAP does.",
    )

    def outer_product(self, i, g, turned, s, h, t):
        others = [j for j in range(len(g.shape)) if j != i and f"q_{j}" in s]
        white = turned
        for j in others:
            root = ops.sqrt(maximum(getattr(s, f"e_{j}"), h.epsilon))
            along = [-1 if axis == j else 1 for axis in range(len(g.shape))]
            white = white / ops.reshape(root, along)
        white = times_along(white, getattr(s, f"q_{i}"), i)
        rows = ops.where(t < 2, unfold(g, i), unfold(white, i))
        return rows @ ops.transpose(rows) / max(rows.shape[1], 1)

    def next_basis(self, i, outer, s, h, t):
        e, q = getattr(s, f"e_{i}"), getattr(s, f"q_{i}")
        e = ops.where(t < 2, e, ema(e, ops.sum(q * (outer @ q), 0), h.beta_2))
        return super().next_basis(i, outer, s.next(**{f"e_{i}": e}), h, t)

    def reordered(self, i, order, s):
        e = ops.take(getattr(s, f"e_{i}"), order, axis=0)
        return super().reordered(i, order, s).next(**{f"e_{i}": e})
