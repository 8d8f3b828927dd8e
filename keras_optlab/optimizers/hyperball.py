"""Hyperball."""

from keras import ops

from keras_optlab.core import Choices, Flag, Paper, Slot, Tuning
from keras_optlab.core.numerics import norm
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.core.types import Tensor
from keras_optlab.engine.wrapper import Wrapper
from keras_optlab.optimizers.lookahead import Lookahead


def of_fixed_norm(weight: Weight) -> Shape | None:
    """Return the shape of the radius; `None` for weights of free norm."""
    values = weight.values
    embedding = "embedding" in weight.path.lower() and not values.hyperball_embeddings
    return () if len(weight.shape) > 1 and values.hyperball and not embedding else None


class Hyperball(Wrapper, family="normalization"):
    r"""Hyperball: another optimizer's directions, with fixed norms of matrix and step.

    For each matrix, with $u_t$ the inner optimizer's update and $R$ the matrix' initial
    norm,

    $$x = \theta_{t-1} + \eta R\, \frac{u_t}{\|u_t\|}, \qquad
      \theta_t = R\, \frac{x}{\|x\|}$$

    Norms are over all entries, so a kernel of several axes is one matrix. $\eta$ is the
    inner learning rate, and becomes an angle: a matrix turns by about $\eta$ in each
    update, whatever the size of $u_t$ and of the matrix. The same rate then suits other
    widths and depths.

    Weight decay would only act on a norm that is fixed, and is left out for these
    matrices; set `weight_decay=None` inside to leave it out for all weights. Vectors,
    scalars, embeddings, matrices that start at zero, and what
    `Group("head", hyperball=False)` selects take the inner optimizer's update, at the
    same rate. They often want a smaller one, by `Group("*bias", learning_rate=0.1)`.

    Update transforms run after the projection; the next update restores the norm.
    Wrap wrappers that average weights around Hyperball, not the other way round.

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer` with a learning
            rate. `Lookahead` and schedule-free optimizers cannot be wrapped.
        hyperball: Whether norms are fixed; `False` in a `Group` leaves weights out.
        hyperball_embeddings: Whether the norms of embeddings are fixed, too.

    Raises:
        ValueError: if the inner optimizer finds its own learning rate, which the
            normalization would discard, or moves weights to an average.

    Source: Wen, Dang, Lyu, Ma and Liang, 2026, arXiv:2606.16899. There $\eta$ is for
    matrices only, and other weights have a rate of Adam's. HeavyBall's `HyperBallAdamW`
    fixes embeddings, too, and adds weight decay to $u_t$; there and in NVIDIA's
    Emerging-Optimizers, matrices that start at zero stay zero or are refused.

    >>> from keras_optlab import Group, optimizers
    >>> groups = [Group("head", hyperball=False)]
    >>> optimizer = Hyperball(optimizers.Muon(0.01), groups=groups)
    """

    hyperball: bool = Flag(default=True, by_group=True, doc="fix the norms of matrices")
    hyperball_embeddings: bool = Flag(default=False, doc="fix those of embeddings, too")

    elementwise = False
    decays_in_rule = True
    slots = (Slot("hyperball_radius", init=-1.0, shape=of_fixed_norm),)
    paper = Paper(
        "Fantastic pretraining optimizers and where to find them II: Hyperball "
        "optimization",
        "Wen, Dang, Lyu, Ma and Liang",
        2026,
        "2606.16899",
    )
    tuning = Tuning(
        None,
        others={"hyperball_embeddings": Choices((False, True))},
        use_when="Layers are normalized, and one rate should suit several sizes.",
        not_when="The sizes of matrices matter: no normalization follows them.",
    )

    @classmethod
    def check(cls, optimizer, **kwargs):
        super().check(optimizer, **kwargs)
        name, kind = type(optimizer).__name__, type(optimizer)
        if any(vars(cls).get("learning_rate_free") for cls in kind.__mro__):
            raise ValueError(
                "Hyperball makes updates as long as the learning rate says, and "
                f"discards the step size that {name} finds. Received: {optimizer!r}. "
                "Expected an optimizer with a learning rate, such as AdamW."
            )
        between = kind.has_evaluation_weights and not kind.averages_statistics
        if isinstance(optimizer, Lookahead) or between:
            raise ValueError(
                f"Hyperball cannot wrap {name}, whose updates go to an average of "
                f"weights. Received: {optimizer!r}. Expected an optimizer without, "
                "such as AdamW; Lookahead(Hyperball(...)) works."
            )

    def update(self, w, g, s, h, t):
        if "hyperball_radius" not in s:
            u, s = super().update(w, g, s, h, t)
            if h.weight_decay is not None and not super().decays_in_rule:
                u = u - h.learning_rate * h.weight_decay * w
            return u, s
        u, s = super().update(w, g, s, h.extend(weight_decay=None), t)
        known, length = s.hyperball_radius, norm(u)
        radius = ops.where(known < 0, norm(w), known)
        s = s.next(hyperball_radius=radius)
        x = w + h.learning_rate * radius * unit(u, length)
        moved = radius * unit(x, norm(x)) - w
        return ops.where(ops.logical_and(radius > 0, length > 0), moved, u), s


def unit(x: Tensor, length: Tensor) -> Tensor:
    """Return a tensor over its norm, or as it is if the norm is 0."""
    return x / ops.where(length > 0, length, ops.ones_like(length))
