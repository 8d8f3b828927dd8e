"""Every form in which the engine runs a rule gives the weights of the plain form."""

import dataclasses
import importlib

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_optlab as kol
from keras_optlab import optimizers
from keras_optlab.core.registry import find
from keras_optlab.engine.fused import form
from keras_optlab.engine.update import buckets, pipeline
from keras_optlab.transforms import ClipUpdate
from keras_optlab.verify.comparisons import TOLERANCE
from keras_optlab.verify.problems import compiled, gradients, values, variables, weights
from tests.support.devices import ON_ACCELERATOR
from tests.support.problems import ALL, REPRESENTATIVES, label

BACKEND = keras.backend.backend()
if BACKEND == "jax":
    pytest.skip("XLA compiles the whole step as it is", allow_module_level=True)
engine = importlib.import_module(f"keras_optlab.engine.fused.on_{BACKEND}")
kernels = importlib.import_module(f"keras_optlab.engine.fused.{BACKEND}_kernels")
if BACKEND == "torch":
    torch_in_place = importlib.import_module("keras_optlab.engine.fused.torch_in_place")

SHAPES = {"vector": (4,), "wide": (3, 5), "also": (3, 5), "kernel": (2, 3, 4, 5)}
FLOAT32 = ("float32",) * len(SHAPES)
NEVER, ALWAYS = 2**60, 1
FORMS = {
    "bucket": {"small": NEVER, "worth_it": NEVER},
    "fused": {"small": 0, "worth_it": ALWAYS},
    "fused bucket": {"small": NEVER, "worth_it": ALWAYS, "full": 40},  # not "kernel"
}
FEW = {"small": NEVER, "worth_it": NEVER - 1, "few": len(SHAPES)}  # kernels, no bucket
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def steps(n=100):
    """Return gradients, two of them not finite."""
    grads = gradients(SHAPES, n)
    for i, j, bad in (5, 1, np.nan), (40, 3, np.inf):
        if i < n:
            grads[i][j][(0,) * grads[i][j].ndim] = bad
    return grads


