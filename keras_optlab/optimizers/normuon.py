"""NorMuon."""

from keras import ops

from keras_optlab.core import (
    Beta,
    Choices,
    FloatOrSchedule,
    LogUniform,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.numerics import ema, mean
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.optimizers.orthogonalized_momentum import (
    OrthogonalizedMomentum,
    nonzero,
    of_matrices,
    rescaled,
)


def of_neurons(weight: Weight) -> Shape | None:
    """Return the shape of one number per output of each matrix."""
    shape = of_matrices(weight)
    return None if shape is None else (*shape[:-2], shape[-1])


class NorMuon(OrthogonalizedMomentum, family="matrix"):
    r"""NorMuon: Muon with a second moment per neuron of the orthogonalized momentum.

    For matrices, with $o_t$ as in `Muon`,

    $$v_t = \beta_2 v_{t-1} + (1 - \beta_2)
      \operatorname{mean}_{\text{in}} (o_t^2), \qquad
      \hat o_t = o_t / \sqrt{v_t},$$
    $$\theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1}
      - 0.2\, \eta \sqrt{\text{in} \cdot \text{out}}\, \hat o_t / \|\hat o_t\|_F$$

    where $v_t$ has an entry for each output. Neurons whose updates are long get shorter
    ones; the root mean square of an update is $0.2\, \eta$, as in Muon. Vectors,
    embeddings and the layer whose outputs are the model's take `AdamW`'s step.

    In the paper, NorMuon needs 22 % fewer steps than Adam at 1.1 billion weights and
    14 % at 5.4 billion. On modded-nanogpt's optimizer track, NorMuon (pull request 276)
    and a Muon tuned after it (323) both need 3250 steps. In Wen et al., 2025,
    arXiv:2509.02046, the gain of all such rules over a tuned AdamW falls from 1.4 at
    0.1 billion weights to 1.1 at 1.2 billion.

    Args:
        learning_rate: $\eta$ >= 0; 0.02 in the authors' code with `"jordan"`.
        beta_2: $\beta_2$ in [0, 1).
        weight_decay: As in `Muon`. The paper has 0.1.
        momentum: As in `Muon`.
        nesterov: As in `Muon`; `True` as in the authors' code, `False` in the paper.
        ns_steps: As in `Muon`.
        coefficients: As in `Muon`.
        gram: As in `Muon`.
        scaling: `"moonlight"` as above and in the paper, or `"jordan"` as in the
            authors' code: the length of $o_t$, times
            $\sqrt{\max(1, \text{out} / \text{in})}$.
        rms_rate: The factor 0.2, > 0; with `None`, an update is as long as $\eta o_t$.
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

    Source: Li et al., 2025, arXiv:2510.05491, Algorithm 1. Kernels are (in, out) here,
    where they are (out, in) there.

    >>> optimizer = NorMuon(1e-3, per_head=True)
    """

    beta_2: FloatOrSchedule = Beta(default=0.95, doc="second-moment decay rate β₂")

    slots = (*OrthogonalizedMomentum.slots, Slot("v_neurons", shape=of_neurons))
    paper = Paper(
        "NorMuon: Making Muon more efficient and scalable",
        "Li et al.",
        2025,
        "2510.05491",
    )
    tuning = Tuning(
        around(1e-2),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "momentum": Choices((0.9, 0.95)),
            "beta_2": Choices((0.9, 0.95, 0.99)),
        },
        use_when="Muon is tuned, and its neurons' updates differ much in length.",
        not_when="Muon does as well: it has one slot and one number to tune less.",
    )

    def scaled(self, o, s, h):
        v = ema(s.v_neurons, mean(ops.square(o), -2), h.beta_2)
        o_hat = o / nonzero(ops.expand_dims(ops.sqrt(v), -2))
        return rescaled(o_hat, o, h), s.next(v_neurons=v)
