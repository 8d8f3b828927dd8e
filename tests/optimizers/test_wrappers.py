"""Wrappers: optimizers around other optimizers."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, optimizers, schedules
from keras_optlab.verify import oracle
from keras_optlab.verify.comparisons import tolerance_of
from keras_optlab.verify.problems import (
    apply,
    compiled,
    distance,
    gradients,
    trajectory,
    values,
    variables,
    weights,
)
from tests.support.problems import fit, regression, state

BACKEND = keras.backend.backend()
STEPS = 30

WRAPPERS = {
    "lookahead": {"sync_period": 4, "slow_step_size": 0.3},
    "grokfast": {"grokfast_alpha": 0.9, "grokfast_lambda": 1.5},
    "hyperball": {"hyperball": True},
    "mechanic": {"mechanic_s_init": 0.01, "mechanic_scales": 3},
    "multisteps": {"accumulation_steps": 2},
    "sam": {"sam_rho": 0.2},
    "asam": {"sam_rho": 2.0},
    "looksam": {"sam_period": 3, "sam_rho": 20.0},
    "schedulefree": {"interpolation": 0.8, "average_warmup": 5},
    "ema": {"average_decay": 0.8},
    "swa": {"average_from": 3},
    "lawa": {"average_checkpoints": 3, "average_period": 2},
    "powerema": {"tail_power": 3.0},
}
INNER = {
    "sgd": {"momentum": 0.9},
    "adam": {},
    "lamb": {},
    "prodigy": {"d0": 0.01},
    "dog": {"reps_rel": 0.1},
}
NESTED = [
    ("grokfast", "lookahead"),
    ("mechanic", "lookahead"),
    ("grokfast", "hyperball", "lookahead"),
    ("grokfast", "mechanic", "lookahead"),
    ("grokfast", "sam", "ema"),
]
SINGLE = [(name,) for name in WRAPPERS]
each_wrapper = pytest.mark.parametrize("wrapper", WRAPPERS)
rest = pytest.mark.every
FEW = "sgd", "dog"  # the others only in `pytest -m every`
each_inner = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in FEW else rest) for n in INNER]
)
each_nest = pytest.mark.parametrize("around", SINGLE + NESTED, ids="-".join)
by_rule = pytest.mark.parametrize(
    "around", [n for n in SINGLE + NESTED if n != ("multisteps",)], ids="-".join
)


def make(name, around, groups=(), settings=WRAPPERS, **options):
    """Return an optimizer inside wrappers, the innermost first."""
    optimizer = optimizers.create(name, **INNER[name], **options)
    for i, wrapper in enumerate(around, 1):
        own = settings.get(wrapper, {})
        own = own | ({"groups": groups} if i == len(around) else {})
        try:
            optimizer = optimizers.create(wrapper, optimizer=optimizer, **own)
        except ValueError as refusal:
            if "Expected an optimizer with a learning rate" not in str(refusal):
                raise
            pytest.skip(str(refusal))
    return optimizer


def rate_of(name, around):
    """Return a learning rate: 1 for optimizers that find their own, else 0.02."""
    return 1.0 if "mechanic" in around or name in ("dog", "prodigy") else 0.02


def assert_equals_its_paper(name, around, start, close):
    rate = rate_of(name, around)

    def falling(step):
        high = ops.convert_to_tensor(rate, keras.config.floatx())
        return ops.where(ops.cast(step, "int32") < STEPS // 2, high, high / 2)

    grads = [
        [np.asarray(g, "float32").astype("float64") for g in step]
        for step in gradients(steps=STEPS)
    ]
    ours = make(name, around, learning_rate=falling, weight_decay=0.1)
    expected = oracle.run(
        name,
        start,
        grads,
        lambda step: rate * (1.0 if step < STEPS // 2 else 0.5),
        weight_decay=0.1,
        wrappers=around,
        **INNER[name],
        **{k: v for wrapper in around for k, v in WRAPPERS[wrapper].items()},
    )
    assert distance(trajectory(ours, start, grads), expected, start) < close


@each_inner
@by_rule
def test_equals_its_paper_in_float64(name, around, float64):
    assert_equals_its_paper(name, around, weights(), 1e-10)


@pytest.mark.parametrize(
    "name", ["sgd", *(pytest.param(n, marks=rest) for n in ("adam", "lamb", "prodigy"))]
)
@by_rule
def test_equals_its_paper_in_float32(name, around):
    # Mechanic uses products of updates and gradients, in which rounding errors grow
    usual = tolerance_of(optimizers.info(name).cls, "float32")
    close = 2e-5 if "mechanic" in around else usual
    assert_equals_its_paper(name, around, weights(size=0.0), close)


OPTAX = {
    "lookahead-sgd": (("lookahead",), "sgd", {"momentum": 0.9}, {"momentum": 0.9}),
    "mechanic-sgd": (("mechanic",), "sgd", {}, {}),
    "mechanic-adam": (("mechanic",), "adam", {"eps": 0.0}, {"epsilon": 0.0}),
}


@pytest.mark.skipif(BACKEND != "jax", reason="optax computes in float64 only there")
@pytest.mark.parametrize("case", OPTAX.values(), ids=OPTAX)
def test_equals_optax(case, float64):
    optax = pytest.importorskip("optax")
    (wrapper,), name, theirs, ours = case
    start, grads = weights(), gradients(steps=STEPS)
    rate = rate_of(name, (wrapper,))
    rule = getattr(optax, name)(rate, **theirs)
    params = [ops.convert_to_tensor(w) for w in start]
    if wrapper == "lookahead":
        rule = optax.lookahead(rule, 5, 0.5)
        params = optax.LookaheadParams.init_synced(params)
    else:
        rule = optax.contrib.mechanize(rule)
    held = rule.init(params)
    for g in grads:
        step, held = rule.update([ops.convert_to_tensor(x) for x in g], held, params)
        params = optax.apply_updates(params, step)
    inner = optimizers.create(name, learning_rate=rate, **ours)
    end = trajectory(optimizers.create(wrapper, optimizer=inner), start, grads)
    params = params.fast if wrapper == "lookahead" else params
    assert distance(end, [np.asarray(p) for p in params], start) < 1e-9


@pytest.mark.parametrize("name", ["adam", "prodigy"])
@each_nest
def test_config_round_trip(name, around):
    groups = [Group("head", learning_rate=0.5, weight_decay=0.1)]
    optimizer = make(name, around, groups, learning_rate=0.1, global_clipnorm=1.0)
    optimizer.learning_rate = 0.3
    for again in (
        type(optimizer).from_config(optimizer.get_config()),
        keras.optimizers.get(keras.optimizers.serialize(optimizer)),
    ):
        assert type(again) is type(optimizer)
        assert again.get_config() == optimizer.get_config()
        assert again.groups == optimizer.groups == tuple(groups)
        assert float(again.learning_rate) == pytest.approx(0.3)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize(
    ("around", "name"),
    [
        (("mechanic",), "prodigy"),
        *(pytest.param(n, "prodigy", marks=rest) for n in SINGLE if n != ("mechanic",)),
        *((n, "adam") for n in NESTED[-1:]),
        *(pytest.param(n, "adam", marks=rest) for n in NESTED[:-1]),
    ],
    ids=str,
)
def test_saving_and_loading_continues_as_if_uninterrupted(name, around, tmp_path):
    optimizer = make(
        name,
        around,
        groups=[Group("head", learning_rate=0.5)],
        learning_rate=schedules.Cosine(rate_of(name, around), 20),
        weight_decay=0.01,
        global_clipnorm=1.0,
        use_ema=True,
    )
    model = fit(optimizer, epochs=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    x, y = regression()
    for m in (model, loaded):
        m.fit(x, y, batch_size=32, epochs=2, verbose=0, shuffle=False)
    for a, b in zip(
        values(model.weights) + state(model.optimizer),
        values(loaded.weights) + state(loaded.optimizer),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.sampled
@each_nest
@pytest.mark.parametrize("name", ["adam", "prodigy"])
def test_a_non_finite_gradient_changes_nothing(name, around):
    optimizer, ws = make(name, around), variables(weights())
    steps = gradients(steps=3)
    apply(optimizer, steps[0], ws)
    before = values(ws), state(optimizer)
    steps[1][3].flat[0] = np.nan
    apply(optimizer, steps[1], ws)
    assert int(optimizer.skipped_steps) == 1
    for counter in optimizer.skips.variables:
        counter.assign(0)
    if optimizer.accumulates:
        optimizer.window.received.assign(1)
    optimizer.iterations.assign(1)
    for a, b in zip(before[0] + before[1], values(ws) + state(optimizer), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(BACKEND == "jax", reason="XLA compiles the whole step as it is")
@rest
@pytest.mark.parametrize("form", ["bucket", "fused", "fused bucket"])
@each_nest
def test_every_form(around, form):
    from tests.engine.test_forms import FORMS, assert_same

    options = {"learning_rate": rate_of("adam", around), "weight_decay": 0.1}
    assert_same(lambda: make("adam", around, **options), FORMS[form], n=40)


@each_wrapper
@pytest.mark.parametrize("name", ["sgd", "dog"])
def test_accumulation_equals_the_whole_batch(wrapper, name):
    if wrapper == "multisteps":
        pytest.skip("accumulates itself")
    if hasattr(optimizers.info(wrapper).cls, "second_pass"):
        pytest.skip("a sharp point of a whole batch is not one of its parts")
    start, grads = weights(), gradients(steps=20)
    rate = rate_of(name, (wrapper,))
    micro = make(name, [wrapper], learning_rate=rate, gradient_accumulation_steps=2)
    means = [
        [(a + b) / 2 for a, b in zip(x, y, strict=True)]
        for x, y in zip(grads[::2], grads[1::2], strict=True)
    ]
    end = trajectory(micro, start, grads)
    whole = trajectory(make(name, [wrapper], learning_rate=rate), start, means)
    assert distance(end, whole, [np.float32(w) for w in start]) < 1e-4


CHANGES = {
    "lookahead": ("slow_step_size", 0.9),
    "grokfast": ("grokfast_lambda", 0.1),
    "mechanic": ("mechanic_decay", 1e5),
    "multisteps": ("accumulation_steps", 3),
    "sam": ("sam_rho", 1.0),
    "asam": ("sam_rho", 5.0),
    "looksam": ("sam_alpha", 0.1),
    "schedulefree": ("interpolation", 0.5),
}


@pytest.mark.sampled
@pytest.mark.parametrize(
    "wrapper",
    [pytest.param(n, marks=() if n in ("lookahead", "sam") else rest) for n in CHANGES],
)
@pytest.mark.slow
def test_hyperparameters_of_both_move_and_follow_schedules(wrapper):
    own, value = CHANGES[wrapper]
    start, grads = weights(), gradients(steps=12)
    settings = WRAPPERS | {wrapper: {}}

    def end(change=None, **own):
        optimizer = make("adam", [wrapper], settings={wrapper: own}, learning_rate=1.0)
        if change:
            optimizer.adjust(*change)
        return trajectory(optimizer, start, grads)

    assert settings[wrapper] == {}
    given, moved = end(**{own: value}), end((own, value))
    driven = end(**{own: schedules.Constant(value)})
    for x, y, z, plain in zip(given, moved, driven, end(), strict=True):
        np.testing.assert_array_equal(x, y)
        np.testing.assert_allclose(x, z, rtol=1e-6)
        assert not x.size or not np.array_equal(x, plain)
    for x, y in zip(end(("beta_1", 0.1)), end(), strict=True):
        assert not x.size or not np.array_equal(x, y)


@pytest.mark.parametrize("wrapper", ["lookahead", "grokfast"])
@pytest.mark.slow
def test_groups_may_set_what_either_takes(wrapper):
    """A weight in a group moves as it would alone, with the group's values."""
    own, value = CHANGES[wrapper]
    start, grads = weights(), gradients(steps=12)
    group = Group(lambda v: v.path == "w1", beta_1=0.5, **{own: value})
    ours = trajectory(make("adam", [wrapper], groups=[group]), start, grads)
    plain = trajectory(make("adam", [wrapper]), start, grads)
    settings = {wrapper: WRAPPERS[wrapper] | {own: value}}
    inner = optimizers.Adam(beta_1=0.5)
    alone = optimizers.create(wrapper, optimizer=inner, **settings[wrapper])
    alone = trajectory(alone, start, grads)
    for i, (x, a, b) in enumerate(zip(ours, plain, alone, strict=True)):
        np.testing.assert_allclose(x, b if i == 1 else a, rtol=1e-6, atol=1e-9)
    assert not np.allclose(ours[1], plain[1])