def run(optimizer, ws, grads, small=0, worth_it=NEVER, few=1, full=NEVER, **how):
    """Take all steps in one form; return the final weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "SMALL", small)
        patch.setattr(buckets, "FULL", full)
        patch.setattr(form, "MIN_COMPILED_SIZE", worth_it)
        patch.setattr(form, "FEW_SMALL_WEIGHTS", few)
        if worth_it == NEVER:
            patch.setattr(kernels, "KERNELS", {})
            if BACKEND == "torch":
                patch.setattr(torch_in_place, "IN_PLACE", {})
        optimizer.build(ws)
        step = compiled(optimizer, ws, **how)
        for g in grads:
            step(
                [
                    keras.ops.convert_to_tensor(x, w.dtype)
                    for x, w in zip(g, ws, strict=True)
                ]
            )
    return values(ws)


def assert_same(make, form, n=100, dtypes=FLOAT32):
    """Compare a form with the plain one, to 1e-6 of the weights or of their movement.

    The tolerance is wider for bfloat16, where one different rounding stays, and for
    rules that find their step size: they use sums over all weights, and each form adds
    in another order.
    """

    def ends(**form):
        ws = [
            keras.Variable(w, dtype=dtype, name=f"w{i}")
            for i, (w, dtype) in enumerate(zip(weights(SHAPES), dtypes, strict=True))
        ]
        return run(make(), ws, steps(n), **form)

    everything = zip(ends(**form), ends(), weights(SHAPES), dtypes, strict=True)
    for x, y, start, dtype in everything:
        moved, size = np.abs(y - start).max(), np.abs(y).max()
        share = TOLERANCE["found float32"] if make().learning_rate_free else 1e-6
        share = 2.0**-6 if dtype == "bfloat16" else share
        np.testing.assert_allclose(x, y, rtol=0, atol=share * max(moved, size))


def groups():
    return [
        kol.Group(lambda v: v.path == "w1", learning_rate=0.5),
        kol.Group(lambda v: v.path == "w3", weight_decay=0.0),
    ]


@pytest.mark.sampled
@pytest.mark.long
@each_form
@pytest.mark.parametrize("case", ALL, ids=label)
def test_every_rule(case, form):
    name, kwargs = case
    assert_same(lambda: optimizers.create(name, **kwargs), form)


@pytest.mark.sampled
@pytest.mark.skipif(BACKEND != "tensorflow", reason="torch's take all weights at once")
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("case", [c for c in ALL if c[0] in kernels.KERNELS], ids=label)
def test_kernels_for_a_few_small_weights(case, jit_compile):
    """Without XLA, and with XLA for the whole step."""
    name, kwargs = case
    how = FEW | {"jit_compile": jit_compile}
    assert_same(lambda: optimizers.create(name, **kwargs), how, n=5)


OPTIONS = st.fixed_dictionaries(
    {"learning_rate": st.sampled_from([0.001, 0.01])},
    optional={
        "weight_decay": st.just(0.1),
        "l1": st.just(0.01),
        "l2": st.just(0.01),
        "l1_proximal": st.just(0.01),
        "decay_mask": st.just("matrices"),
        "groups": st.builds(groups),
        "gradient_accumulation_steps": st.sampled_from([2, 3]),
        "use_ema": st.booleans(),
    },
)
CLIPPING = st.sampled_from(["clipvalue", "clipnorm", "global_clipnorm", None])
DTYPES = st.tuples(*[st.sampled_from(["float32", "bfloat16", "float64"])] * len(SHAPES))


@pytest.mark.every
@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.data())
def test_options_in_any_combination(data):
    case = data.draw(st.sampled_from([c for c in ALL if find(c[0]).elementwise]))
    options, clipping = data.draw(OPTIONS), data.draw(CLIPPING)
    if clipping:
        options[clipping] = 0.5
    transformed = data.draw(st.booleans())

    def make():
        transforms = [ClipUpdate(0.5)] if transformed else []
        return optimizers.create(
            case[0], **case[1], **options, update_transforms=transforms
        )

    form = data.draw(st.sampled_from(list(FORMS.values())))
    assert_same(make, form, dtypes=data.draw(DTYPES))


@pytest.mark.sampled
@each_form
@pytest.mark.parametrize("name", ["adam", "adamw", "lion"])
@pytest.mark.slow
def test_state_moves_between_forms(name, form):
    plain = {"small": 0, "worth_it": NEVER}
    grads = steps(60)

    def end(first, then):
        ws, held = variables(weights(SHAPES)), None
        for form, some in (first, grads[:30]), (then, grads[30:]):
            optimizer = optimizers.create(name, learning_rate=0.01)
            if held:
                optimizer.load_own_variables(held)  # used when it is built
            run(optimizer, ws, some, **form)
            held = {}
            optimizer.save_own_variables(held)
        return values(ws)

    there = end(plain, plain)
    for first, then in (plain, form), (form, plain):
        for x, y, start in zip(end(first, then), there, weights(SHAPES), strict=True):
            moved = np.abs(y - start).max()
            np.testing.assert_allclose(x, y, rtol=0, atol=3e-6 * moved + 1e-8)


@pytest.mark.sampled
@each_form
@pytest.mark.parametrize("name", ["adam", "lion"])
@pytest.mark.parametrize("clipped", [False, True])
def test_weights_of_a_bucket_one_by_one(name, clipped, form):
    """In a compiled step, if a weight has no gradient or each is clipped by itself."""

    def end(**form):
        ws, optimizer = variables(weights(SHAPES)), optimizers.create(name)
        some = ws if clipped else ws[:-1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(buckets, "SMALL", form["small"])
            patch.setattr("keras_optlab.engine.fused.form.FEW_SMALL_WEIGHTS", 1)
            optimizer.build(ws)
        if clipped:
            optimizer.drive("clipnorm", 0.5)
        run(optimizer, some, [g[: len(some)] for g in steps(10)], **form)
        return values(ws)

    plain = {"small": 0, "worth_it": NEVER}
    for x, y in zip(end(**form), end(**plain), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-8)


def test_a_bucket_without_all_its_gradients():
    """If one weight has no gradient, the others are updated one by one."""
    grads = steps(20)

    def end(small):
        ws, optimizer = variables(weights(SHAPES)), optimizers.Adam(0.01)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(buckets, "SMALL", small)
            optimizer.build(ws)
        for i, g in enumerate(grads):
            some = [j for j in range(len(ws)) if j != i % (len(ws) + 1)]
            given = [keras.ops.convert_to_tensor(g[j], "float32") for j in some]
            optimizer.apply(given, [ws[j] for j in some])
        return values(ws)

    for x, y in zip(end(NEVER), end(0), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_a_clipping_switched_on_later_looks_at_each_weight():
    def end(small):
        ws, optimizer = variables(weights(SHAPES)), optimizers.SGD(0.1, momentum=0.9)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(buckets, "SMALL", small)
            patch.setattr(form, "FEW_SMALL_WEIGHTS", 1)
            optimizer.build(ws)
            assert bool(optimizer.plan.buckets) == (small > 0 and BACKEND != "torch")
        optimizer.drive("clipnorm", 0.5)
        return run(optimizer, ws, steps(10))

    for x, y in zip(end(NEVER), end(0), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_statistics_are_of_each_weight_in_a_bucket():
    def recorded(small):
        ws = variables(weights(SHAPES))
        optimizer = optimizers.AdamW(0.01, global_clipnorm=0.5)
        optimizer.collect_statistics(1)
        run(optimizer, ws, steps(4), small=small)
        return optimizer.statistics()

    bucket, plain = recorded(NEVER), recorded(0)
    assert bucket.layers.keys() == plain.layers.keys()
    for path, norms in bucket.layers.items():
        for name, value in dataclasses.asdict(norms).items():
            expected = getattr(plain.layers[path], name)
            assert value is expected is None or value == pytest.approx(expected, 1e-5)


def test_kernels_are_of_optimizers_that_exist():
    assert set(kernels.KERNELS) <= set(optimizers.names())


def test_rules_of_whole_tensors_stay_plain(monkeypatch):
    lion = optimizers.create("lion")
    monkeypatch.setattr(type(lion), "elementwise", False)

    class Never(form.Form):
        def update_weight(self, p, g):
            pytest.fail("fused")

    monkeypatch.setattr(pipeline, "fused_form", Never)
    run(lion, variables(weights(SHAPES)), steps(2), **FORMS["fused bucket"])
    assert not lion.plan.buckets


@pytest.mark.parametrize(
    "change",
    [
        lambda g: g / keras.ops.norm(g),
        lambda g: g - keras.ops.mean(g, axis=-1, keepdims=True),
        lambda g: keras.ops.transpose(g, (1, 0)),
    ],
    ids=["norm", "mean", "matrix"],
)
def test_a_rule_of_whole_tensors_that_does_not_say_so(change, monkeypatch):
    """`elementwise` is true by default, so the engine tests whether it holds."""
    sgd = optimizers.SGD(0.1, momentum=0.9)
    update = type(sgd).update
    monkeypatch.setattr(
        type(sgd),
        "update",
        lambda self, w, g, *rest: update(self, w, change(g), *rest),
    )
    sgd.build(variables(weights(SHAPES)))
    assert not sgd.plan.elementwise
    assert not sgd.plan.buckets


@pytest.mark.parametrize("case", ALL, ids=label)
def test_rules_are_taken_for_what_they_declare(case):
    name, kwargs = case
    optimizer = optimizers.create(name, **kwargs)
    optimizer.build(variables(weights(SHAPES)))
    assert optimizer.plan.elementwise is type(optimizer).elementwise


@pytest.mark.skipif(BACKEND != "tensorflow", reason="torch compiles for any shape")
def test_weights_of_one_shape_share_a_compiled_step(monkeypatch):
    ws, lion, traced = variables(weights(SHAPES)), optimizers.create("lion"), []
    monkeypatch.setattr(buckets, "SMALL", 0)
    lion.build(ws)
    update = type(lion).update
    monkeypatch.setattr(
        type(lion),
        "update",
        lambda self, w, *rest: traced.append(w.shape) or update(self, w, *rest),
    )
    run(lion, ws, steps(2), **FORMS["fused"])
    assert sorted(map(tuple, traced)) == sorted(set(SHAPES.values()))


@pytest.mark.skipif(BACKEND != "torch", reason="TensorFlow compiles at once")
@pytest.mark.skipif(ON_ACCELERATOR, reason="kernels for CPUs")
class TestCompiledLater:
    """On torch, a rule is compiled after it has updated `COMPILE_AFTER` entries."""

    def earned(self, monkeypatch, entries):
        compiled = []
        traced = engine.traced
        monkeypatch.setattr(engine, "COMPILE_AFTER", entries)
        monkeypatch.setattr(
            engine, "traced", lambda *args: compiled.append(args) or traced(*args)
        )
        return compiled

    @pytest.mark.parametrize("form", ["fused", "fused bucket"])
    def test_once_it_has_been_through_so_many_entries(self, form, monkeypatch):
        entries = sum(np.prod(shape) for shape in SHAPES.values())
        compiled = self.earned(monkeypatch, 50 * entries)
        options = {"weight_decay": 0.1, "groups": groups()[:1]}
        assert_same(lambda: optimizers.Lion(0.01, **options), FORMS[form])
        assert len(compiled) == 2  # one per group, shared by its weights

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "name", sorted(n for n in REPRESENTATIVES if find(n).elementwise)
    )
    def test_every_kind_of_rule(self, name, monkeypatch):
        monkeypatch.setattr(kernels, "KERNELS", {})
        compiled = self.earned(monkeypatch, 0)
        assert_same(lambda: optimizers.create(name), FORMS["fused"])
        assert len(compiled) == 1

    def test_a_schedule_and_a_new_value_do_not_compile_anew(self, monkeypatch):
        compiled = self.earned(monkeypatch, 0)
        lion = optimizers.Lion(kol.schedules.Cosine(0.01, 20))
        ws = variables(weights(SHAPES))
        run(lion, ws, steps(5), **FORMS["fused"])
        lion.beta_1 = 0.5
        run(lion, ws, steps(5), **FORMS["fused"])
        assert len(compiled) == 1

    def test_without_a_compiler_it_warns_once_and_goes_on(self, monkeypatch):
        self.earned(monkeypatch, 0)

        def fail(*_, **__):
            raise RuntimeError("no compiler")

        monkeypatch.setattr(engine.torch, "compile", fail)
        with pytest.warns(UserWarning, match="stays uncompiled") as caught:
            assert_same(lambda: optimizers.Lion(0.01), FORMS["fused"])
        assert len([w for w in caught if "uncompiled" in str(w.message)]) == 1


@pytest.mark.skipif(BACKEND != "torch", reason="TensorFlow has no stateless_apply")
@pytest.mark.parametrize("missing", [None, 1])
def test_a_stateless_step_changes_nothing_in_place(missing):
    def end(small, worth_it, stateless):
        ws, optimizer = variables(weights(SHAPES)), optimizers.Adam(0.01)
        given = [i for i in range(len(ws)) if i != missing]
        grads = [keras.ops.convert_to_tensor(steps(1)[0][i], "float32") for i in given]
        some = [ws[i] for i in given]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(buckets, "SMALL", small)
            patch.setattr(form, "MIN_COMPILED_SIZE", worth_it)
            optimizer.build(ws)
            if not stateless:
                optimizer.apply(grads, some)
                return values([*ws, *optimizer.variables])
            held = [*ws, *optimizer.variables]
            before = values(held)
            with keras.StatelessScope(
                [(v, keras.ops.copy(v.value)) for v in held]
            ) as scope:
                optimizer.apply(grads, some)
            new = [scope.get_current_value(v) for v in held]
        for x, y in zip(before, values(held), strict=True):
            np.testing.assert_array_equal(x, y)
        return values(new)

    for forms in (NEVER, NEVER), (NEVER, ALWAYS), (0, ALWAYS):
        for x, y in zip(end(*forms, True), end(*forms, False), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-8)
