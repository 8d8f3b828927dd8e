"""Each transform against its paper and its twins, by hand, in a fit, serialized."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers, schedules
from keras_optlab import transforms as T
from keras_optlab.core import Group, Slot, Values
from keras_optlab.core.slots import Weight
from keras_optlab.transforms.adaptive_clip import adaptive_clip
from keras_optlab.transforms.noise import standard_normal
from keras_optlab.verify.oracle import transforms as oracle
from keras_optlab.verify.problems import (
    apply,
    gradients,
    trajectory,
    values,
    variables,
    weights,
)
from tests.support.problems import fit, mlp, one_step, regression


def noisy(xs, ws, gs, t, lr, eta, gamma, seed):
    """Add noise by Neelakantan et al. (2015), arXiv:1511.06807, from the same draws."""
    floatx = keras.config.floatx()
    tensors = [ops.convert_to_tensor(x, floatx) for x in xs]
    drawn = standard_normal(tensors, seed, ops.convert_to_tensor(t))
    sigma = np.sqrt(eta / t**gamma)
    return [x + sigma * z for x, z in zip(xs, values(drawn), strict=True)]


CASES = [  # transforms, and the same in NumPy
    (T.AdaptiveClip(0.5, epsilon=0.1), oracle.adaptive_clip),
    (T.AddNoise(0.3, seed=5), noisy),
    (T.AutoClip(30, length=3), oracle.AutoClip),
    (T.Cautious(), oracle.cautious),
    (T.CautiousWeightDecay(0.5), oracle.cautious_weight_decay),
    (T.Centralize(), oracle.centralize),
    (T.ClipByGlobalNorm(0.1), oracle.clip_by_global_norm),
    (T.ClipByNorm(2.0), oracle.clip_by_norm),
    (T.ClipByValue(0.3), oracle.clip_by_value),
    (T.ClipUpdate(1.2), oracle.clip_update),
    (T.NormalizeGradient(), oracle.normalize_gradient),
    (T.NormalizeGradient(over="all", epsilon=0.1), oracle.normalize_gradient),
    (T.Orthogonalize(), oracle.orthogonalize),
    (T.Orthogonalize(3, "jordan", flatten_kernels=True), oracle.orthogonalize),
    (T.Sign(), oracle.sign),
    (T.TrustRatio(), oracle.trust_ratio),
    (T.TrustRatio(low=0.2, high=0.3), oracle.trust_ratio),
    (T.ZClip(threshold=0.1, warmup_steps=2), oracle.ZClip),
    (T.ZClip(0.5, 0.1, warmup_steps=1, max_norm=9.0), oracle.ZClip),
    (T.ZeroNonFinite(), oracle.zero_non_finite),
]
ids = [repr(transform) for transform, _ in CASES]


def test_no_transform_is_missing_here():
    public = {getattr(T, name) for name in T.__all__}
    listed = {type(transform) for transform, _ in CASES}
    assert listed == public - {T.Transform, T.TensorTransform}


def arranged(transform):
    """Return the optimizer argument that takes this transform."""
    return {f"{transform.sides[0]}_transforms": [transform]}


class Halved(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule: 0.1 for two updates, then 0.05."""

    def __call__(self, step):
        return ops.where(ops.cast(step, "int32") < 2, 1.0, 0.5) * ops.convert_to_tensor(
            0.1, keras.config.floatx()
        )

    def get_config(self):
        return {}