@pytest.mark.sampled
@each_wrapper
def test_what_was_excluded_from_decay_stays_so(wrapper):
    start, grads = weights(), gradients(steps=8)

    def end(**exclusions):
        inner = optimizers.SGD(1.0, weight_decay=0.5)
        if exclusions:
            inner.exclude_from_weight_decay(**exclusions)
        own = WRAPPERS[wrapper]
        optimizer = optimizers.create(wrapper, optimizer=inner, **own)
        return trajectory(optimizer, start, grads)

    inner = optimizers.SGD(1.0)
    free = optimizers.create(wrapper, optimizer=inner, **WRAPPERS[wrapper])
    free, decayed = trajectory(free, start, grads), end()
    excluded = end(var_names=["w1"])
    assert not np.allclose(free[1], decayed[1], rtol=1e-3)
    if wrapper not in (
        "mechanic",
        "asam",
    ):  # their scale depends on all weights
        np.testing.assert_allclose(excluded[1], free[1], rtol=1e-6, atol=1e-5)
        np.testing.assert_array_equal(excluded[3], decayed[3])
    assert not np.allclose(excluded[1], decayed[1], rtol=1e-3)


@pytest.mark.sampled
@pytest.mark.parametrize("wrapper", [n for n in WRAPPERS if n != "grokfast"])
def test_a_wrapper_around_another_keeps_the_weight_decay(wrapper):
    start, grads = weights(), gradients(steps=4)

    def end(**decay):
        optimizer = make("sgd", [wrapper, "grokfast"], learning_rate=0.1, **decay)
        return trajectory(optimizer, start, grads)

    assert distance(end(weight_decay=0.5), end(), start) > 1e-3


