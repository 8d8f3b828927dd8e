"""Engine features of every rule: groups, clipping, accumulation, hyperparameters."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, layerwise_decay, optimizers, regularizers, schedules
from keras_optlab import transforms as T
from keras_optlab.schedules import Cosine
from keras_optlab.verify.problems import (
    FULL_RANK,
    apply,
    distance,
    gradients,
    trajectory,
    values,
    variables,
    weights,
)
from tests.support.problems import accumulating, fit, mlp, one_step, regression

SHAPES = {"wide": (3, 5), "vector": (4,)}


class TestLearningRate:
    @pytest.mark.parametrize("rate", [1, np.float32(1), np.int64(1), np.array(1.0)])
    def test_any_number(self, rate):
        assert one_step(optimizers.SGD(rate), [3.0], [2.0]) == 1.0

    def test_callables(self):
        assert one_step(optimizers.SGD(lambda: 0.5), [3.0], [2.0]) == 2.0
        sgd = optimizers.SGD(lambda step: ops.cast(step, "float32"))
        ws = variables([np.array([3.0])])
        for _ in range(3):  # rates 0, 1, 2
            apply(sgd, [np.array([1.0])], ws)
        assert values(ws)[0] == 0.0

    def test_schedules_count_updates_under_accumulation(self):
        schedule = schedules.Cosine(1.0, 4)
        sgd = optimizers.SGD(schedule, gradient_accumulation_steps=3)
        ws = variables([np.array([0.0])])
        for _ in range(12):
            apply(sgd, [np.array([1.0])], ws)
        np.testing.assert_allclose(values(ws)[0], -schedule.values(4).sum(), rtol=1e-6)

    def test_setting_it(self):
        sgd = optimizers.SGD(0.1)
        sgd.learning_rate = 1
        assert one_step(sgd, [3.0], [2.0]) == 1.0
        with pytest.raises(TypeError, match="learning_rate_scale"):
            optimizers.SGD(schedules.Cosine(1.0, 4)).learning_rate = 0.1

    def test_scale_composes_with_a_schedule(self):
        sgd = optimizers.SGD(schedules.Cosine(1.0, 4))
        sgd.learning_rate_scale = 0.5
        assert one_step(sgd, [3.0], [2.0]) == 2.0
        assert sgd.get_config()["learning_rate_scale"] == 0.5

    def test_stock_optimizers_take_our_schedules(self):
        fit(keras.optimizers.Adam(schedules.Cosine(0.01, 8)))


class TestAdjusting:
    @pytest.mark.parametrize("how", ["adjust", "attribute"])
    def test_moves_the_compiled_step(self, how):
        kwargs = {"momentum": 0.9, "weight_decay": 0.0, "global_clipnorm": 100.0}
        model = fit(optimizers.SGD(0.01, **kwargs), epochs=1)
        for name, value in {
            "momentum": 0.0,
            "weight_decay": 0.5,
            "global_clipnorm": 1e-9,
        }.items():
            if how == "adjust":
                model.optimizer.adjust(name, value)
            else:
                setattr(model.optimizer, name, value)
            assert getattr(model.optimizer, name) == value
        before = values(model.trainable_variables)
        x, y = regression(32)
        model.fit(x, y, batch_size=32, verbose=0)
        for old, new in zip(before, values(model.trainable_variables), strict=True):
            np.testing.assert_allclose(new, old * (1 - 0.01 * 0.5), atol=1e-6)

    def test_a_transform_moves_too(self):
        clip = T.ClipByValue(1.0)
        a = optimizers.SGD(1.0, gradient_transforms=[clip])
        b = optimizers.SGD(1.0, gradient_transforms=[clip])
        a.gradient_transforms[0].value = 0.25
        assert one_step(a, [0.0], [5.0]) == -0.25
        assert one_step(b, [0.0], [5.0]) == -1.0  # optimizers do not share a transform

    def test_a_schedule_drives_any_hyperparameter(self):
        decay = schedules.Cosine(0.5, 2)
        sgd = optimizers.SGD(1.0, weight_decay=decay)
        ws = variables([np.array([1.0])])
        for _ in range(3):
            apply(sgd, [np.array([0.0])], ws)
        np.testing.assert_allclose(values(ws)[0], 0.5 * 0.75, rtol=1e-6)
        adam = optimizers.Adam(beta_1=schedules.Cosine(0.9, 5, 0.5))
        trajectory(adam, weights(SHAPES), gradients(SHAPES, 3))
        assert adam.current("beta_1") == pytest.approx(schedules.Cosine(0.9, 5, 0.5)(3))

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("beta_1", 1.5, "beta_1=1.5"),
            ("beta1", 0.9, "Did you mean 'beta_1'"),
            ("amsgrad", True, "fixed at construction"),
            ("global_clipnorm", 1.0, "was None at construction"),
            ("weight_decay", 0.1, "driven by Cosine"),
        ],
    )
    def test_refusals(self, name, value, message):
        adam = optimizers.Adam(weight_decay=schedules.Cosine(0.1, 5))
        with pytest.raises((ValueError, AttributeError), match=message):
            adam.adjust(name, value)

    def test_a_slot_that_was_not_created_cannot_be_adjusted_into_use(self):
        with pytest.raises(AttributeError, match="there is no slot 'v'"):
            optimizers.SGD(momentum=0.0).momentum = 0.9


class TestRegularization:
    def test_l1_and_l2_equal_the_penalties_in_the_loss(self):
        def model(regularizer=None):
            keras.utils.set_random_seed(3)
            dense = keras.layers.Dense(1, kernel_regularizer=regularizer)
            return keras.Sequential([keras.Input((8,)), dense])

        penalized = fit(optimizers.SGD(0.01), model(regularizers.L1L2(0.03, 0.02)))
        ours = fit(
            optimizers.SGD(0.01, l1=0.03, l2=0.02, decay_mask="matrices"), model()
        )
        for a, b in zip(values(penalized.weights), values(ours.weights), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)

    def test_l1_proximal_soft_thresholds(self):
        sgd = optimizers.SGD(0.5, l1_proximal=0.2)
        ends = one_step(sgd, [1.0, 0.05, -0.05, -1.0], [0.0] * 4)
        np.testing.assert_allclose(ends, [0.9, 0.0, 0.0, -0.9], rtol=1e-6)
        assert (ends[1:3] == 0).all()

    def test_masks(self):
        start = [np.ones((2, 2)), np.ones(2)]
        zero = [[np.zeros((2, 2)), np.zeros(2)]]

        def decayed(**kwargs):
            ends = trajectory(
                optimizers.SGD(0.5, weight_decay=0.5, **kwargs), start, zero
            )
            return [float(w.flat[0]) for w in ends]

        assert decayed() == [0.75, 0.75]
        assert decayed(decay_mask="matrices") == [0.75, 1.0]
        assert decayed(decay_mask=lambda v: v.path.endswith("w1")) == [1.0, 0.75]

    def test_excluding_too_late_is_refused(self):
        sgd = optimizers.SGD(weight_decay=0.1)
        sgd.build(variables([np.ones(2)]))
        with pytest.raises(ValueError, match="before the optimizer is built"):
            sgd.exclude_from_weight_decay(var_names=["w0"])

    def test_excluding_everything(self):
        sgd = optimizers.SGD(1.0, weight_decay=0.1)
        sgd.exclude_from_weight_decay(var_names=["w"])
        assert one_step(sgd, [1.0], [0.0]) == 1.0


class TestGroups:
    def test_first_match_wins_and_values_are_the_groups_own(self):
        model = mlp()
        groups = [
            Group("head/bias", frozen=True),
            Group("head", learning_rate=0.5, weight_decay=0.2),
            Group(lambda v: "norm" in v.path, learning_rate=0.0),
        ]
        sgd = optimizers.SGD(0.1, weight_decay=0.0, groups=groups)
        sgd.build(model.trainable_variables)
        before = {v.path: values([v])[0] for v in model.trainable_variables}
        ones = [ops.ones(v.shape) for v in model.trainable_variables]
        sgd.apply(ones, model.trainable_variables)
        for v in model.trainable_variables:
            w, new = before[v.path], values([v])[0]
            expected = w - 0.1
            if "head/bias" in v.path or "norm" in v.path:
                expected = w
            elif "head" in v.path:
                expected = w - 0.05 - 0.05 * 0.2 * w
            np.testing.assert_allclose(new, expected, atol=1e-6, err_msg=v.path)

    def test_a_group_may_have_its_own_betas(self):
        start, grads = weights(SHAPES), gradients(SHAPES, 5)
        grouped = optimizers.Nadam(groups=[Group("w1", beta_1=0.5)])
        ends = trajectory(grouped, start, grads)
        assert np.array_equal(ends[0], trajectory(optimizers.Nadam(), start, grads)[0])
        other = trajectory(optimizers.Nadam(beta_1=0.5), start, grads)
        np.testing.assert_allclose(ends[1], other[1], rtol=1e-6)

    def test_frozen_weights_count_in_no_norm(self):
        clip = {"global_clipnorm": 1.0}
        sgd = optimizers.SGD(1.0, groups=[Group("w1", frozen=True)], **clip)
        ends = trajectory(sgd, [np.zeros(2), np.zeros(1)], [[[3.0, 4.0], [1e6]]])
        np.testing.assert_allclose(ends[0], [-0.6, -0.8], rtol=1e-6)
        assert ends[1] == 0

    @pytest.mark.parametrize(
        "options",
        [
            {"use_ema": True, "ema_overwrite_frequency": 2},
            {"gradient_accumulation_steps": 2},
            {"slot_dtype": "bfloat16"},
            {"decay_schedule": "corrected", "weight_decay": 0.1},
            {"clipnorm": 0.1, "gradient_transforms": [T.Centralize()]},
            {"skip_non_finite": False, "loss_scale_factor": 2.0},
        ],
        ids=" ".join,
    )
    def test_a_frozen_weight_is_as_if_absent(self, options):
        start, grads = weights(SHAPES), gradients(SHAPES, 4)
        frozen = optimizers.Adam(0.1, groups=[Group("w1", frozen=True)], **options)
        ends = trajectory(frozen, start, grads)
        np.testing.assert_array_equal(ends[1], np.float32(start[1]))
        alone = optimizers.Adam(0.1, **options)
        expected = trajectory(alone, start[:1], [g[:1] for g in grads])
        np.testing.assert_allclose(ends[0], expected[0], rtol=1e-6)

    def test_a_pattern_that_matches_nothing_lists_the_paths(self):
        sgd = optimizers.SGD(groups=[Group("backbone/*")])
        with pytest.raises(ValueError, match="(?s)match='backbone/.*hidden/kernel"):
            sgd.build(mlp().trainable_variables)

    def test_layerwise_decay(self):
        model = mlp()
        groups = layerwise_decay(model, 0.5)
        assert [g.learning_rate for g in groups] == [0.5, 1.0]
        fit(optimizers.Adam(groups=groups), model)
        with pytest.raises(ValueError, match="factor=1.5"):
            layerwise_decay(model, 1.5)


class TestAccumulation:
    @pytest.mark.long
    @pytest.mark.parametrize("name", optimizers.names())
    def test_equals_the_large_batch(self, name):
        shapes = SHAPES
        if name in FULL_RANK:
            shapes = {key: shape[:1] * len(shape) for key, shape in SHAPES.items()}
        start, grads = weights(shapes), gradients(shapes, 12)
        means = [
            [np.mean([grads[i + k][j] for k in range(3)], axis=0) for j in range(2)]
            for i in range(0, 12, 3)
        ]
        options = {"weight_decay": 0.1, "global_clipnorm": 0.5, "use_ema": True}
        split = accumulating(name, gradient_accumulation_steps=3, **options)
        if split is None:
            pytest.skip("it says that it needs whole batches")
        whole = optimizers.create(name, **options)
        a, b = trajectory(split, start, grads), trajectory(whole, start, means)
        assert distance(a, b, [np.float32(w) for w in start]) < 1e-4
        assert int(split.updates) == int(whole.updates) == int(split.iterations) == 4

    def test_a_bad_micro_batch_is_left_out_of_the_average(self):
        sgd = optimizers.SGD(1.0, gradient_accumulation_steps=3)
        steps = [[[1.0]], [[np.nan]], [[3.0]], [[np.inf]], [[np.nan]], [[np.nan]]]
        ends = trajectory(sgd, [np.zeros(1)], [*steps, [[1.0]], [[1.0]], [[1.0]]])
        np.testing.assert_allclose(ends[0], [-3.0])
        assert int(sgd.skipped_steps) == 4
        assert int(sgd.updates) == 2


class TestGuard:
    def test_off(self):
        sgd = optimizers.SGD(1.0, skip_non_finite=False)
        assert np.isnan(one_step(sgd, [1.0], [np.nan])).all()

    def test_nan_in_the_data_is_survived_and_reported(self):
        x, y = regression()
        x[40] = np.nan
        with pytest.warns(UserWarning, match="skipped 1 of 4 steps"):
            model = fit(optimizers.Adam(use_ema=True), data=(x, y))
        assert all(np.isfinite(w).all() for w in values(model.trainable_variables))
        assert int(model.optimizer.updates) == 6


class TestDriving:
    def test_switches_on_and_off_again(self):
        sgd = optimizers.SGD(0.5)
        ws = variables([np.array([3.0, 4.0])])
        sgd.drive("clipnorm", 1.0)
        apply(sgd, [np.array([3.0, 4.0])], ws)
        np.testing.assert_allclose(values(ws)[0], [2.7, 3.6], rtol=1e-6)
        sgd.clipnorm = 2.0
        assert sgd.clipnorm == 2.0
        assert sgd.get_config()["clipnorm"] is None
        sgd.release("clipnorm")
        assert sgd.clipnorm is None
        apply(sgd, [np.array([1.0, 0.0])], ws)
        np.testing.assert_allclose(values(ws)[0], [2.2, 3.6], rtol=1e-6)

    @pytest.mark.parametrize("name", ["learning_rate", "weight_decay", "beta_1"])
    def test_stays_at_the_last_value_or_returns(self, name):
        falling = Cosine(0.5, 4)
        for keep, after in (True, falling(2)), (False, 0.125):
            adam = optimizers.Adam(**{name: 0.125})
            ws = variables([np.ones(1)])
            adam.drive(name, falling)
            for _ in range(2):
                apply(adam, [np.ones(1)], ws)
            assert adam.current(name) == pytest.approx(falling(2))
            assert adam.get_config()[name] == 0.125
            with pytest.raises(AttributeError, match="is driven by Cosine"):
                adam.drive(name, 0.1)
            adam.release(name, keep=keep)
            assert adam.current(name) == pytest.approx(after)
            adam.adjust(name, 0.25)
            assert adam.current(name) == pytest.approx(0.25)


def test_what_needs_the_engine_says_so():
    from keras_optlab.engine import find_optimizer, optimizer_of

    ours, stock = optimizers.SGD(), keras.optimizers.SGD()
    assert find_optimizer(keras.optimizers.LossScaleOptimizer(ours)) is ours
    assert find_optimizer(stock) is None
    with pytest.raises(TypeError, match="Pruning needs an optimizer of keras_optlab"):
        optimizer_of(stock, who="Pruning")
    assert optimizer_of(fit(ours), who="Pruning") is ours


def test_the_seam_of_keras_is_where_it_was():
    import inspect

    base = keras.optimizers.Optimizer
    seam = inspect.signature(base._backend_apply_gradients)
    assert list(seam.parameters) == ["self", "grads", "trainable_variables"]
    sgd = optimizers.SGD()
    with pytest.raises(RuntimeError, match="engine was bypassed"):
        sgd.update_step(None, None, None)


@pytest.mark.parametrize("rate", [0.5, 0.0])
def test_a_number_may_drive_the_learning_rate_for_a_while(rate):
    optimizer, ws = optimizers.SGD(0.1), variables([np.ones(2)])
    optimizer.drive("learning_rate", rate)
    assert optimizer.current("learning_rate") == rate
    apply(optimizer, [np.ones(2)], ws)
    np.testing.assert_allclose(values(ws)[0], 1 - rate)
    with pytest.raises(AttributeError, match="driven by .* already"):
        optimizer.drive("learning_rate", 0.3)
    optimizer.release("learning_rate")
    assert optimizer.current_learning_rate == pytest.approx(0.1)


@pytest.mark.parametrize("change", ["adjust", "drive"])
def test_what_keras_keeps_is_fixed(change):
    optimizer = optimizers.SGD(use_ema=True)
    with pytest.raises(AttributeError, match="fixed at construction.*ema_momentum=0.5"):
        getattr(optimizer, change)("ema_momentum", 0.5)
    assert optimizer.ema_momentum == 0.99