@pytest.mark.sampled
@pytest.mark.parametrize(("transform", "expected"), CASES, ids=ids)
@pytest.mark.parametrize(
    "dtype", ["float32", pytest.param("float64", marks=pytest.mark.every)]
)
def test_equals_its_paper_in_a_compiled_step(transform, expected, dtype, request):
    if dtype == "float64":
        request.getfixturevalue("float64")
    start, grads = weights(size=0.5), gradients(steps=4)
    if isinstance(transform, T.ZeroNonFinite):
        grads[1][1][:3], grads[2][4][0, 1] = (np.nan, np.inf, -np.inf), np.nan
    momentum = optimizers.SGD(
        Halved(), momentum=0.9, skip_non_finite=False, **arranged(transform)
    )
    ends = trajectory(momentum, start, grads)

    ws, vs, kwargs = start, [0.0] * len(start), transform.get_config()
    expected = expected() if isinstance(expected, type) else expected
    for t, gs in enumerate(grads, 1):
        lr = 0.1 if t <= 2 else 0.05
        if "gradient" in transform.sides:
            gs = expected(gs, ws, gs, t, lr, **kwargs)
        us = vs = [0.9 * v - lr * g for v, g in zip(vs, gs, strict=True)]
        if transform.sides == ("update",):
            us = expected(us, ws, gs, t, lr, **kwargs)
        ws = [w + u for w, u in zip(ws, us, strict=True)]
    tolerance = {"float32": 2e-6, "float64": 1e-12}[dtype]
    for end, w in zip(ends, ws, strict=True):
        np.testing.assert_allclose(end, w, rtol=tolerance, atol=tolerance)


def run(transform, xs, ws, learning_rate=1.0, t=1):
    """Return the output of a transform, called outside of an optimizer."""

    def tensor(x):
        return ops.convert_to_tensor(np.asarray(x), keras.config.floatx())

    config = transform.get_config()
    h = {k: tensor(v) if isinstance(v, float) else v for k, v in config.items()}
    seen = [
        Values(
            w=tensor(w),
            g=tensor(x),
            t=tensor(t),
            count=ops.convert_to_tensor(t),
            learning_rate=tensor(learning_rate),
            decays=True,
            decay_factor=1.0,
        )
        for x, w in zip(xs, ws, strict=True)
    ]
    slots = [Values() for _ in xs]
    whole = Weight((), "", Values(**config))
    shared = {
        slot.name: tensor(np.full(slot.shape_for(whole), slot.start(config)))
        for slot in transform.shared
    }
    changed, _, _ = transform.run(
        [tensor(x) for x in xs], seen, slots, Values(**shared), Values(**h)
    )
    return values(changed)


OPTAX = [
    (T.AdaptiveClip(0.5), "adaptive_grad_clip", {"clipping": 0.5}),
    (T.ClipUpdate(1.2), "clip_by_block_rms", {"threshold": 1.2}),
    (
        T.NormalizeGradient(over="all", epsilon=1e-6),
        "normalize_by_update_norm",
        {"eps": 1e-6},
    ),
    (T.TrustRatio(), "scale_by_trust_ratio", {}),
    (T.ZeroNonFinite(), "zero_nans", {}),
    (T.ClipByGlobalNorm(0.1), "clip_by_global_norm", {"max_norm": 0.1}),
    (T.ClipByValue(0.3), "clip", {"max_delta": 0.3}),
]


@pytest.mark.parametrize(("transform", "twin", "theirs"), OPTAX, ids=lambda x: str(x))
def test_equals_optax(transform, twin, theirs, float64):
    optax = pytest.importorskip("optax")
    if keras.backend.backend() != "jax":
        pytest.skip("optax computes in float64 only where JAX is the backend")
    ws, (xs,) = weights(size=0.5), gradients(steps=1)
    if twin == "zero_nans":
        xs[1][2] = np.nan
    rule = getattr(optax, twin)(**theirs)
    params = [ops.convert_to_tensor(w) for w in ws]
    updates = [ops.convert_to_tensor(x) for x in xs]
    theirs, _ = rule.update(updates, rule.init(params), params)
    for x, y in zip(run(transform, xs, ws), theirs, strict=True):
        np.testing.assert_allclose(x, np.asarray(y), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "transform",
    [c for c, _ in CASES if not isinstance(c, T.AddNoise | T.CautiousWeightDecay)],
    ids=repr,
)
def test_zero_stays_zero(transform):
    for rate in (0.1, 0.0):
        xs = [np.zeros((2, 2)), np.zeros(3), np.zeros(())]
        for w in (0.0, 1.0):
            ends = run(transform, xs, [x + w for x in xs], learning_rate=rate)
            assert all((x == 0).all() for x in ends)


