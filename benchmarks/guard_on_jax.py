"""What the guard against bad gradients costs in a bare jitted train step on JAX.

    python benchmarks/guard_on_jax.py --models mlp wide deep

No Keras and no optimizer of this package: an MLP, its gradient, and Adam or SGD in a
few lines. `norm` also computes the norm of the gradient, as the guard does. `cond`
updates within a `lax.cond`, if the norm is finite; `loop` within a loop that runs once
or never. The forms take turns. The table shows the median time of a step, the median
ratio to the step without a guard, and the time of the first step, which compiles.
"""

from __future__ import annotations

import argparse
import time

import jax
import numpy as np
import rich.console
import rich.table
from jax import numpy as jnp

# Widths and batch size, as in `fit_time.py`.
MODELS = {
    "mlp": ([784, 512, 512, 10], 128),
    "wide": ([784, 2048, 2048, 10], 32),
    "deep": ([784, *[64] * 61, 10], 32),
}
SMALL = 2**16  # entries; the norm of smaller tensors is that of one joined copy


def loss(w, x, y):
    """Return the cross-entropy of an MLP."""
    for kernel, bias in zip(w[:-2:2], w[1:-2:2], strict=True):
        x = jax.nn.relu(x @ kernel + bias)
    scores = jax.nn.log_softmax(x @ w[-2] + w[-1])
    return -jnp.mean(scores[jnp.arange(len(y)), y])


def sgd(w, slots, g):
    return [a - 1e-6 * b for a, b in zip(w, g, strict=True)], slots


def adam(w, slots, g):
    rows = zip(*slots, g, strict=True)
    new = [(0.9 * m + 0.1 * b, 0.999 * v + 0.001 * b * b) for m, v, b in rows]
    m, v = map(list, zip(*new, strict=True))
    rows = zip(w, m, v, strict=True)
    return [a - 1e-6 * b / (jnp.sqrt(c) + 1e-7) for a, b, c in rows], [m, v]


RULES = {"sgd": (sgd, 0), "adam": (adam, 2)}  # with the number of slots


def is_good(g):
    """Return whether the norm of the gradient is finite."""
    small = [jnp.ravel(x) for x in g if x.size < SMALL]
    big = [jnp.ravel(x) for x in g if x.size >= SMALL]
    whole = [*big, jnp.concatenate(small)]
    return jnp.isfinite(jnp.sqrt(sum(jnp.vdot(x, x) for x in whole)))


def forms(rule):
    """Return the train steps; each takes and returns weights, slots and a count."""

    def bare(w, slots, g):
        return *rule(w, slots, g), 1

    def norm(w, slots, g):
        return *rule(w, slots, g), is_good(g)

    def cond(w, slots, g):
        good = is_good(g)
        new = jax.lax.cond(good, lambda: rule(w, slots, g), lambda: (w, slots))
        return *new, good

    def loop(w, slots, g):
        good = is_good(g)
        times = good.astype("int32")
        new = jax.lax.fori_loop(0, times, lambda _, s: rule(*s, g), (w, slots))
        return *new, good

    def stepping(update):
        def step(state, x, y):
            w, slots, count = state
            value, g = jax.value_and_grad(loss)(w, x, y)
            w, slots, one = update(w, slots, g)
            return (w, slots, count + one), value

        return jax.jit(step, donate_argnums=0)

    return {update.__name__: stepping(update) for update in (bare, norm, cond, loop)}


def compare(model, name, rounds, steps):
    """Return the times of a step, in ms by form and round, and of the first ones."""
    widths, batch = MODELS[model]
    rule, slots = RULES[name]
    rng = np.random.default_rng(0)
    shapes = [s for a, b in zip(widths, widths[1:], strict=False) for s in ((a, b), b)]
    scaled = [rng.normal(size=s) * 0.04 for s in shapes]
    x = jnp.asarray(rng.normal(size=(batch, 784)), "float32")
    y = jnp.asarray(rng.integers(0, 10, batch))
    made, states, first = forms(rule), {}, {}

    def run(label):
        states[label], value = made[label](states[label], x, y)
        return value

    for label in made:
        w = [jnp.asarray(a, "float32") for a in scaled]
        zeros = [[jnp.zeros_like(a) for a in w] for _ in range(slots)]
        states[label], start = (w, zeros, jnp.int32(0)), time.perf_counter()
        run(label).block_until_ready()
        first[label] = time.perf_counter() - start
    times = {label: [] for label in made}
    for turn in range(rounds):
        order = list(made)
        for label in order[turn % 4 :] + order[: turn % 4]:
            start = time.perf_counter()
            for _ in range(steps):
                value = run(label)
            value.block_until_ready()
            times[label].append(1000 * (time.perf_counter() - start) / steps)
    return {label: np.array(took) for label, took in times.items()}, first


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=15, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=40, help="default: %(default)s")
    args = parser.parse_args()
    table = rich.table.Table(box=None)
    for head in "model", "rule", "form", "ms a step", "/ bare", "first, s":
        table.add_column(head)
    for model in args.models:
        for name in RULES:
            times, first = compare(model, name, args.rounds, args.steps)
            for label, took in times.items():
                ratio = np.median(took / times["bare"])
                figures = (
                    f"{np.median(took):.2f}",
                    f"{ratio:.2f}",
                    f"{first[label]:.2f}",
                )
                table.add_row(model, name, label, *figures)
    rich.console.Console().print(table)


if __name__ == "__main__":
    main()
