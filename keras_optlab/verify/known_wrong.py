"""Implementations in other libraries that differ from the papers and keras-optlab.

Each entry says what differs, and the approximate distance of the final weights after 20
steps, which depends on the gradients.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import keras

from keras_optlab import optimizers
from keras_optlab.verify.comparisons import Comparison, precision, problem, transcribed
from keras_optlab.verify.libraries import by_optax, by_torch, of_rank
from keras_optlab.verify.problems import distance, trajectory, values, variables

STEPS = 20
SHAPES = {"matrix": (6, 4), "vector": (4,), "stack": (3, 2, 5)}
MATRIX = {"shapes": {"matrix": (6, 4)}}
SETTING = {"learning_rate": 0.05, "drops": False}
OURS = {"beta_1": 0.9, "beta_2": 0.99}
OPTAX = {"b1": 0.9, "b2": 0.99}
TORCH = {"betas": (0.9, 0.99)}
DECAY = {"weight_decay": 0.1}
DIFFERENT = 1e-3  # smallest distance that counts as a difference


@dataclass(frozen=True)
class KnownWrong:
    """An implementation, what differs from the paper, and how large the distance is."""

    comparison: Comparison
    what: str
    figure: float | None
    backends: tuple[str, ...] = ("tensorflow", "jax", "torch")

    def __str__(self) -> str:
        return str(self.comparison)

    @property
    def paper(self):
        """The function that returns the final weights by the paper."""
        it = self.comparison
        return partial(transcribed, it.name, it.settings)

    def difference(self):
        """Return the distance of the other implementation from the paper."""
        it = self.comparison
        posed = problem(it.shapes, STEPS, it.learning_rate, it.drops)
        return distance(it.theirs(posed), self.paper(posed), posed.start)

    def of_ours(self):
        """Return the distance of keras-optlab from the paper, or None if unknown."""
        if self.comparison.name not in optimizers.names():
            return None
        return replace(self.comparison, theirs=self.paper).difference(STEPS)


def by_keras(name, oracle, theirs=None, ours=None, **how):
    """Return the comparison with an optimizer of Keras."""

    def run(posed):
        make = getattr(keras.optimizers, oracle.rpartition(".")[2])
        with precision("float64"):
            optimizer = make(posed.schedule(), **theirs or {})
            return trajectory(optimizer, posed.start, posed.grads)

    return Comparison(name, oracle, run, ours or {}, **how)


def by_keras_in_halves(name, oracle, theirs=None, ours=None, **how):
    """Return the comparison for sparse gradients in which each row occurs twice."""

    def run(posed):
        make = getattr(keras.optimizers, oracle.rpartition(".")[2])
        with precision("float64"):
            optimizer, ws = (
                make(posed.schedule(), **theirs or {}),
                variables(posed.start),
            )
            for gradients in posed.grads:
                optimizer.apply([in_halves(g) for g in gradients], ws)
            return values(ws)

    return Comparison(name, oracle, run, ours or {}, **how)


def in_halves(gradient):
    """Return a gradient as a sparse one on TensorFlow, with each row in two halves."""
    if keras.backend.backend() != "tensorflow" or gradient.ndim < 2:
        return keras.ops.convert_to_tensor(gradient, "float64")
    import tensorflow as tf

    rows, n = tf.constant(gradient / 2, "float64"), len(gradient)
    twice = tf.concat([rows, rows], 0), tf.concat([tf.range(n), tf.range(n)], 0)
    return tf.IndexedSlices(*twice, dense_shape=tf.constant(gradient.shape))


def wrong(make: Callable[..., Comparison], *names, what, figure, backends=None, **how):
    """Return an entry with the common setting."""
    theirs, ours = how.pop("theirs", {}), how.pop("ours", {})
    given = {"shapes": SHAPES} | SETTING | how
    entry = partial(KnownWrong, make(*names, theirs, ours, **given), what, figure)
    return entry(backends) if backends else entry()


KNOWN_WRONG = sorted(
    [
        wrong(
            by_optax,
            "adan",
            "optax.adan",
            what="1 - b2 in place of b2",
            figure=0.33,
        ),
        wrong(
            by_optax,
            "rprop",
            "optax.rprop",
            what="applies each update one step late",
            figure=0.22,
        ),
        wrong(
            by_optax,
            "galore",
            "optax.contrib.galore",
            theirs={"rank": 2, "scale": 0.25},
            ours={"rank": 2},
            what="projects the longer side",
            figure=0.93,
            **MATRIX,
        ),
        wrong(
            by_optax,
            "adam",
            "optax.amsgrad",
            theirs=OPTAX | {"eps": 0.0},
            ours=OURS | {"epsilon": 0.0, "amsgrad": True},
            what="the maximum is of v after its bias correction, not before",
            figure=0.39,
        ),
        wrong(
            by_optax,
            "nadam",
            "optax.nadam",
            theirs=OPTAX | {"eps": 0.0},
            ours=OURS | {"epsilon": 0.0, "momentum_decay": 0.004},
            what="no momentum schedule, which torch.optim.NAdam has",
            figure=0.27,
        ),
        wrong(
            by_optax,
            "lars",
            "optax.lars",
            theirs=DECAY,
            ours=DECAY,
            what="norm(g + decay w) in place of norm(g) + decay norm(w)",
            figure=0.034,
        ),
        wrong(
            by_keras_in_halves,
            "adamw",
            "keras.optimizers.AdamW",
            theirs=OURS | DECAY | {"epsilon": 0.0},
            ours=OURS | DECAY | {"epsilon": 0.0},
            what="squares each part of a repeated embedding row, not the sum",
            figure=0.29,
            backends=("tensorflow",),
        ),
        wrong(
            by_keras,
            "adafactor",
            "keras.optimizers.Adafactor",
            theirs={"relative_step": False},
            ours={"relative_step": False, "keras_compatible": False},
            what="rate at most 1/sqrt(t), like keras-optlab's `keras_compatible=True`",
            figure=1.0,
            learning_rate=1.0,
        ),
        wrong(
            by_keras,
            "nadam",
            "keras.optimizers.Nadam",
            theirs=OURS | {"epsilon": 0.0},
            ours=OURS | {"epsilon": 0.0, "momentum_decay": 0.004},
            what="0.96^t, not 0.96^(0.004 t), like keras-optlab's `momentum_decay=1.0`",
            figure=0.094,
        ),
        wrong(
            by_keras,
            "lamb",
            "keras.optimizers.Lamb",
            theirs=OURS | DECAY,
            ours=OURS | DECAY,
            what="decay outside the ratio, like keras-optlab's `keras_compatible=True`",
            figure=0.071,
        ),
        wrong(
            by_keras,
            "schedulefreeadamw",
            "keras.optimizers.ScheduleFreeAdamW",
            theirs=OURS,
            ours=OURS,
            what="uses the new z where the rule needs the old z",
            figure=0.10,
            backends=("tensorflow", "torch"),
        ),
        wrong(
            by_keras,
            "schedulefreeadamw",
            "keras.optimizers.ScheduleFreeAdamW",
            theirs=OURS | {"warmup_steps": 10},
            ours=OURS | {"warmup_steps": 10},
            what="averages with weight 1 / t, whatever the learning rates",
            figure=0.19,
        ),
        wrong(
            by_torch,
            "momentum",
            "torch.optim.SGD",
            theirs={"momentum": 0.9, "dampening": 0.9},
            ours={"form": "ema"},
            what="does not dampen the first gradient, so it is no moving average",
            figure=0.69,
        ),
        wrong(
            by_torch,
            "lamb",
            "pytorch_optimizer.Lamb",
            theirs=TORCH | DECAY,
            ours=OURS | DECAY | {"epsilon": 1e-6},
            what="no bias correction of v, and weight decay outside of the ratio",
            figure=0.67,
        ),
        wrong(
            by_torch,
            "adopt",
            "pytorch_optimizer.ADOPT",
            theirs=TORCH,
            ours=OURS,
            what="clips to the bound of the next step",
            figure=0.048,
        ),
        wrong(
            by_torch,
            "simplifiedademamix",
            "pytorch_optimizer.SimplifiedAdEMAMix",
            theirs=TORCH | {"alpha": 2.0},
            ours=OURS | {"alpha": 2.0},
            what="m is an average, not a sum, and the correction of v divides",
            figure=0.88,
        ),
        wrong(
            by_torch,
            "apollo",
            "pytorch_optimizer.APOLLO",
            theirs=TORCH | {"scale_type": "channel"},
            ours=OURS | {"rank": 2, "projection": "svd"},
            groups=partial(of_rank, scale=1.0, projection_type="std"),
            what="scales the projected gradient and projects it back",
            figure=None,
            **MATRIX,
        ),
        wrong(
            by_torch,
            "spam",
            "pytorch_optimizer.SPAM",
            theirs=TORCH
            | {"warmup_epoch": 5, "update_proj_gap": 8, "grad_accu_steps": 2},
            ours=OURS | {"warmup_steps": 5, "reset_every": 8, "clip_after": 2},
            what="uses the rate of the next step after a reset",
            figure=0.062,
        ),
        wrong(
            by_torch,
            "adan",
            "adan_pytorch.Adan",
            what="the first step changes no weight",
            figure=1.5,
        ),
    ],
    key=lambda it: it.comparison.name,
)
