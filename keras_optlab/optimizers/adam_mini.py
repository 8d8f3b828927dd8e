"""Adam-mini."""

from keras import ops

from keras_optlab.core import (
    Beta,
    Choices,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.axes import AxesLike, LayerAxes
from keras_optlab.core.numerics import ema, mean, one_minus_power
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.engine import Optimizer


def blocks(weight: Weight) -> Shape:
    """Return the shape seen, with 1 for the axes that share a second moment."""
    found = weight.matrices
    if found is None:
        return (1,) * len(weight.shape)
    *batch, rows, columns = found.shape
    if found.role == "embedding":
        return (*batch, rows, 1)  # one per token
    return (*batch, 1, 1 if is_query_or_key(weight) else columns)


def is_query_or_key(weight: Weight) -> bool:
    """Return whether a weight makes the queries or keys of an attention."""
    heads = weight.matrices is not None and weight.matrices.heads is not None
    return heads and any(x in weight.path.lower() for x in ("query", "key"))


class AdamMini(Optimizer, family="memory-efficient"):
    r"""Adam-mini: Adam with one second moment per block of weights, such as a neuron.

    With $\operatorname{mean}_b$ over the entries of block $b$,

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad
      v_t^{(b)} = \beta_2 v_{t-1}^{(b)} + (1 - \beta_2) \operatorname{mean}_b g_t^2,$$
    $$\theta_t = \theta_{t-1} - \eta\,
      \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t^{(b)} / (1 - \beta_2^t)} + \epsilon}$$

    There is one block per output for kernels, per token for embeddings, per head for
    the queries and keys of an attention (`query`, `key` in the path). A vector is one
    block.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ >= 0.
        axes: In a `Group`: `(inputs, outputs)`, each an axis or a tuple of axes, for
            weights whose layer does not tell them; other axes count matrices. `None`:
            the step of vectors.
        **kwargs: Arguments of every `Optimizer`.

    Source: Zhang et al., 2024, arXiv:2406.16793, Algorithms 1 and 2.

    >>> optimizer = AdamMini(1e-3, weight_decay=0.1)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")
    axes: AxesLike = LayerAxes()

    elementwise = False
    sees_matrices = True
    slots = (Slot("m"), Slot("v", shape=blocks))
    paper = Paper(
        "Adam-mini: Use fewer learning rates to gain more",
        "Zhang et al.",
        2024,
        "2406.16793",
    )
    tuning = Tuning(
        around(3e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "beta_2": Choices((0.95, 0.99, 0.999)),
        },
        use_when="A transformer should train as with AdamW, at half of its memory.",
        not_when="Layers have unusual names or axes, from which its blocks follow.",
    )

    def as_matrices(self, weight):
        found = weight.matrices
        return found.per_head() if found and is_query_or_key(weight) else found

    def prepare(self, h, t, z):
        bias_1, bias_2 = one_minus_power(h.beta_1, t), one_minus_power(h.beta_2, t)
        return h.extend(bias_1=bias_1, bias_2=bias_2), z

    def update(self, w, g, s, h, t):
        axes = [i for i, n in enumerate(s.v.shape) if n != w.shape[i]]
        squared = ops.square(g)
        if axes:
            squared = mean(squared, axes, keepdims=True)
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, squared, h.beta_2)
        u = m / h.bias_1 / (ops.sqrt(v / h.bias_2) + h.epsilon)
        return -h.learning_rate * u, s.next(m=m, v=v)
