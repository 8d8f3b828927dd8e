"""What every optimizer in the registry must do, whatever its rule."""

import functools
import inspect

import keras
import numpy as np
import pytest

from keras_optlab import Group, optimizers, schedules, transforms
from keras_optlab.core.fields import BetaField, ChoiceField, FlagField, HyperField
from keras_optlab.verify.problems import apply, gradients, values, variables, weights
from tests.support.problems import (
    ALL,
    BY_PATH,
    NEEDED,
    RESTS_AT_ZERO,
    TAMED,
    Toy,
    accumulating,
    compiled_model,
    few_steps,
    label,
    mlp,
    regression,
    state,
)

NAMES = optimizers.names()


@pytest.fixture(params=ALL, ids=label)
def optimizer(request):
    name, kwargs = request.param
    return optimizers.create(name, **kwargs)


def test_config_round_trip(optimizer):
    again = type(optimizer).from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
    saved = keras.optimizers.serialize(optimizer)
    loaded = keras.optimizers.get(saved)
    assert type(loaded) is type(optimizer)
    assert loaded.get_config() == optimizer.get_config()


def test_signature_is_that_of_the_declarations(optimizer):
    parameters = inspect.signature(type(optimizer)).parameters
    assert next(iter(parameters)) == "learning_rate"
    assert parameters.keys() == type(optimizer).fields.keys()


def test_zero_gradient_and_fresh_state_change_nothing(optimizer):
    start = weights()
    for name in optimizer.fields:
        if name.endswith("weight_decay") and getattr(optimizer, name):
            optimizer.adjust(name, 0.0)
    if type(optimizer).registry_name in RESTS_AT_ZERO:
        start = [np.zeros_like(w) for w in start]
    ws = variables(start)
    apply(optimizer, [np.zeros_like(w) for w in start], ws)
    for before, after in zip(start, values(ws), strict=True):
        np.testing.assert_array_equal(np.float32(before), after)


@pytest.mark.long
def test_a_weight_moves_again_after_gradients_of_zero(optimizer):
    ws = variables(weights())
    zero = [np.zeros_like(w) for w in values(ws)]
    for grads in (zero, zero):
        apply(optimizer, grads, ws)
    before = values(ws)
    for grads in gradients(steps=5):  # odd: a sign may go back and forth
        apply(optimizer, grads, ws)
    for a, b in zip(before, values(ws), strict=True):
        assert not a.size or np.any(a != b)


@pytest.mark.long
def test_a_rate_of_zero_does_no_harm(optimizer):
    ws = variables(weights())
    for rate in (0.0, 0.0, 1e-3):
        optimizer.learning_rate = rate
        apply(optimizer, gradients(steps=1)[0], ws)
        assert all(np.isfinite(w).all() for w in values(ws))


