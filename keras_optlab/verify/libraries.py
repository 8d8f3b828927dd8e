"""Runs of the optimizers of optax, torch and other packages on a `Problem`."""

import importlib
import warnings
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from keras_optlab.verify.comparisons import WITH_BIAS, Comparison, jax_in_float64

FULL = {key: shape for key, shape in WITH_BIAS.items() if key != "empty"}


def lookup(path):
    """Return the object at a dotted path."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def is_installed(path):
    """Return whether the object at a dotted path can be imported."""
    try:
        lookup(path)
    except (ImportError, AttributeError):  # an old version of it
        return False
    return True


def by_optax(
    name, oracle, theirs=None, ours=None, make=None, edit=None, **how: Any
) -> Comparison:
    """Return the comparison with a transformation of optax.

    `make` builds the transformation from the rate if arguments are not enough; `edit`
    changes its initial state.
    """

    def run(posed):
        import jax
        import jax.numpy as jnp
        import optax

        with jax_in_float64(True):
            rate = posed.learning_rate
            if posed.drops:
                rate = optax.piecewise_constant_schedule(rate, {posed.middle: 0.5})
            rule = (make or lookup(oracle))(rate, **theirs or {})
            params = [jnp.asarray(w) for w in posed.start]
            state = edit(rule.init(params)) if edit else rule.init(params)
            update = jax.jit(rule.update)
            for grads in posed.grads:
                moves, state = update([jnp.asarray(g) for g in grads], state, params)
                params = optax.apply_updates(params, moves)
            return [np.asarray(p) for p in params]

    return Comparison(name, oracle, run, ours or {}, **how)


def by_torch(
    name,
    oracle,
    theirs=None,
    ours=None,
    make=None,
    groups: Any = list,
    **how: Any,
) -> Comparison:
    """Return the comparison with an optimizer for torch.

    `make` builds the optimizer from the parameters if arguments are not enough;
    `groups` turns the parameters into the form that the optimizer takes.
    """

    def run(posed):
        import torch

        params = [torch.nn.Parameter(torch.tensor(w)) for w in posed.start]
        with quiet_and_double(torch):
            given = {"lr": posed.learning_rate} | (theirs or {})
            given = {k: v for k, v in given.items() if v is not None}
            rule = (make or lookup(oracle))(groups(params), **given)
            for step, grads in enumerate(posed.grads):
                for group in rule.param_groups if posed.drops else ():
                    group["lr"] = posed.rate(step)
                for p, g in zip(params, grads, strict=True):
                    p.grad = torch.tensor(g)
                rule.step()
        return [p.detach().numpy() for p in params]

    how.setdefault("shapes", FULL)
    return Comparison(name, oracle, run, ours or {}, **how)


def on_transposes(comparison: Comparison) -> Comparison:
    """Return a comparison in which the library has kernels with outputs first."""

    def run(posed):
        grads = [[g.T for g in step] for step in posed.grads]
        start = [w.T for w in posed.start]
        ends = comparison.theirs(replace(posed, start=start, grads=grads))
        return [w.T for w in ends]

    return replace(comparison, theirs=run)


@contextmanager
def quiet_and_double(torch):
    """Make float64 torch's default dtype, and silence warnings."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    torch.set_default_dtype(before)


def ema_of_optax(rate):
    import optax

    return optax.chain(optax.ema(0.9, debias=False), optax.scale_by_learning_rate(rate))


def yogi_from_zero(state):
    """Return the state of optax's Yogi with the first moment at zero."""
    import jax

    first, *rest = state
    return first._replace(mu=jax.tree.map(lambda m: 0.0 * m, first.mu)), *rest


def adafactor_of_optax(rate):
    import jax.numpy as jnp
    import optax

    return optax.adafactor(
        lambda count: jnp.minimum(rate(count), 1 / jnp.sqrt(count + 1.0)),
        min_dim_size_to_factor=1,
    )


def ldog_of_optax(rate, reps_rel):
    import jax.numpy as jnp
    import optax

    return optax.chain(
        optax.scale_by_distance_over_gradients(reps_rel, param_dtype=jnp.float64),
        optax.scale_by_learning_rate(rate),
    )


def training(make):
    """Return a factory for an optimizer of `schedulefree` in training mode."""

    def made(params, **how):
        rule = lookup(make)(params, **how)
        rule.train()
        return rule

    return made


def named(params):
    """Return named parameters, as Adam-mini takes them; each is one block."""
    return [(f"w{i}", p) for i, p in enumerate(params)]


def orthogonalized(params):
    """Return parameters as one group whose momentum is orthogonalized."""
    return [{"params": params, "use_muon": True}]


def of_rank(params, **more):
    """Return parameters as one group with a projection of rank 2."""
    return [{"params": params, "rank": 2, "update_proj_gap": 1000, **more}]


def under_lookahead(params, lr):
    import torch

    return lookup("pytorch_optimizer.Lookahead")(
        torch.optim.SGD(params, lr), k=5, alpha=0.5, pullback_momentum="none"
    )


def hyperball_of_heavyball(params, lr):
    """Return HeavyBall's optimizer, not compiled; without momentum, it is Adam's."""
    utils: Any = importlib.import_module("heavyball.utils")
    utils.compile_mode = None
    make = lookup("heavyball.HyperBallAdamW")
    return make(params, lr, betas=(0.0, 0.999), eps=1e-30, compile_step=False)