def test_clipping_by_hand():
    def clipped(transform, g):
        return -one_step(
            optimizers.SGD(1.0, gradient_transforms=[transform]), np.zeros(2), g
        )

    np.testing.assert_allclose(clipped(T.ClipByValue(0.5), [3.0, -0.1]), [0.5, -0.1])
    np.testing.assert_allclose(clipped(T.ClipByNorm(1.0), [3.0, 4.0]), [0.6, 0.8])
    np.testing.assert_allclose(clipped(T.ClipByNorm(9.0), [3.0, 4.0]), [3.0, 4.0])
    np.testing.assert_allclose(clipped(T.ClipByGlobalNorm(1), [3.0, 4.0]), [0.6, 0.8])


def test_global_norm_is_of_all_tensors():
    sgd = optimizers.SGD(1.0, gradient_transforms=[T.ClipByGlobalNorm(1.0)])
    ends = trajectory(sgd, [np.zeros(1), np.zeros(1)], [[[3.0], [4.0]]])
    np.testing.assert_allclose(np.ravel(ends), [-0.6, -0.8], rtol=1e-6)


def test_centralize_takes_the_mean_over_the_inputs_of_each_unit():
    sgd = optimizers.SGD(1.0, gradient_transforms=[T.Centralize()])
    ends = one_step(sgd, np.zeros((2, 2)), [[1.0, 10.0], [3.0, 10.0]])
    np.testing.assert_allclose(ends, [[1.0, 0.0], [-1.0, 0.0]])
    again = optimizers.SGD(1.0, gradient_transforms=[T.Centralize()])
    np.testing.assert_allclose(one_step(again, [0.0, 0.0], [1.0, 3.0]), [-1.0, -3.0])


def test_cautious_drops_what_the_gradient_contradicts():
    momentum = optimizers.Momentum(1.0, momentum=0.5, update_transforms=[T.Cautious()])
    ws = variables([np.zeros(2)])
    apply(momentum, [np.array([4.0, 4.0])], ws)  # both agree: -4, -4
    apply(momentum, [np.array([1.0, -1.0])], ws)  # velocity 3, 1: only one agrees
    np.testing.assert_allclose(values(ws)[0], [-4.0 - 3.0 * 2, -4.0])


def test_a_transform_may_hold_state_of_both_kinds():
    class Counting(T.Transform):
        slots = (Slot("seen"),)
        shared = (Slot("steps"),)

        def run(self, xs, seen, s, z, h):
            steps = z.steps + 1
            s = [r.next(seen=r.seen + x) for r, x in zip(s, xs, strict=True)]
            return [x * steps for x in xs], s, z.next(steps=steps)

    sgd = optimizers.SGD(1.0, gradient_transforms=[Counting(), Counting()])
    ends = trajectory(sgd, [np.zeros(2)], [[[1.0, 1.0]], [[1.0, 1.0]]])
    np.testing.assert_allclose(ends[0], [-5.0, -5.0])  # 1 * 1 + 2 * 2
    slots = sgd.plan.parameters[0].transform_slots
    np.testing.assert_allclose(values([slots[0]["seen"]])[0], [2.0, 2.0])
    np.testing.assert_allclose(values([slots[1]["seen"]])[0], [3.0, 3.0])


def test_adaptive_clip_by_hand():
    w = [[3.0, 0.0], [4.0, 0.0]]  # units of norm 5 and 0
    g = [[0.0, 3.0], [1.0, 4.0]]  # of norm 1 and 5
    clip = T.AdaptiveClip(0.1, epsilon=0.01)  # clips to norms 0.5 and 0.001
    np.testing.assert_allclose(
        run(clip, [g], [w])[0], [[0.0, 6e-4], [0.5, 8e-4]], rtol=1e-6
    )
    vector = run(clip, [[3.0, 4.0]], [[10.0, 0.0]])[0]  # one unit: to norm 1
    np.testing.assert_allclose(vector, [0.6, 0.8], rtol=1e-6)


def test_adaptive_clip_as_a_function_has_the_papers_epsilon():
    g, w = ops.convert_to_tensor([3.0, 4.0]), ops.zeros(2)
    clipped = values([adaptive_clip(g, w, 0.5)])[0]
    np.testing.assert_allclose(np.linalg.norm(clipped), 0.5e-3, rtol=1e-6)