def test_what_was_moved_before_wrapping_counts():
    inner = optimizers.Adam(0.1)
    inner.adjust("beta_1", 0.5)
    inner.learning_rate = 0.25
    optimizer = optimizers.Lookahead(inner)
    assert optimizer.beta_1 == 0.5
    assert optimizer.current_learning_rate == 0.25


@pytest.mark.slow
def test_grokfast_amplifies_what_a_model_wide_rule_measures(float64):
    """Grokfast triples a constant gradient, before Prodigy measures it."""
    start, g = weights(), gradients(steps=1)[0]
    ours = make("prodigy", ["grokfast"], settings={})
    tripled = [[3 * x for x in g]] * 20
    inner = optimizers.create("prodigy", **INNER["prodigy"])
    end = trajectory(ours, start, [g] * 20)
    assert distance(end, trajectory(inner, start, tripled), start) < 1e-12


@pytest.mark.slow
def test_mechanic_finds_the_scale_of_a_rate():
    """Inner learning rates that differ a million-fold lead to the same weights."""
    target = np.linspace(-1.0, 1.0, 5)

    def end(rate):
        w = variables([np.zeros(5)])
        optimizer = optimizers.Mechanic(optimizers.SGD(rate), mechanic_decay=0.0)
        optimizer.build(w)
        step = compiled(optimizer, w)
        for _ in range(400):
            step([ops.convert_to_tensor(values(w)[0] - target, "float32")])
        return values(w)[0]

    for rate in 1e-3, 1.0, 1e3:
        np.testing.assert_allclose(end(rate), target, atol=0.1)


