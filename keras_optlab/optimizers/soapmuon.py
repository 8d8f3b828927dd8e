"""SOAP-Muon."""

import math

from keras import ops

from keras_optlab.core import (
    Beta,
    Choices,
    FloatOrSchedule,
    Hyper,
    LogUniform,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.matrices import eigh, frobenius, recompute_if_due, transposed
from keras_optlab.core.numerics import ema
from keras_optlab.core.periods import is_due
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.optimizers.orthogonalized_momentum import (
    OrthogonalizedMomentum,
    nonzero,
    of_adamw,
    of_matrices,
    rescaled,
)

CUBIC = (1.5, -0.5, 0.0)  # Newton-Schulz iterations that converge


def wide_matrices(weight: Weight) -> Shape | None:
    """Return the shape of matrices with the shorter side first."""
    shape = of_matrices(weight)
    return None if shape is None else (*shape[:-2], *sorted(shape[-2:]))


def of_shorter_side(weight: Weight) -> Shape | None:
    """Return the shape of the square matrices of the shorter side."""
    shape = wide_matrices(weight)
    return None if shape is None else (*shape[:-1], shape[-2])


class SOAPMuon(OrthogonalizedMomentum, family="matrix"):
    r"""SOAP-Muon: SOAP on the shorter side of a matrix, orthogonalized as in Muon.

    A matrix $G$ has as many rows as its shorter side is long; otherwise it is
    transposed. $Q$ holds the eigenvectors of $L_t = \beta_2 L_{t-1} + (1 - \beta_2) G_t
    G_t^\top$, and a hat means rotated into them, $\hat x = Q^\top x$:

    $$m_t = \mu m_{t-1} + (1 - \mu) g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, \hat g_t^2,$$
    $$o_t = \operatorname{NS}\Bigl(
        \frac{\hat m_t + (1 - \mu) \hat g_t}{\sqrt{v_t}} \Bigr), \qquad
      d_t = Q \operatorname{sign}(o_t) \sqrt{|o_t|}, \qquad
      \theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1}
      - 0.2\, \eta \sqrt{\text{in} \cdot \text{out}}\, d_t / \|d_t\|_F$$

    with Newton-Schulz iterations $\operatorname{NS}$ as in `Muon` and two more that
    converge. The first gradient only initializes the basis. Every $f$ updates, $Q$ is
    renewed as in `SOAP`. Vectors, embeddings and the layer whose outputs are the
    model's take `AdamW`'s step.

    The authors call their experiments preliminary. At a batch of two million tokens,
    they see lower losses than with Muon and SOAP; at half a million, the gap to Muon
    is 0.005.

    Args:
        learning_rate: $\eta$ >= 0; 0.02 to 0.03 in the authors' runs with `"jordan"`.
        beta_2: $\beta_2$ in [0, 1).
        weight_decay: As in `Muon`; 0 in the authors' code.
        momentum: $\mu$ in [0, 1).
        nesterov: Whether $\hat g_t$ is added as above, as in the authors' runs.
        ns_steps: As in `Muon`, without the two last ones; 10 in the authors' runs.
        coefficients: As in `Muon`.
        gram: As in `Muon`.
        scaling: `"moonlight"` as above, or `"jordan"` as in the authors' code: the
            length of an orthogonal matrix, times
            $\sqrt{\max(1, \text{out} / \text{in})}$.
        rms_rate: The factor 0.2, > 0; with `None`, an update has the length of an
            orthogonal matrix, times $\eta$.
        period: $f$ >= 1 updates between steps of $Q$.
        max_size: As in `Muon`.
        matrices: As in `Muon`, but `"layers"` by default.
        axes: As in `Muon`.
        per_head: As in `Muon`.
        exclude_layers: As in `Muon`.
        exclude_embeddings: As in `Muon`.
        adamw: As in `Muon`.
        adam_lr_ratio: As in `Muon`.
        adam_weight_decay: As in `Muon`.
        adam_beta_1: As in `Muon`.
        adam_beta_2: As in `Muon`.
        epsilon: As in `Muon`.
        **kwargs: Arguments of every `Optimizer`.

    Source: Vyas et al. (2025), Improving SOAP using iterative whitening and Muon, and
    the authors' code, whose first steps are up to three times as long: it multiplies
    updates of fixed length by Adam's bias correction.

    >>> optimizer = SOAPMuon(3e-3, period=1)
    """

    beta_2: FloatOrSchedule = Beta(default=0.98, doc="second-moment decay rate β₂")
    ns_steps: int = Hyper(
        default=10, within=">= 1", integer=True, adjustable=False, doc="NS iterations"
    )
    period: int = Hyper(
        default=10, within=">= 1", integer=True, adjustable=False, doc="basis period f"
    )
    momentum: FloatOrSchedule = Beta(default=0.95, doc="momentum μ")

    slots = (
        Slot("m"),
        Slot("v", shape=of_adamw, short=True),
        Slot("v_matrix", shape=wide_matrices, short=True),
        Slot("l", shape=of_shorter_side),
        Slot("q", shape=of_shorter_side),
    )
    paper = Paper(
        "Improving SOAP using iterative whitening and Muon", "Vyas et al.", 2025
    )
    tuning = Tuning(
        around(1e-2),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "period": Choices((1, 10, 40)),
        },
        use_when="Batches are very large, and updates count more than their cost.",
        not_when="Muon or SOAP alone does: this has the cost of both.",
    )

    def prepare(self, h, t, z):
        h, z = super().prepare(h, t, z)
        due = ops.logical_and(t > 1, is_due(h.count, h.period))
        later, due = (ops.where(x, 1.0, 0.0) for x in (t > 1, due))
        return h.extend(later=later, due=due), z

    def triples(self, h):
        return [*super().triples(h), CUBIC, CUBIC]

    def matrix_direction(self, g, s, h):
        tall = g.shape[-2] > g.shape[-1]
        g, m = (transposed(x) if tall else x for x in (g, s.m))
        m = m + h.later * (1 - h.momentum) * (g - m)
        inverse = transposed(s.q)
        turned, x = inverse @ g, inverse @ m
        change = ops.square(turned) - s.v_matrix
        v = s.v_matrix + h.later * (1 - h.beta_2) * change
        x = x + (1 - h.momentum) * turned if h.nesterov else x
        o = self.orthogonalized(x / nonzero(ops.sqrt(v)), h)
        root = ops.sign(o) * ops.sqrt(ops.abs(o))
        length = math.sqrt(g.shape[-2])  # that of an orthogonal matrix
        d = s.q @ (length / nonzero(frobenius(root)) * root)
        total = ema(s.l, g @ transposed(g), h.beta_2)
        q, v = self.next_basis(total, s.q, v, h)
        d, m = (transposed(x) if tall else x for x in (d, m))
        return d, s.next(m=m, v_matrix=v, l=total, q=q)

    def next_basis(self, total, q, v, h):
        """Return the basis, if due one power iteration further, and the second moment.

        Both are ordered by the estimated eigenvalues.
        """
        product = total @ q
        found = ops.argsort(-ops.sum(q * product, -2), axis=-1)
        as_it_is = ops.arange(found.shape[-1], dtype=found.dtype)
        order = ops.where(h.due > 0, found, as_it_is)

        def power_step():
            columns = ops.expand_dims(order, -2)
            return ops.qr(ops.take_along_axis(product, columns, axis=-1))[0]

        def first():
            return ops.flip(eigh(total)[1], -1)

        q = recompute_if_due(h.due > 0, power_step, q)
        q = recompute_if_due(h.later < 1, first, q)
        return q, ops.take_along_axis(v, ops.expand_dims(order, -1), axis=-2)

    def scaled(self, o, s, h):
        return rescaled(o, o, h), s
