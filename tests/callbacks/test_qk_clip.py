"""QKClip: attention logits as Kimi K2's MuonClip limits them."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_optlab import optimizers
from keras_optlab.callbacks import QKClip
from keras_optlab.verify.problems import values

BACKEND = keras.backend.backend()
ROWS, LENGTH, WIDTH, DIM, BATCH = 8, 5, 6, 3, 4
STEPS = ROWS // BATCH


def data(seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, ROWS, LENGTH, WIDTH)).astype("float32")
    return 4.0 * x, y


def grouped(heads=4, keys=2, **kwargs):
    return layers.GroupQueryAttention(DIM, heads, keys, name="attention", **kwargs)


def plain(heads=2, **kwargs):
    return layers.MultiHeadAttention(heads, DIM, name="attention", **kwargs)


LAYERS = {
    "multi head": (plain, {}),
    "causal": (plain, {"use_causal_mask": True}),
    "dropout": (lambda: plain(dropout=1e-9), {"use_causal_mask": True}),
    "no bias": (lambda: plain(use_bias=False), {}),
    "grouped": (grouped, {}),
    "grouped, causal": (grouped, {"use_causal_mask": True}),
    "grouped, dropout": (lambda: grouped(dropout=1e-9), {"use_causal_mask": True}),
    "one key each": (lambda: grouped(2, 2), {}),
    "all share one": (lambda: grouped(2, 1), {}),
}


def network(make=plain, call=None, seed=3, **compiling):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((LENGTH, WIDTH))
    attention = make()
    model = keras.Model(inputs, attention(inputs, inputs, **(call or {})))
    for v in model.trainable_variables:  # biases start at 0
        v.assign(v + 0.3 * np.random.default_rng(len(v.path)).normal(size=v.shape))
    compiling = {"optimizer": optimizers.SGD(0.01), "loss": "mse"} | compiling
    if BACKEND == "torch":
        compiling.pop("steps_per_execution", None)
        compiling.pop("jit_compile", None)
    model.compile(**compiling)
    return model


def train(model, *callbacks, rows=slice(None), **kwargs):
    x, y = data()
    kwargs = {"batch_size": BATCH, "shuffle": False, "verbose": 0} | kwargs
    return model.fit(x[rows], y[rows], callbacks=list(callbacks), **kwargs)


def largest_logits(model, x, causal=False, allowed=None):
    """Return the largest logit of each head, in float64 by the paper's formula."""
    layer = model.get_layer("attention")
    q, k = (
        np.einsum("bti,ind->btnd", x, values([part.kernel])[0].astype("float64"))
        + (0 if part.bias is None else values([part.bias])[0].astype("float64"))
        for part in (layer._query_dense, layer._key_dense)
    )
    k = np.repeat(k, q.shape[2] // k.shape[2], axis=2)
    logits = np.einsum("btnd,bsnd->bnts", q, k) / np.sqrt(DIM)
    if causal:
        logits = np.where(np.tri(LENGTH, dtype=bool), logits, -np.inf)
    if allowed is not None:
        logits = np.where(allowed[:, None, None, :], logits, -np.inf)
    return logits.max(axis=(0, 2, 3))


def clip(model, largest, tau):
    """Scale the weights of queries and keys, by the lines of Algorithm 1."""
    layer = model.get_layer("attention")
    for head, logit in enumerate(largest):
        if logit <= tau:
            continue
        gamma = tau / logit
        query, key = layer._query_dense, layer._key_dense
        shared = getattr(layer, "num_repeats", 1) > 1
        for part, factor in (
            (query, gamma if shared else gamma**0.5),
            (key, 1.0 if shared else gamma**0.5),
        ):
            if factor == 1.0:
                continue
            for v in (part.kernel, part.bias):
                if v is not None:
                    new = np.array(values([v])[0])
                    new[..., head, :] *= factor
                    v.assign(new)


def half(model, **call):
    """Return a limit that some heads exceed in the first batch, and others do not."""
    return float(np.mean(largest_logits(model, data()[0][:BATCH], **call)))


@pytest.mark.parametrize("name", LAYERS)
def test_equals_the_paper(name, float64):
    make, call = LAYERS[name]
    causal = bool(call)
    ours, theirs = network(make, call), network(make, call)
    tau = half(ours, causal=causal)
    train(ours, QKClip(tau))
    clipped = 0
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        largest = largest_logits(theirs, data()[0][rows], causal)
        train(theirs, rows=rows)
        clip(theirs, largest, tau)
        clipped += np.sum(largest > tau)
    assert clipped
    for a, b in zip(values(ours.weights), values(theirs.weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", [plain, grouped], ids=["multi head", "grouped"])
def test_the_logits_of_the_batch_become_tau(make):
    model = network(make, optimizer=optimizers.SGD(0.0))
    x = data()[0][:BATCH]
    before = largest_logits(model, x)
    tau = float(np.mean(before))
    train(model, QKClip(tau), rows=slice(BATCH))
    np.testing.assert_allclose(
        largest_logits(model, x), np.minimum(before, tau), rtol=1e-5
    )


@pytest.mark.parametrize("make", [optimizers.Muon, keras.optimizers.SGD])
def test_nothing_changes_below_tau(make):
    models = [network(optimizer=make(0.01)) for _ in range(2)]
    train(models[0], QKClip(1e6), epochs=2)
    train(models[1], epochs=2)
    for a, b in zip(*(values(m.weights) for m in models), strict=True):
        np.testing.assert_array_equal(a, b)