# Hyperball.

WRAPPABLE = [
    name
    for name in optimizers.names()
    if not (info := optimizers.info(name)).learning_rate_free
    and (not info.cls.has_evaluation_weights or info.cls.averages_statistics)
]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("adamw", "muon") else rest)
        for name in WRAPPABLE
    ],
)
def test_hyperball_turns_matrices_by_the_rate_and_keeps_their_norms(name):
    """So it does around every optimizer with a learning rate."""
    shapes = {"wide": (3, 5), "kernel": (2, 3, 4, 5)}
    start = [20 * w for w in weights(shapes)]
    inner = optimizers.create(name, learning_rate=0.1, weight_decay=0.5)
    optimizer, ws = optimizers.Hyperball(inner), variables(start)
    before = start
    for g in gradients(shapes, steps=3):
        apply(optimizer, g, ws)
        for w, x, y in zip(start, before, values(ws), strict=True):
            assert np.linalg.norm(y) == pytest.approx(np.linalg.norm(w), rel=1e-5)
            angle = np.arccos(min(1.0, np.sum(x * y) / np.linalg.norm(w) ** 2))
            assert angle < 0.1 * 1.05
        before = values(ws)
    assert angle > 0.03  # not in every first step; less if the update is radial


@pytest.mark.slow
def test_hyperball_leaves_other_weights_to_the_inner_optimizer():
    shapes = {"matrix": (3, 5), "zero": (3, 5), "head": (5, 2), "bias": (5,)}
    start, grads = weights(shapes, size=1.0), gradients(shapes, steps=5)
    start[1] *= 0
    group = Group(lambda v: v.path == "w2", hyperball=False)
    inner = optimizers.AdamW(0.1, weight_decay=0.5)
    ours = trajectory(optimizers.Hyperball(inner, groups=[group]), start, grads)
    plain = trajectory(optimizers.AdamW(0.1, weight_decay=0.5), start, grads)
    free = trajectory(optimizers.Adam(0.1), start, grads)
    assert np.linalg.norm(ours[0]) == pytest.approx(np.linalg.norm(start[0]))
    assert np.linalg.norm(plain[0]) != pytest.approx(np.linalg.norm(start[0]), rel=0.1)
    for i, like in (1, free), (2, plain), (3, plain):
        np.testing.assert_allclose(ours[i], like[i], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fixed", [False, True])
def test_hyperball_fixes_embeddings_if_asked(fixed):
    w = keras.Variable(weights({"table": (6, 4)})[0], name="embeddings")
    before = np.linalg.norm(values([w])[0])
    inner = optimizers.SGD(0.1)
    optimizer = optimizers.Hyperball(inner, hyperball_embeddings=fixed)
    apply(optimizer, gradients({"table": (6, 4)}, steps=1)[0], [w])
    kept = np.linalg.norm(values([w])[0]) == pytest.approx(before)
    assert kept == fixed


# MultiSteps.


def by_windows(grads, sizes):
    """Return the mean gradients of windows of these sizes."""
    means, at = [], 0
    for n in sizes:
        window = grads[at : at + n]
        means.append([np.mean(gs, axis=0) for gs in zip(*window, strict=True)])
        at += n
    return means


@pytest.mark.sampled
@pytest.mark.parametrize("name", ["sgd", "adam", "dog"])
@pytest.mark.parametrize(
    ("steps", "sizes"),
    [
        (1, [1] * 12),
        (3, [3] * 4),
        (schedules.Piecewise([2, 4], [1, 2, 3]), [1, 1, 2, 2, 3, 3]),
        (schedules.Linear(1.0, 2, final=5.0), [1, 3, 5]),  # 3 are left over
    ],
    ids=["one", "three", "levels", "growing"],
)
@pytest.mark.slow
def test_micro_batches_equal_the_whole_batch(name, steps, sizes, float64):
    start, grads = weights(), gradients(steps=12)
    settings = {"multisteps": {"accumulation_steps": steps}}
    ours = make(name, ["multisteps"], settings=settings, learning_rate=0.1)
    end = trajectory(ours, start, grads)
    plain = make(name, [], learning_rate=0.1)
    means = by_windows(grads, sizes)
    assert distance(end, trajectory(plain, start, means), start) < 1e-10
    assert int(ours.updates) == len(sizes)
    assert int(ours.iterations) == 12


def test_a_micro_batch_that_is_not_finite_does_not_count():
    optimizer = optimizers.MultiSteps(optimizers.SGD(1.0), accumulation_steps=2)
    ws = variables([np.zeros(2)])
    for g in [1.0, 2.0], [np.nan, 1.0], [3.0, 4.0]:
        assert int(optimizer.updates) == 0
        apply(optimizer, [np.array(g)], ws)
    np.testing.assert_allclose(values(ws)[0], [-2.0, -3.0])
    assert (int(optimizer.updates), int(optimizer.skipped_steps)) == (1, 1)


@pytest.mark.slow
def test_a_window_goes_on_after_saving_and_loading(tmp_path):
    def new():
        return optimizers.MultiSteps(optimizers.Adam(0.1), accumulation_steps=3)

    start, grads = weights(), gradients(steps=8)
    whole = trajectory(new(), start, grads)
    first = new()
    ws, held = variables(start), {}
    for g in grads[:4]:
        apply(first, g, ws)
    first.save_own_variables(held)
    second = new()
    second.load_own_variables(held)
    for g in grads[4:]:
        apply(second, g, ws)
    assert distance(values(ws), whole, [np.float32(w) for w in start]) < 1e-6


# What users see.


# Bytes per parameter of wrappers whose slots are larger or smaller than the weight.
BYTES = {"lawa": 24.0, "hyperball": 0.0}


def test_wrappers_are_listed_and_told_about():
    of_doctest = {"smoothed"}  # in the docstring of `Wrapper`
    assert set(optimizers.wrappers()) - of_doctest == WRAPPERS.keys()
    assert not set(optimizers.wrappers()) & set(optimizers.names())
    for name in WRAPPERS:
        about = optimizers.info(name)
        assert about.name == name
        assert about.paper.year > 1900
        assert about.summary.endswith(".")
        arguments = inspect.signature(about.cls).parameters
        assert list(arguments) == ["optimizer", *about.hyperparameters, "groups"]
        assert getattr(optimizers, about.cls.__name__) is about.cls
        usual = 4 * len(about.cls.slots)
        assert about.bytes_per_parameter == BYTES.get(name, usual)


def refuse_each_other(a, b):
    """Return whether both have a second pass, or both have evaluation weights."""
    return any(
        all(getattr(cls, method, plain) is not plain for cls in (a, b))
        for method, plain in (
            ("second_pass", optimizers.Optimizer.second_pass),
            ("to_evaluation", optimizers.Optimizer.to_evaluation),
        )
    )


def test_names_of_arguments_and_state_are_nobody_elses():
    """A wrapper and the optimizer inside share one namespace."""
    classes = [optimizers.info(n).cls for n in [*optimizers.names(), *WRAPPERS]]
    for name in WRAPPERS:
        own = optimizers.info(name).cls
        for other in classes:
            if other is not own and not refuse_each_other(own, other):
                assert not set(own.own_fields) & set(other.fields)
                for kind in "slots", "shared":
                    mine, theirs = (
                        {slot.name for slot in getattr(cls, kind)}
                        for cls in (own, other)
                    )
                    assert not mine & theirs


def test_repr_is_how_it_is_constructed():
    optimizer = optimizers.Lookahead(
        optimizers.Grokfast(optimizers.SGD(0.1), grokfast_lambda=1.0), sync_period=2
    )
    assert repr(optimizer) == (
        "Lookahead(Grokfast(SGD(learning_rate=0.1, momentum=0.0), "
        "grokfast_alpha=0.98, grokfast_lambda=1.0), sync_period=2, slow_step_size=0.5)"
    )
    assert eval(repr(optimizer), vars(optimizers)).get_config()


@each_wrapper
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "takes an optimizer of keras_optlab. Received: None"),
        ("adam", r"Make one: keras_optlab.optimizers.create\(.adam.\)"),
        (keras.optimizers.Adam, "takes an optimizer of keras_optlab"),
        (optimizers.Adam, r"make an object of it: Adam\(\)"),
        (0.1, "Received: 0.1"),
    ],
    ids=["none", "name", "class of Keras", "class", "number"],
)
def test_what_is_no_optimizer_is_refused(wrapper, wrong, message):
    with pytest.raises(TypeError, match=message):
        optimizers.create(wrapper, optimizer=wrong)