def test_normalize_gradient_by_hand():
    xs = [[3.0, 4.0], [12.0]]
    each = run(T.NormalizeGradient(), xs, xs)
    np.testing.assert_allclose(np.concatenate(each), [0.6, 0.8, 1.0], rtol=1e-6)
    together = run(T.NormalizeGradient(over="all"), xs, xs)  # of norm 13
    np.testing.assert_allclose(
        np.concatenate(together), np.array([3, 4, 12]) / 13, rtol=1e-6
    )


def test_zero_non_finite_keeps_the_finite_entries_of_a_step_that_is_not_skipped():
    def stepped(**kwargs):
        zero = T.ZeroNonFinite()
        sgd = optimizers.SGD(1.0, gradient_transforms=[zero], **kwargs)
        return one_step(sgd, [1.0, 1.0, 1.0, 1.0], [np.nan, 0.5, np.inf, -np.inf])

    np.testing.assert_array_equal(stepped(skip_non_finite=False), [1.0, 0.5, 1.0, 1.0])
    np.testing.assert_array_equal(stepped(), [1.0, 1.0, 1.0, 1.0])


def test_trust_ratio_by_hand():
    w, u = [3.0, 4.0], [0.0, -0.02]

    def changed(w=w, **kwargs):
        return run(T.TrustRatio(**kwargs), [u], [w], learning_rate=0.1)[0]

    np.testing.assert_allclose(changed(), [0.0, -0.1 * 5], rtol=1e-6)
    np.testing.assert_allclose(changed(high=2.0), [0.0, -0.1 * 2], rtol=1e-6)
    np.testing.assert_allclose(changed(low=7.0), [0.0, -0.1 * 7], rtol=1e-6)
    zero = [0.0, 0.0]
    np.testing.assert_allclose(changed(zero), u, rtol=1e-6)
    np.testing.assert_allclose(changed(zero, high=2.0), u, rtol=1e-6)
    np.testing.assert_allclose(changed(zero, low=2.0), [0.0, -0.2], rtol=1e-6)


def test_clip_update_by_hand():
    u = [0.0, -0.02]  # a direction of root mean square 0.2 / sqrt(2)
    for threshold, size in ((0.1, 0.01 * np.sqrt(2)), (1.0, 0.02)):
        clip = T.ClipUpdate(threshold)
        ends = run(clip, [u], [u], learning_rate=0.1)[0]
        np.testing.assert_allclose(ends, [0.0, -size], rtol=1e-6)


