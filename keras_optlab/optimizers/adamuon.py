"""AdaMuon."""

from keras import ops

from keras_optlab.core import (
    Beta,
    Choices,
    Flag,
    FloatOrSchedule,
    LogUniform,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.numerics import ema
from keras_optlab.optimizers.orthogonalized_momentum import (
    OrthogonalizedMomentum,
    of_matrices,
    rescaled,
)


class AdaMuon(OrthogonalizedMomentum, family="matrix"):
    r"""AdaMuon: Muon with a second moment per weight of the orthogonalized momentum.

    For matrices, with $m_t = \mu m_{t-1} + g_t$,

    $$o_t = \operatorname{NS}(\operatorname{sign}(g_t + \mu m_t)), \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, o_t^2, \qquad
      \hat o_t = o_t / (\sqrt{v_t} + \epsilon),$$
    $$\theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1}
      - 0.2\, \eta \sqrt{\text{in} \cdot \text{out}}\, \hat o_t / \|\hat o_t\|_F$$

    with $\epsilon = 10^{-8}$. Vectors, embeddings and the layer whose outputs are the
    model's take `AdamW`'s step.

    The NorMuon paper, arXiv:2510.05491, finds this rule better without the sign, and
    better than Muon, but not as good as a second moment per neuron (`NorMuon`), which
    needs half the memory. In Wen et al., 2025, arXiv:2509.02046, the gain of all such
    rules over a tuned AdamW falls from 1.4 at 0.1 billion weights to 1.1 at 1.2.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_2: $\beta_2$ in [0, 1). The authors' code uses $\mu$ for both.
        sign: Whether Newton-Schulz receives the sign of the momentum, as in the
            authors' code; else the momentum, as in timm and pytorch_optimizer.
        weight_decay: As in `Muon`; 0.01 in the authors' code.
        momentum: As in `Muon`.
        nesterov: As in `Muon`; `True` as in the authors' code, `False` in timm.
        ns_steps: As in `Muon`.
        coefficients: As in `Muon`; `"quintic"` in timm.
        gram: As in `Muon`.
        scaling: As in `NorMuon`; `"moonlight"` as above.
        rms_rate: As in `NorMuon`.
        period: As in `Muon`.
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

    Source: Si et al., 2025, arXiv:2507.11005, and the authors' code of August 2025.

    >>> optimizer = AdaMuon(1e-3, sign=False)
    """

    beta_2: FloatOrSchedule = Beta(default=0.95, doc="second-moment decay rate β₂")
    sign: bool = Flag(default=True, doc="orthogonalize the sign of the momentum")

    slots = (
        *OrthogonalizedMomentum.slots,
        Slot("v_matrix", shape=of_matrices, short=True),
    )
    paper = Paper("AdaMuon: Adaptive Muon optimizer", "Si et al.", 2025, "2507.11005")
    tuning = Tuning(
        around(1e-2),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "momentum": Choices((0.9, 0.95)),
            "sign": Choices((False, True)),
        },
        use_when="Muon's direction should also adapt to each weight, as Adam's does.",
        not_when="Memory is short: NorMuon adapts too, with one number per neuron.",
    )

    def orthogonalized(self, x, h):
        return super().orthogonalized(ops.sign(x) if h.sign else x, h)

    def scaled(self, o, s, h):
        v = ema(s.v_matrix, ops.square(o), h.beta_2)
        o_hat = o / (ops.sqrt(v) + 1e-8)
        return rescaled(o_hat, o, h), s.next(v_matrix=v)