@each_wrapper
def test_an_optimizer_of_keras_is_told_its_twin(wrapper):
    with pytest.raises(TypeError, match=r"Its twin is keras_optlab.optimizers.RMSprop"):
        optimizers.create(wrapper, optimizer=keras.optimizers.RMSprop())


@each_wrapper
def test_an_optimizer_that_cannot_be_wrapped_is_refused(wrapper):
    built = optimizers.SGD()
    built.build(variables(weights()))
    with pytest.raises(ValueError, match="has not trained. Received: one built for 6"):
        optimizers.create(wrapper, optimizer=built)
    twice = optimizers.create(wrapper, optimizer=optimizers.SGD())
    with pytest.raises(ValueError, match="already. Received: "):
        optimizers.create(wrapper, optimizer=twice)
    with pytest.raises(TypeError, match=r"momentum=0.5. Give it to SGD"):
        optimizers.create(wrapper, optimizer=optimizers.SGD(), momentum=0.5)
    with pytest.raises(TypeError, match=r"Received: speed=2. Known: "):
        optimizers.create(wrapper, optimizer=optimizers.SGD(), speed=2)
    groups = [Group("a")]
    inner = optimizers.SGD(groups=groups)
    with pytest.raises(ValueError, match="Give groups to"):
        optimizers.create(wrapper, optimizer=inner, groups=groups)