@pytest.mark.long
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_a_bad_gradient_changes_nothing_at_all(optimizer, bad):
    ws = variables(weights())
    steps = gradients(steps=3)
    apply(optimizer, steps[0], ws)
    before = values(ws), state(optimizer)
    poisoned = [g.copy() for g in steps[1]]
    poisoned[3].flat[0] = bad
    apply(optimizer, poisoned, ws)
    assert int(optimizer.skipped_steps) == 1
    for counter in optimizer.skips.variables:
        counter.assign(0)
    optimizer.iterations.assign(1)  # Keras' own counter, also of skipped steps
    for a, b in zip(before[0] + before[1], values(ws) + state(optimizer), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.long
def test_every_declared_slot_is_written(optimizer):
    ws = variables(weights())
    optimizer.build(ws)
    live = [p for p in optimizer.plan.parameters if 0 not in p.variable.shape]
    slots = {(p.path, k): v for p in live for k, v in p.slots.items()}
    start = {key: values([v])[0] for key, v in slots.items()}
    written = set()
    for g in gradients(steps=4):
        apply(optimizer, g, ws)
        now = {key: values([v])[0] for key, v in slots.items()}
        written |= {k for k, x in now.items() if not np.array_equal(start[k], x)}
    constant = {slot.name for slot in optimizer.slots if slot.constant}
    assert written == {key for key in slots if key[1] not in constant}


@pytest.mark.long
def test_permuting_the_weights_permutes_the_result(optimizer):
    again = type(optimizer).from_config(optimizer.get_config())
    start, grads = weights(), gradients(steps=3)
    ends = few_steps(optimizer, start, grads)
    backwards = few_steps(again, start[::-1], [g[::-1] for g in grads])
    for a, b in zip(ends, backwards[::-1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def changed(field, value):
    """Return another legal value of a declared argument."""
    if isinstance(field, FlagField):
        return not value
    if isinstance(field, ChoiceField):
        return field.choices[field.choices.index(value) - 1]
    if isinstance(field, BetaField):
        return 0.5
    if field.integer:
        return value + 1
    candidates = [value * 0.5 - 0.1, value + 0.4, value * 0.5 + 0.1]
    return next(c for c in candidates if c in field.interval and c != value)


def hyperparameters():
    kinds = (HyperField, FlagField, ChoiceField)
    for name in NAMES:
        cls = optimizers.info(name).cls
        for key, field in cls.fields.items():
            if (
                key == "seed"
                and cls.second_pass is not optimizers.Optimizer.second_pass
            ):
                continue  # random signs: no effect on a diagonal Hessian
            own = key in cls.own_fields or key in optimizers.info(name).hyperparameters
            if own and isinstance(field, kinds) and key not in BY_PATH:
                yield name, key


@pytest.mark.long
@pytest.mark.parametrize(("name", "key"), list(hyperparameters()))
def test_every_declared_hyperparameter_has_an_effect(name, key):
    field = optimizers.info(name).cls.fields[key]
    # settings without which a hyperparameter has no effect
    base = {"epsilon": 0.1} if key == "epsilon_placement" else {}
    base |= {"momentum": 0.9} if key == "nesterov" else {}
    base |= {"learning_rate": 0.1} | NEEDED.get(name, {}) | NEEDED.get((name, key), {})
    other = base | {key: changed(field, base.get(key, field.default))}
    a, b = (end(name, tuple(sorted(kw.items()))) for kw in (base, other))
    assert not all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@functools.cache  # most hyperparameters of a rule share one baseline
def end(name, settings):
    """Return the weights after ten steps with these settings."""
    shapes = {"wide": (3, 5), "long": (2, 5), "kernel": (2, 2, 3), "vector": (4,)}
    start, grads = weights(shapes), gradients(shapes, steps=10)
    grads = [[g + 1.0 for g in step] for step in grads]  # a drift
    grads[5] = [100 * g for g in grads[5]]  # a spike
    return few_steps(optimizers.create(name, **dict(settings)), start, grads)


@pytest.mark.sampled
@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_trains_in_fit_without_tracing_twice(name):
    loss = keras.losses.MeanSquaredError()
    traces = []

    def counted(y, y_pred):
        traces.append(1)
        return loss(y, y_pred)

    optimizer = optimizers.create(name, **TAMED.get(name, {}))
    model = compiled_model(mlp(), optimizer, counted)
    x, y = regression()
    start = values(model.trainable_variables)
    model.fit(x, y, batch_size=32, epochs=2, verbose=0)
    seen = len(traces)
    model.fit(x, y, batch_size=32, epochs=2, verbose=0)
    if keras.backend.backend() != "torch":
        assert len(traces) == seen
    for before, after in zip(start, values(model.trainable_variables), strict=True):
        assert np.isfinite(after).all()
        assert not np.array_equal(before, after)
    assert int(model.optimizer.updates) == 16


@pytest.mark.sampled
@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_saving_and_loading_continues_as_if_uninterrupted(name, tmp_path):
    model = mlp()
    model.compile(  # the optimizer is built within the first step, as it usually is
        optimizers.create(
            name,
            learning_rate=schedules.Cosine(0.01, 20),
            groups=[Group("head", learning_rate=0.5)],
            gradient_transforms=[transforms.ClipByGlobalNorm(1.0)],
            use_ema=True,
        ),
        "mse",
    )
    x, y = regression()
    model.fit(x, y, batch_size=32, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for m in (model, loaded):
        m.fit(x, y, batch_size=32, epochs=2, verbose=0, shuffle=False)
    for a, b in zip(
        values(model.weights) + state(model.optimizer),
        values(loaded.weights) + state(loaded.optimizer),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.sampled
@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_trains_with_groups_clipping_accumulation_and_mixed_precision(name):
    options = {"groups": [Group("head", learning_rate=0.5)], "global_clipnorm": 1.0}
    optimizer = accumulating(name, gradient_accumulation_steps=2, **options)
    optimizer = optimizer or optimizers.create(name, **options)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = compiled_model(mlp(), optimizer)
        start = values(model.trainable_variables)
        model.fit(*regression(), batch_size=16, epochs=2, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.optimizer.inner_optimizer is optimizer
    assert int(optimizer.updates) > 1
    for before, after in zip(start, values(model.trainable_variables), strict=True):
        assert np.isfinite(after).all()
        assert not np.array_equal(before, after)


@pytest.mark.parametrize("name", NAMES)
def test_info(name):
    about = optimizers.info(name)
    assert about.name == name
    assert about.paper.year > 1900
    assert about.summary.endswith(".")
    ws = variables([np.ones((256, 64))])
    optimizer = optimizers.create(name)
    optimizer.build(ws)
    held = sum(
        int(np.prod(v.shape)) * 4 for v in optimizer.plan.trainable[0].slots.values()
    )
    assert about.bytes_per_parameter == round(held / (256 * 64), 2)


def test_one_class_is_all_a_new_optimizer_takes():
    """`Toy` of tests/support runs in every test above and in test_rules."""
    assert "toy" in NAMES
    assert ("toy", {}) in ALL
    assert type(optimizers.create("toy", learning_rate=0.5)) is Toy


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(ValueError, match="Received: 'adamm'. Did you mean 'adam'"):
        optimizers.create("adamm")
    with pytest.raises(TypeError, match="Received: beta1=0.9. Did you mean 'beta_1'"):
        optimizers.Adam(beta1=0.9)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"beta_1": 1.2}, r"beta_1=1.2"),
        ({"beta_1": 1.0}, r"\[0, 1\)"),
        ({"beta_1": "0.9"}, r"beta_1='0.9'"),
        ({"beta_1": True}, r"beta_1=True"),
        ({"epsilon": -1e-8}, r"epsilon=-1e-08"),
        ({"epsilon": float("nan")}, r"epsilon=nan"),
        ({"learning_rate": -1}, r"learning_rate=-1"),
        ({"learning_rate": "fast"}, r"learning_rate='fast'"),
        ({"learning_rate": lambda a, b: a}, r"2 arguments"),
        ({"amsgrad": 1}, r"amsgrad=1"),
        ({"epsilon_placement": "under"}, r"epsilon_placement='under'"),
        ({"clipnorm": 0.0}, r"clipnorm=0.0"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, r"At most one"),
        ({"gradient_accumulation_steps": 1}, r">= 2"),
        ({"gradient_accumulation_steps": 2.5}, r"an integer"),
        ({"ema_momentum": 1.5}, r"ema_momentum=1.5"),
        ({"weight_decay": -0.1}, r"weight_decay=-0.1"),
        ({"decay_mask": "vectors"}, r"decay_mask='vectors'"),
        (
            {"groups": ["head"]},
            r"expected a list of Group. Received: groups=\['head'\]",
        ),
        ({"groups": [Group("a", nesterov=True)]}, r"nesterov=True"),
        ({"groups": [Group("a", clipnorm=1.0)]}, r"clipnorm=1.0"),
        ({"groups": [Group("a", beta_1=2.0)]}, r"beta_1=2.0"),
        ({"gradient_transforms": [transforms.Cautious()]}, r"update_transforms"),
        ({"update_transforms": [transforms.Centralize()]}, r"gradient_transforms"),
        ({"gradient_transforms": [transforms.Centralize]}, r"list of transforms"),
    ],
    ids=lambda x: "-".join(x) if isinstance(x, dict) else "",
)
def test_bad_arguments_are_refused(kwargs, message):
    with pytest.raises((ValueError, TypeError), match=message):
        optimizers.Adam(**kwargs)


def test_too_many_positional_arguments_name_those_there_are():
    with pytest.raises(TypeError, match="it takes learning_rate, beta_1, beta_2, "):
        optimizers.Yogi(0.1, *range(9))


def test_a_misspelled_rule_argument_is_no_silent_default():
    with pytest.raises(TypeError, match="Received: lr=0.1"):
        optimizers.SGD(lr=0.1)