def test_the_rate_of_an_update_is_that_of_its_group():
    sgd = optimizers.SGD(
        0.1,
        groups=[Group("w1", learning_rate=0.5)],
        update_transforms=[T.TrustRatio()],
    )
    ws = variables([[3.0, 4.0], [3.0, 4.0]])
    apply(sgd, [np.array([1.0, 0.0])] * 2, ws)
    np.testing.assert_allclose(values(ws), [[2.5, 4.0], [2.75, 4.0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("transform", "gs", "fraction"),
    [
        (T.AdaptiveClip(0.5), [[9.0, 0.0], [0.1, 0.0]], 0.5),
        (T.ClipUpdate(1.0), [[9.0, 0.0], [0.1, 0.0]], 0.5),
        (T.ZClip(max_norm=1.0), [[9.0, 0.0], [0.1, 0.0]], 1.0),
        (T.AutoClip(), [[9.0, 0.0], [0.1, 0.0]], 0.0),
        (T.NormalizeGradient(), [[9.0, 0.0], [9.0, 0.0]], 0.0),
    ],
    ids=repr,
)
def test_what_clips_is_counted(transform, gs, fraction):
    sgd = optimizers.SGD(0.1, **arranged(transform))
    sgd.collect_statistics(every=1)
    apply(sgd, [np.array(g) for g in gs], variables([np.ones(2), np.ones(2)]))
    assert sgd.statistics().clipped_fraction == fraction


def shortened(transform, norms, **kwargs):
    """Return the norms of gradients after the transform, given the norms before."""
    sgd = optimizers.SGD(1.0, gradient_transforms=[transform], **kwargs)
    ws = variables([np.zeros(2)])
    ends = [values(ws)[0]]
    for norm in norms:
        apply(sgd, [np.array([0.6, 0.8]) * norm], ws)
        ends.append(values(ws)[0])
    return [np.linalg.norm(b - a) for a, b in zip(ends[:-1], ends[1:], strict=True)]


class TestAutoClip:
    def test_clips_to_the_percentile_of_the_norms_so_far(self):
        norms = [5.0, 1.0, 3.0, 9.0]
        ends = shortened(T.AutoClip(50), norms)
        np.testing.assert_allclose(ends, [5.0, 1.0, 3.0, 4.0], rtol=1e-5)

    def test_forgets_all_but_the_last(self):
        ends = shortened(T.AutoClip(0, length=2), [1.0, 5.0, 3.0, 9.0])
        np.testing.assert_allclose(ends, [1.0, 1.0, 3.0, 3.0], rtol=1e-5)

    def test_what_was_zero_stays_a_limit(self):
        ends = shortened(T.AutoClip(0), [0.0, 5.0])
        np.testing.assert_array_equal(ends, [0.0, 0.0])

    def test_a_norm_that_overflows_is_not_kept(self):
        ends = shortened(T.AutoClip(100), [1.0, 1e30, 0.5, 2.0])
        np.testing.assert_allclose(ends, [1.0, 0.0, 0.5, 2.0], rtol=1e-5)


class TestZClip:
    def test_by_hand(self):
        # the norms 1 and 3 of the warmup: mean 2, deviation 1
        ends = shortened(T.ZClip(warmup_steps=2), [1.0, 3.0, 4.0, 50.0])
        np.testing.assert_allclose(ends[:3], [1.0, 3.0, 4.0], rtol=1e-5)
        ends = shortened(T.ZClip(warmup_steps=2), [1.0, 3.0, 12.0])
        np.testing.assert_allclose(ends[2], 2 + 2.5 / (10 / 2.5), rtol=1e-5)

    @pytest.mark.parametrize("first", [[], [1e30]])  # its square overflows
    def test_the_averages_are_of_what_is_left(self, first):
        zclip = T.ZClip(0.5, warmup_steps=2)
        sgd = optimizers.SGD(1.0, gradient_transforms=[zclip])
        ws = variables([np.zeros(1)])
        for norm in (*first, 1.0, 3.0, 12.0):
            apply(sgd, [np.array([norm])], ws)
        shared = sgd.plan.transform_shared[0]
        mean, variance, steps = values(shared.values())
        np.testing.assert_allclose(mean, (2 + 2.625) / 2, rtol=1e-5)
        np.testing.assert_allclose(variance, (1 + 0.3125**2) / 2, rtol=1e-5)
        assert steps == 3

    def test_the_limit_besides_holds_from_the_first_update_on(self):
        zclip = T.ZClip(warmup_steps=2, max_norm=2.0)
        ends = shortened(zclip, [1.0, 3.0, 12.0])
        np.testing.assert_allclose(ends, [1.0, 2.0, 2.0], rtol=1e-5)
        adjusted = T.ZClip(warmup_steps=2, max_norm=10.0)  # the averages are the same
        ends = shortened(adjusted, [1.0, 3.0, 12.0])
        np.testing.assert_allclose(ends, [1.0, 3.0, 2.625], rtol=1e-5)


class TestCautiousWeightDecay:
    def test_decays_what_the_update_shrinks(self):
        decay = T.CautiousWeightDecay(0.5)
        w, u = [2.0, 2.0, 2.0, -2.0, -2.0], [-1.0, 1.0, 0.0, 1.0, -1.0]
        ends = run(decay, [u], [w], learning_rate=0.1)[0]
        np.testing.assert_allclose(ends, [-1.1, 1.0, -0.1, 1.1, -1.0], rtol=1e-6)

    def test_leaves_out_what_no_decay_is_for(self):
        adam = optimizers.SGD(
            0.1,
            decay_mask="matrices",
            update_transforms=[T.CautiousWeightDecay(1.0)],
        )
        ws = variables([np.ones(2), np.ones((1, 2))])
        apply(adam, [np.zeros(2), np.zeros((1, 2))], ws)
        np.testing.assert_allclose(values(ws)[0], [1.0, 1.0])
        np.testing.assert_allclose(values(ws)[1], [[0.9, 0.9]], rtol=1e-6)


SAME = [  # optimizers, and SGD with transforms that make it the same
    (
        lambda: optimizers.SignSGD(0.1),
        lambda: optimizers.SGD(0.1, update_transforms=[T.Sign()]),
        ((4,), (3, 5)),
    ),
    (
        lambda: optimizers.Signum(0.1, momentum=0.9),
        lambda: optimizers.SGD(0.1, momentum=0.9, update_transforms=[T.Sign()]),
        ((4,), (3, 5)),
    ),
    (
        lambda: optimizers.Muon(0.1, weight_decay=None),
        lambda: optimizers.SGD(
            0.1, momentum=0.95, nesterov=True, update_transforms=[T.Orthogonalize()]
        ),
        ((5, 3), (3, 5)),
    ),
    (
        lambda: optimizers.Muon(
            0.1, weight_decay=None, scaling="jordan", matrices="layers"
        ),
        lambda: optimizers.SGD(
            0.1,
            momentum=0.95,
            nesterov=True,
            update_transforms=[T.Orthogonalize(5, "jordan", flatten_kernels=True)],
        ),
        ((5, 3), (2, 3, 4, 5)),
    ),
]


@pytest.mark.parametrize(("whole", "made", "shapes"), SAME)
@pytest.mark.slow
def test_makes_another_optimizer_of_sgd(whole, made, shapes, float64):
    shapes = dict(enumerate(shapes))
    start, grads = weights(shapes), gradients(shapes, steps=5)
    ends = [trajectory(make(), start, grads) for make in (whole, made)]
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("clip", [T.AutoClip(20, length=4), T.ZClip(warmup_steps=2)])
@pytest.mark.slow
def test_what_a_clip_remembers_is_saved(clip):
    def sgd():
        return optimizers.SGD(0.1, gradient_transforms=[clip])

    start, grads = weights(), gradients(steps=6)
    straight = trajectory(sgd(), start, grads)
    first, second, store = sgd(), sgd(), {}
    half = trajectory(first, start, grads[:3])
    first.save_own_variables(store)
    second.load_own_variables(store)
    for x, y in zip(straight, trajectory(second, half, grads[3:]), strict=True):
        np.testing.assert_array_equal(x, y)


class TestNoise:
    def drawn(self, seed=0, t=1, eta=1.0, gamma=0.0, n=20_000, tensors=1):
        zeros = [np.zeros(n)] * tensors
        return run(T.AddNoise(eta, gamma, seed=seed), zeros, zeros, t=t)

    def test_is_standard_normal(self):
        (z,) = self.drawn()
        assert abs(z.mean()) < 5 / np.sqrt(z.size)
        assert abs(z.var() - 1) < 5 * np.sqrt(2 / z.size)
        assert abs((z**4).mean() - 3) < 0.3
        assert abs(np.corrcoef(z[1:], z[:-1])[0, 1]) < 5 / np.sqrt(z.size)

    def test_differs_with_the_update_the_tensor_and_the_seed_alone(self):
        streams = [*self.drawn(tensors=3), *self.drawn(t=2), *self.drawn(seed=1)]
        products = np.corrcoef(streams) - np.eye(len(streams))
        assert np.abs(products).max() < 5 / np.sqrt(streams[0].size)
        keras.utils.set_random_seed(99)
        np.testing.assert_array_equal(self.drawn()[0], streams[0])

    def test_is_annealed(self):
        z, x = self.drawn(t=16)[0], self.drawn(t=16, eta=4.0, gamma=0.5)[0]
        np.testing.assert_allclose(x, 2.0 / 2.0 * z, rtol=1e-5)
        x = self.drawn(t=16, eta=4.0, gamma=1.0)[0]
        np.testing.assert_allclose(x, 2.0 / 4.0 * z, rtol=1e-5)

    def test_a_resumed_run_sees_the_same(self):
        def noisy_sgd():
            return optimizers.SGD(0.1, gradient_transforms=[T.AddNoise(seed=3)])

        zeros = [np.zeros(3), np.zeros((2, 2))]
        straight = trajectory(noisy_sgd(), zeros, [zeros] * 4)
        first, second, store = noisy_sgd(), noisy_sgd(), {}
        half = trajectory(first, zeros, [zeros] * 2)
        first.save_own_variables(store)
        second.load_own_variables(store)
        resumed = trajectory(second, half, [zeros] * 2)
        for x, y in zip(straight, resumed, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.slow
def test_they_train_together_and_move_while_they_do():
    optimizer = optimizers.Adam(
        schedules.Warmup(schedules.Cosine(0.05, 40), 4),
        gradient_transforms=[
            T.ZeroNonFinite(),
            T.AdaptiveClip(0.1),
            T.NormalizeGradient(),
            T.AddNoise(schedules.Cosine(1e-4, 40)),
            T.AutoClip(schedules.Cosine(90, 40)),
            T.ZClip(),
        ],
        update_transforms=[
            T.TrustRatio(high=10.0),
            T.ClipUpdate(1.0),
            T.CautiousWeightDecay(1e-3),
        ],
        skip_non_finite=False,
    )
    model, (x, y) = mlp(), regression()
    fit(optimizer, model, epochs=5)
    before = model.evaluate(x, y, verbose=0)
    model.optimizer.gradient_transforms[1].clip_factor = 0.2
    model.optimizer.update_transforms[1].threshold = 0.5
    model.fit(x, y, batch_size=32, epochs=5, verbose=0, shuffle=False)
    assert model.evaluate(x, y, verbose=0) < before
    assert model.optimizer.gradient_transforms[1].clip_factor == 0.2


BAD = [
    (T.AdaptiveClip, {"clip_factor": 0}, ValueError, "clip_factor=0"),
    (T.AdaptiveClip, {"epsilon": 0}, ValueError, "epsilon=0"),
    (T.AddNoise, {"eta": -1}, ValueError, "eta=-1"),
    (T.AddNoise, {"gamma": -0.5}, ValueError, "gamma=-0.5"),
    (T.AddNoise, {"seed": 0.5}, TypeError, "seed=0.5"),
    (T.AddNoise, {"seed": -1}, ValueError, "seed=-1"),
    (T.AutoClip, {"percentile": 101}, ValueError, "percentile=101"),
    (T.AutoClip, {"length": 0}, ValueError, "length=0"),
    (T.CautiousWeightDecay, {"weight_decay": -1}, ValueError, "weight_decay=-1"),
    (T.Orthogonalize, {"scaling": "adam"}, ValueError, "scaling='adam'"),
    (T.ZClip, {"alpha": 1.0}, ValueError, "alpha=1.0"),
    (T.ZClip, {"max_norm": 0}, ValueError, "max_norm=0"),
    (T.ZClip, {"warmup_steps": 2.5}, TypeError, "warmup_steps=2.5"),
    (T.NormalizeGradient, {"over": "layer"}, ValueError, "over='layer'"),
    (T.NormalizeGradient, {"epsilon": 0}, ValueError, "epsilon=0"),
    (T.TrustRatio, {"low": -1}, ValueError, "low=-1"),
    (T.TrustRatio, {"low": 2, "high": 1}, ValueError, "low=2.0, high=1.0"),
    (T.ClipUpdate, {"threshold": float("nan")}, ValueError, "threshold=nan"),
]


@pytest.mark.parametrize(("cls", "kwargs", "error", "said"), BAD)
def test_bad_arguments_are_named(cls, kwargs, error, said):
    with pytest.raises(error, match=f"Received: {said}"):
        cls(**kwargs)


@pytest.mark.parametrize("transform", [c for c, _ in CASES], ids=repr)
def test_they_serialize(transform):
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(transform)
    )
    assert repr(again) == repr(transform)
