"""Implementations by others that differ from the papers, and from ours.

Each entry says what is done differently, and how far apart the ends are known to be
after 20 steps, to within the factor that other gradients make.
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
DIFFERENT = 1e-3  # the least difference that is one


@dataclass(frozen=True)
class KnownWrong:
    """An implementation, what is different in it, and how large the difference is."""

    comparison: Comparison
    what: str
    figure: float | None
    backends: tuple[str, ...] = ("tensorflow", "jax", "torch")

    def __str__(self) -> str:
        return str(self.comparison)

    @property
    def paper(self):
        """What returns the ends to which the paper leads."""
        it = self.comparison
        return partial(transcribed, it.name, it.settings)

    def difference(self):
        """Return how far the other one ends from where the paper leads."""
        it = self.comparison
        posed = problem(it.shapes, STEPS, it.learning_rate, it.drops)
        return distance(it.theirs(posed), self.paper(posed), posed.start)

    def of_ours(self):
        """Return the same of ours, or None if there is none."""
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
    """Return the same for gradients of rows, as an embedding has them, each twice."""

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
    """Return a gradient with each row as the sum of two; Keras has it in TensorFlow."""
    if keras.backend.backend() != "tensorflow" or gradient.ndim < 2:
        return keras.ops.convert_to_tensor(gradient, "float64")
    import tensorflow as tf

    rows, n = tf.constant(gradient / 2, "float64"), len(gradient)
    twice = tf.concat([rows, rows], 0), tf.concat([tf.range(n), tf.range(n)], 0)
    return tf.IndexedSlices(*twice, dense_shape=tf.constant(gradient.shape))


def wrong(make: Callable[..., Comparison], *names, what, figure, backends=None, **how):
    """Return an entry in the setting of them all."""
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
            what="each move is made one step late",
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
            what="the largest mean square after its bias correction, not before",
            figure=0.39,
        ),
        wrong(
            by_optax,
            "nadam",
            "optax.nadam",
            theirs=OPTAX | {"eps": 0.0},
            ours=OURS | {"epsilon": 0.0, "momentum_decay": 0.004},
            what="no schedule of the momentum, which torch.optim.NAdam has",
            figure=0.27,
        ),
        wrong(
            by_optax,
            "lars",
            "optax.lars",
            theirs=DECAY,
            ours=DECAY,
            what="the norm of g + decay w in place of two norms' sum",
            figure=0.034,
        ),
        wrong(
            by_keras_in_halves,
            "adamw",
            "keras.optimizers.AdamW",
            theirs=OURS | DECAY | {"epsilon": 0.0},
            ours=OURS | DECAY | {"epsilon": 0.0},
            what="of an embedding's row that occurs twice, squares each part",
            figure=0.29,
            backends=("tensorflow",),
        ),
        wrong(
            by_keras,
            "adafactor",
            "keras.optimizers.Adafactor",
            theirs={"relative_step": False},
            ours={"relative_step": False, "keras_compatible": False},
            what="a rate of 1/sqrt(t) at most: `keras_compatible=True` of ours",
            figure=1.0,
            learning_rate=1.0,
        ),
        wrong(
            by_keras,
            "nadam",
            "keras.optimizers.Nadam",
            theirs=OURS | {"epsilon": 0.0},
            ours=OURS | {"epsilon": 0.0, "momentum_decay": 0.004},
            what="0.96^t in place of 0.96^(0.004 t): `momentum_decay=1.0` of ours",
            figure=0.094,
        ),
        wrong(
            by_keras,
            "lamb",
            "keras.optimizers.Lamb",
            theirs=OURS | DECAY,
            ours=OURS | DECAY,
            what="the decay is outside of the ratio: `keras_compatible=True` of ours",
            figure=0.071,
        ),
        wrong(
            by_keras,
            "schedulefreeadamw",
            "keras.optimizers.ScheduleFreeAdamW",
            theirs=OURS,
            ours=OURS,
            what="reads the old z when it is the new one already",
            figure=0.10,
            backends=("tensorflow", "torch"),
        ),
        wrong(
            by_keras,
            "schedulefreeadamw",
            "keras.optimizers.ScheduleFreeAdamW",
            theirs=OURS | {"warmup_steps": 10},
            ours=OURS | {"warmup_steps": 10},
            what="averages by 1 / t, whatever the rates were",
            figure=0.19,
        ),
        wrong(
            by_torch,
            "momentum",
            "torch.optim.SGD",
            theirs={"momentum": 0.9, "dampening": 0.9},
            ours={"form": "ema"},
            what="no moving average, as its first gradient is not damped",
            figure=0.69,
        ),
        wrong(
            by_torch,
            "lamb",
            "pytorch_optimizer.Lamb",
            theirs=TORCH | DECAY,
            ours=OURS | DECAY | {"epsilon": 1e-6},
            what="no bias correction of v, and the decay outside of the ratio",
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
            what="reads the rate of the next step after a reset",
            figure=0.062,
        ),
        wrong(
            by_torch,
            "adan",
            "adan_pytorch.Adan",
            what="the first step leaves everything as it was",
            figure=1.5,
        ),
    ],
    key=lambda it: it.comparison.name,
)
