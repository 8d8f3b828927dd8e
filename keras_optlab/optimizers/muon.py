"""Muon."""

from collections.abc import Sequence

from keras_optlab.core import (
    Choices,
    FloatOrSchedule,
    Hyper,
    LogUniform,
    Option,
    Paper,
    Tuning,
    around,
)
from keras_optlab.core.matrices import update_scale
from keras_optlab.core.matrix_arguments import WhichMatrices
from keras_optlab.core.newton_schulz import (
    COEFFICIENTS,
    check_coefficients,
    check_singular_values,
)
from keras_optlab.optimizers.orthogonalized_momentum import OrthogonalizedMomentum

POLYNOMIAL = ("muon_a", "muon_b", "muon_c")


def check_names(value: object) -> object:
    """Return coefficients in their canonical form, or `"keras"`."""
    return check_coefficients(value, ("keras", *COEFFICIENTS))


class Muon(OrthogonalizedMomentum, family="matrix"):
    r"""Muon: momentum, orthogonalized by Newton-Schulz iterations; AdamW for the rest.

    For matrices, where Newton-Schulz $\operatorname{NS}$ brings singular values near 1,

    $$m_t = \mu m_{t-1} + g_t, \qquad
      o_t = \operatorname{NS}(g_t + \mu m_t), \qquad
      \theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1} - \eta\, c\, o_t$$

    and $c = 0.2 \sqrt{\max(\text{in}, \text{out})}$, which makes an update about as
    long as AdamW's. Vectors, scalars, embeddings and what `exclude_layers` or
    `Group("head", adamw=True)` selects take `AdamW`'s step.

    `matrices="layers"` is for most models: it sees the kernels of attention,
    convolutions and recurrent layers as the matrices that these layers multiply by,
    and gives AdamW's step to the layer whose outputs are the model's. By default, as in
    Keras, such kernels take AdamW's step and the last layer does not: select it.
    `describe` shows what each weight is.

    An iteration on $n \times k$ weights, $n \ge k$, takes $4 n k^2 + 2 k^3$ operations,
    far more than the rest of a step at small batches. `period` reuses a direction for
    several updates, and `max_size` leaves out the largest matrices.

    Positional arguments have the order of Keras' class.

    Args:
        learning_rate: $\eta$ >= 0.
        weight_decay: $\lambda$ >= 0 for matrices.
        momentum: $\mu$ in [0, 1).
        nesterov: Whether momentum is Nesterov's; else $o_t = \operatorname{NS}(m_t)$.
        ns_steps: Number of Newton-Schulz iterations >= 1.
        coefficients: Coefficients $(a, b, c)$ of each iteration: `"keras"`, those of
            `muon_a`, `muon_b` and `muon_c`; `"polar_express"` (Amsel et al.),
            `"quintic"` (You), `"jordan"`, or a sequence of triples. The last triple is
            repeated. Polar Express converges, the others stay within about 0.3 of 1.
        gram: Whether a matrix with one side at least twice as long as the other
            iterates on its small Gram matrix, which takes $8 n k^2 + 28 k^3$ operations
            in place of $20 n k^2 + 10 k^3$ for five iterations. It is as accurate where
            products are in float32; where they are rounded to TensorFloat-32 or
            bfloat16, as JAX and TensorFlow do on accelerators, it is not. Weights in
            half precision never use it.
        scaling: `"moonlight"` as above (Liu et al.), or `"jordan"`,
            $c = \sqrt{\max(1, \text{out} / \text{in})}$, for rates of about 0.02.
        rms_rate: The factor 0.2 in $c$, > 0; with `None`, as in Keras, $c = 1$.
        period: Number of updates >= 1 that use the same $o_t$.
        max_size: A matrix whose shorter side is longer than this takes AdamW's step.
        matrices: `"keras"`: weights of two axes, as in Keras; `"layers"`: as each
            layer uses its weights, without the layer whose outputs are the model's.
        axes: With `"layer"`, `matrices` decides. In a `Group`: `(inputs, outputs)`,
            each an axis or a tuple of axes, for weights where it decides wrongly;
            other axes count matrices. `None`: AdamW's step.
        per_head: Whether each head of an attention is a matrix of its own.
        exclude_layers: Regular expressions; weights with a match in their path take
            AdamW's step.
        exclude_embeddings: Whether embeddings take AdamW's step.
        adamw: Whether weights take AdamW's step; set it in a `Group`.
        adam_lr_ratio: Factor >= 0 on AdamW's rate, but not on its weight decay.
        adam_weight_decay: AdamW's weight decay >= 0.
        adam_beta_1: $\beta_1$ in [0, 1).
        adam_beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ >= 0 of AdamW, placed as `"hat"` in `Adam`.
        muon_a: Coefficient of $X$ in an iteration.
        muon_b: Coefficient of $A X$, with $A = X X^\top$.
        muon_c: Coefficient of $A^2 X$. Coefficients that do not bring singular values
            near 1 are refused when the optimizer is built.
        **kwargs: Arguments of every `Optimizer`.

    Source: Jordan et al. (2024); Liu et al., 2025, arXiv:2502.16982, for the scaling;
    Amsel et al., 2025, arXiv:2505.16932, Algorithm 1, for Polar Express. Its table here
    is the paper's; those of timm and pytorch_optimizer are of another version.
    Kernels are (in, out) here, where the authors' and torch's are (out, in).

    >>> from keras_optlab import Group
    >>> optimizer = Muon(1e-3, groups=[Group("head", adamw=True)])
    """

    coefficients: str | Sequence[Sequence[float]] = Option(
        default="keras", check=check_names, doc="coefficients of NS"
    )
    matrices: str = WhichMatrices(default="keras")
    muon_a: FloatOrSchedule = Hyper(default=3.4445, doc="coefficient a")
    muon_b: FloatOrSchedule = Hyper(default=-4.775, within="< 0", doc="coefficient b")
    muon_c: FloatOrSchedule = Hyper(default=2.0315, within=">= 0", doc="coefficient c")

    paper = Paper(
        "Muon: An optimizer for hidden layers in neural networks", "Jordan et al.", 2024
    )
    tuning = Tuning(
        around(1e-2),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "momentum": Choices((0.9, 0.95)),
            "matrices": Choices(("keras", "layers")),
        },
        use_when="Most weights are in hidden matrices, and few updates should do.",
        not_when="Batches are small on a CPU: Newton-Schulz outweighs the gradient.",
    )
    keras_twin = "Muon"

    def as_matrices(self, weight):
        h = weight.values
        triple = h.muon_a, h.muon_b, h.muon_c
        if h.coefficients == "keras" and not any(map(callable, triple)):
            names = zip(POLYNOMIAL, triple, strict=True)
            received = ", ".join(f"{name}={value!r}" for name, value in names)
            check_singular_values([triple], received)
        return super().as_matrices(weight)

    def triples(self, h):
        if h.coefficients == "keras":
            return [(h.muon_a, h.muon_b, h.muon_c)] * h.ns_steps
        return super().triples(h)

    def scaled(self, o, s, h):
        return update_scale(o.shape[-2:], h.scaling, h.rms_rate) * o, s
