"""Latest weight averaging."""

from keras import ops

from keras_optlab.core import Choices, Hyper, LogUniform, Paper, Slot, Tuning
from keras_optlab.engine.backend.commit import cond_rare
from keras_optlab.engine.wrapper import Wrapper


def one_for_each_checkpoint(weight):
    """Return the shape of the last k checkpoints of a weight."""
    return weight.values.average_checkpoints, *weight.shape


class LAWA(Wrapper, family="averaging"):
    r"""LAWA: the mean of the last few checkpoints of the weights, for evaluation.

    With a checkpoint every $c$ updates, $n = \lfloor t/c \rfloor$ by update $t$,

    $$a_t = \frac{1}{\min(k, n)} \sum_{i = \max(n - k, 0) + 1}^{n} \theta_{c i}$$

    Before the first checkpoint, $a_t = \theta_t$. Old weights leave the average, so it
    needs no start: it suits the whole training, at a constant or a decaying rate. The
    model holds the evaluation weights $a$ as in `EMA`. Statistics of normalization
    layers are computed anew for $a$, by `refresh_normalization` within `fit`.

    The mean is exact, so all $k$ checkpoints are kept: the optimizer stores $k + 1$
    copies of the weights, where `EMA` and `SWA` store one. They are read and written
    at checkpoints only.

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer`.
        average_checkpoints: $k$ >= 1, the number of checkpoints in the mean.
        average_period: $c$ >= 1 updates between two checkpoints. A window $k c$ of
            about 1% of the training works well (Ajroldi et al.); often one epoch.

    Source: Kaddour, 2022, arXiv:2209.14981; Sanyal et al., 2023, arXiv:2306.03241;
    Ajroldi, Orvieto and Geiping, 2025, arXiv:2502.06761. They average when $k$
    checkpoints exist; here the mean begins with the first.

    >>> from keras_optlab import optimizers
    >>> optimizer = LAWA(optimizers.AdamW(1e-3), average_checkpoints=5)
    """

    average_checkpoints: int = Hyper(
        default=5, within=">= 1", integer=True, adjustable=False, doc="checkpoints k"
    )
    average_period: int = Hyper(
        default=100,
        within=">= 1",
        integer=True,
        adjustable=False,
        doc="updates c between checkpoints",
    )

    elementwise = False
    slots = (
        Slot("weight_average", init="weight"),
        Slot("recent_weights", init="weight", shape=one_for_each_checkpoint),
    )
    paper = Paper(
        "Stop wasting my time! Saving days of ImageNet and BERT training with latest "
        "weight averaging",
        "Kaddour",
        2022,
        "2209.14981",
    )
    tuning = Tuning(
        None,
        schedule="constant",
        others={
            "average_period": LogUniform(5, 200, integer=True),
            "average_checkpoints": Choices((3, 5, 10)),
        },
        use_when="A long training should give good weights before its rate falls.",
        not_when="Memory is short: it keeps every checkpoint in its mean.",
    )

    def after_step(self, w, s, h, t):
        k, n = h.average_checkpoints, h.count // h.average_period
        due = h.count % h.average_period == 0
        place = ops.reshape(ops.arange(k, dtype=n.dtype), (k,) + (1,) * len(w.shape))
        newest, used = place == (n - 1) % k, place < n

        def mean(average):  # noqa: ARG001
            total = ops.sum(ops.where(used, recent, ops.zeros_like(recent)), axis=0)
            return total / ops.cast(ops.minimum(n, k), w.dtype)

        recent = cond_rare(due, lambda x: ops.where(newest, w, x), s.recent_weights)
        average = cond_rare(due, mean, s.weight_average)
        average = ops.where(n > 0, average, w)
        return s.next(weight_average=average, recent_weights=recent)

    def to_evaluation(self, w, s, h):
        return s.weight_average, s.next(weight_average=w)

    to_training = to_evaluation