def test_orders_that_do_not_work_are_refused():
    with pytest.raises(ValueError, match=r"Sophia looks at each batch more than once"):
        optimizers.SAM(optimizers.Sophia())
    with pytest.raises(ValueError, match="has evaluation weights of its own"):
        optimizers.EMA(optimizers.ScheduleFreeSGD())
    with pytest.raises(ValueError, match="Received: gradient accumulation"):
        optimizers.LookSAM(optimizers.SGD(gradient_accumulation_steps=2))
    with pytest.raises(ValueError, match=r"Use Lookahead\(Mechanic\(...\)\)"):
        optimizers.Mechanic(optimizers.Lookahead(optimizers.SGD()))
    with pytest.raises(ValueError, match="cannot wrap Hyperball, whose fixed norms"):
        optimizers.Mechanic(optimizers.Grokfast(optimizers.Hyperball(optimizers.SGD())))
    for inner in optimizers.Lookahead(optimizers.SGD()), optimizers.ScheduleFreeSGD():
        with pytest.raises(ValueError, match="whose updates go to an average"):
            optimizers.Hyperball(inner)
    with pytest.raises(ValueError, match="discards the step size that Prodigy finds"):
        optimizers.Hyperball(optimizers.Prodigy())
    for wrong in {"gradient_accumulation_steps": 2}, {"sparse": "lazy"}:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            optimizers.MultiSteps(optimizers.SGD(**wrong))


@each_wrapper
def test_arguments_out_of_range_are_refused(wrapper):
    for key in optimizers.info(wrapper).hyperparameters:
        with pytest.raises((TypeError, ValueError), match=f"Received: {key}=-1"):
            optimizers.create(wrapper, optimizer=optimizers.SGD(), **{key: -1})


@each_wrapper
def test_own_arguments_may_be_given_in_their_order(wrapper):
    cls, values = optimizers.info(wrapper).cls, WRAPPERS[wrapper]
    known = list(cls.own_fields)
    given = [values.get(k, cls.fields[k].default) for k in known]
    optimizer = cls(optimizers.SGD(), *given)
    assert [getattr(optimizer, k) for k in known] == given
    with pytest.raises(TypeError, match=f"it takes optimizer, {known[0]}.*by name"):
        cls(optimizers.SGD(), *given, "more")
    with pytest.raises(TypeError, match=f"given `{known[0]}` twice"):
        cls(optimizers.SGD(), *given, **{known[0]: given[0]})
    names = list(inspect.signature(cls).parameters)
    assert names == ["optimizer", *known, "groups"]
