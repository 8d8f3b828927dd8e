"""QKClip: attention logits as Kimi K2's MuonClip limits them."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_optlab import optimizers
from keras_optlab.callbacks import QKClip
from keras_optlab.engine.model.logit_clipping import LogitClipping
from keras_optlab.verify.problems import values
from tests.support.problems import mirrored_strategy

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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "kind"),
    [(plain, ""), (lambda: grouped(2, 1), "_rotary")],
    ids=["multi head", "shared key"],
)
def test_agrees_with_pytorch_optimizer(make, kind):
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("pytorch_optimizer")
    model = network(make, optimizer=optimizers.SGD(0.0))
    layer, tau = model.get_layer("attention"), half(model)
    largest = largest_logits(model, data()[0][:BATCH])
    groups, expected = [], []
    for part, role in (layer._query_dense, "query"), (layer._key_dense, "key"):
        for v in part.kernel, part.bias:
            (x,) = values([v])
            x = x if v is part.bias else np.moveaxis(x, 0, -1)  # heads first
            p = torch.nn.Parameter(torch.tensor(x))
            p.grad = torch.zeros_like(p)
            labels = {"attention_name": "attention", "qk_clip": role + kind}
            groups.append({"params": [p], "use_muon": False} | labels)
            expected.append((v, p))
    clipping = theirs.MuonClip(groups, adamw_lr=0.0, qk_clip_threshold=tau)
    clipping.step(attention_max_logits={"attention": torch.tensor(largest)})
    train(model, QKClip(tau), rows=slice(BATCH))
    for v, p in expected:
        there = p.detach().numpy()
        there = there if v.path.endswith("bias") else np.moveaxis(there, -1, 0)
        np.testing.assert_allclose(values([v])[0], there, rtol=1e-5, atol=1e-6)


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


def test_masked_logits_do_not_count(float64):
    allowed = np.arange(LENGTH) < np.array([2, 5, 3, 4])[:, None]
    inputs, mask = keras.Input((LENGTH, WIDTH)), keras.Input((1, LENGTH), dtype="bool")
    layer = plain()
    model = keras.Model([inputs, mask], layer(inputs, inputs, attention_mask=mask))
    model.compile(optimizers.SGD(0.0), "mse")
    x, y = (a[:BATCH] for a in data())
    before, of_all = (
        largest_logits(model, x, allowed=rows) for rows in (allowed, None)
    )
    assert not np.allclose(before, of_all)
    tau = 0.5 * float(before.min())
    model.fit([x, allowed[:, None]], y, verbose=0, callbacks=[QKClip(tau)])
    after = largest_logits(model, x, allowed=allowed)
    np.testing.assert_allclose(after, tau, rtol=1e-6)


def test_an_update_uses_the_logits_of_all_its_micro_batches():
    one = optimizers.SGD(0.0, gradient_accumulation_steps=STEPS)
    model, x = network(optimizer=one), data()[0]
    largest = largest_logits(model, x)
    tau = 0.5 * float(largest.min())
    train(model, QKClip(tau))
    np.testing.assert_allclose(largest_logits(model, x), tau, rtol=1e-5)


def test_a_window_that_has_not_ended_clips_nothing():
    one = optimizers.SGD(0.0, gradient_accumulation_steps=STEPS + 1)
    model = network(optimizer=one)
    before = values(model.weights)
    train(model, QKClip(0.1))
    for a, b in zip(values(model.weights), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_skipped_step_clips_nothing():
    model = network(optimizer=optimizers.SGD(0.1))
    before = values(model.weights)
    x, y = data()
    y = np.full_like(y, np.nan)
    model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=[QKClip(0.1)])
    for a, b in zip(values(model.weights), before, strict=True):
        np.testing.assert_array_equal(a, b)


HOW = {
    "compiled by XLA": {"jit_compile": True},
    "several steps at once": {"steps_per_execution": STEPS},
    "stock Keras": {"optimizer": lambda: keras.optimizers.Adam(0.01)},
    "loss scaling": {
        "optimizer": lambda: keras.optimizers.LossScaleOptimizer(
            optimizers.Adam(0.01), initial_scale=4.0
        )
    },
    "averages": {
        "optimizer": lambda: optimizers.EMA(optimizers.SGD(0.01), average_decay=0.1)
    },
    "two passes": {"optimizer": lambda: optimizers.SAM(optimizers.SGD(0.01))},
}


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_trains_and_clips(how):
    how = {k: v() if callable(v) else v for k, v in how.items()}
    if BACKEND == "torch" and how.keys() & {"jit_compile", "steps_per_execution"}:
        pytest.skip("torch has neither")
    model, free = network(**how), network()
    tau = 0.2 * half(model)
    train(model, QKClip(tau), epochs=3)
    train(free, epochs=3)
    x = data()[0]
    # each batch is clipped by its own largest logit, before the next one moves
    assert largest_logits(model, x).max() < 0.5 * largest_logits(free, x).max()


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network(optimizer=optimizers.SGD(0.0))
    finally:
        keras.config.set_dtype_policy("float32")
    x = data()[0][:BATCH]
    tau = 0.5 * float(largest_logits(model, x).min())
    train(model, QKClip(tau), rows=slice(BATCH))
    np.testing.assert_allclose(largest_logits(model, x), tau, rtol=0.03)


def test_evaluation_and_a_second_fit():
    model, other = network(), network()
    tau = half(model)
    x, y = data()
    train(model, QKClip(tau), validation_data=(x, y), epochs=2)
    train(other, QKClip(tau))
    train(other, QKClip(tau))
    for a, b in zip(values(model.weights), values(other.weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_model_is_as_before_afterwards(tmp_path):
    model = network()
    train(model, QKClip(half(model)))
    layer = model.get_layer("attention")
    assert "_compute_attention" not in vars(layer)
    assert len(model.weights) == 8
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = data()[0]
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5
    )
    copy = keras.models.clone_model(model)
    copy.compile(optimizers.SGD(0.01), "mse")
    train(copy, QKClip(1e6))
    train(model, epochs=1)  # without: nothing is clipped


def test_saves_within_fit(tmp_path):
    model = network()
    save = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    train(model, QKClip(half(model)), save)
    loaded = keras.saving.load_model(tmp_path / "1.keras")
    for a, b in zip(values(loaded.weights), values(model.weights), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_interruption_takes_it_off():
    def fail(batch, logs):
        raise KeyboardInterrupt

    model = network()
    stop = keras.callbacks.LambdaCallback(on_train_batch_begin=fail)
    with pytest.raises(KeyboardInterrupt):
        train(model, QKClip(), stop)
    assert "_compute_attention" not in vars(model.get_layer("attention"))


class Own(layers.MultiHeadAttention):
    def _compute_attention(self, query, key, value, *args, **kwargs):
        return value, None


class Untrained(keras.Model):
    """A model that calls its attention as in inference."""

    def __init__(self):
        super().__init__()
        self.attention = plain()

    def build(self, shape):
        self.attention.build(shape, shape)

    def call(self, x):
        return self.attention(x, x, training=False)


def frozen(model, *parts):
    for part in parts:
        getattr(model.get_layer("attention"), f"_{part}_dense").trainable = False
    model.compile(optimizers.SGD(0.01), "mse")
    return model


def untrained():
    model = Untrained()
    model.build((BATCH, LENGTH, WIDTH))
    model.compile(optimizers.SGD(0.01), "mse")
    return model


def dense():
    inputs = keras.Input((LENGTH, WIDTH))
    model = keras.Model(inputs, layers.Dense(WIDTH)(inputs))
    model.compile(optimizers.SGD(0.01), "mse")
    return model


def lora():
    model = network()
    model.get_layer("attention")._query_dense.enable_lora(2)
    model.compile(optimizers.SGD(0.01), "mse")
    return model


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (dense, "with 0 attention layers"),
        (lambda: network(lambda: Own(2, DIM, name="attention")), "overrides"),
        (lora, "with LoRA"),
        (lambda: frozen(network(), "query"), "Freeze both or none"),
        (lambda: frozen(network(), "query", "key"), "with 1 attention layers"),
        (untrained, "with `training=True`"),
    ],
    ids=["none", "own", "lora", "half frozen", "frozen", "not seen"],
)
def test_refuses(make, told):
    model = make()
    before = [v for v in vars(model) if v == "train_step"]
    with pytest.raises(ValueError, match=told) as refused:
        train(model, QKClip())
    assert "Received: " in str(refused.value)
    assert before == [v for v in vars(model) if v == "train_step"]


def test_builds_a_model_without_an_input():
    ends = []
    for first in [], [keras.Input((LENGTH, WIDTH))]:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([*first, Attends()])
        model.compile(optimizers.SGD(0.01), "mse")
        train(model, QKClip(tau=1e-3))
        ends.append(values(model.weights))
        query = model.layers[0].attention._query_dense
        assert np.all(np.abs(values([query.kernel])[0]) < 0.1)  # without it: 0.5
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


class Attends(layers.Layer):
    """Attention of a sequence to itself, as in a user's block."""

    def __init__(self):
        super().__init__()
        self.attention = plain()

    def call(self, x, training=None):
        return self.attention(x, x, training=training)


def test_refuses_flash_attention():
    model = network()
    model.get_layer("attention")._flash_attention = True  # a CPU has none
    with pytest.raises(ValueError, match="with flash attention") as refused:
        LogitClipping(model, 100.0, "QKClip")
    assert "Received: " in str(refused.value)


def test_refuses_a_loop_of_its_own():
    callback = QKClip()
    callback.set_model(network())
    with pytest.raises(ValueError, match="trained in another way"):
        callback.on_train_begin()


def test_refuses_two():
    with pytest.raises(ValueError, match="Two callbacks drive 'attention logits'"):
        train(network(), QKClip(), QKClip(50.0))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="strategies of TensorFlow")
def test_replicas_take_the_largest():
    strategy = mirrored_strategy()
    alone = network()
    tau = half(alone)
    with strategy.scope():
        model = network()
    for one in (alone, model):
        train(one, QKClip(tau), epochs=2)
    for a, b in zip(values(model.weights), values(alone.weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
