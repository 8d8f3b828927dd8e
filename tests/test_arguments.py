"""Every argument of every public class: legal values are accepted, others refused."""

import decimal
import fractions
import inspect

import keras
import numpy as np
import pytest
from keras import ops
from keras.optimizers import schedules as keras_schedules

from keras_optlab import (
    Group,
    constraints,
    optimizers,
    regularizers,
    schedules,
    transforms,
)
from keras_optlab.core.fields import BetaField, ChoiceField, FlagField, HyperField
from keras_optlab.core.number_checks import as_number
from keras_optlab.core.rates import check_rate
from keras_optlab.regularizers.penalty import FactorField
from keras_optlab.schedules.arguments import ListField, RateField
from keras_optlab.verify.problems import apply, values, variables
from tests.support.problems import Toy, mlp

NAMES = [*optimizers.names(), *optimizers.wrappers()]


def public_classes():
    """Yield every public class with declared arguments."""
    yield from (optimizers.info(name).cls for name in NAMES)
    for room in (transforms, schedules, regularizers, constraints):
        yield from (
            cls
            for cls in vars(room).values()
            if isinstance(cls, type) and getattr(cls, "fields", None)
        )


def declarations():
    """Return a pytest parameter per class: its arguments that no earlier class has."""
    seen, found = set(), []
    for cls in public_classes():
        new = {id(f): f for f in cls.fields.values() if id(f) not in seen}
        seen |= new.keys()
        found += [pytest.param(list(new.values()), id=cls.__name__)] if new else []
    return found


each_class = pytest.mark.parametrize("fields", declarations())


class Strange:
    def __repr__(self):
        raise RuntimeError


NO_NUMBERS = {
    "text": "0.5",
    "bytes": b"0.5",
    "bool": True,
    "numpy bool": np.True_,
    "complex": 0.5 + 0j,
    "complex array": np.array(0.5 + 5j),
    "text array": np.array("0.5"),
    "bool array": np.array(True),
    "object array": np.array(None),
    "time": np.timedelta64(1, "s"),
    "vector": np.array([0.5]),
    "vectors": np.array([0.5, 0.5]),
    "list": [0.5],
    "tuple": (0.5,),
    "dict": {"a": 0.5},
    "class": float,
    "object": object(),
    "without repr": Strange(),
}
NEVER_LEGAL = {
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "10**400": 10**400,
    "-10**400": -(10**400),
    "10**5000": 10**5000,
    "decimal nan": decimal.Decimal("nan"),
}
TOO_LARGE = {"1e39": 1e39, "float64": np.float64(-1e39)}


def refused(field, value):
    """Check that a value is refused, with the argument's name in the message."""
    with pytest.raises((TypeError, ValueError)) as caught:
        field.validate(value)
    assert field.name in str(caught.value)
    assert "Received: " in str(caught.value)


def wrong_for(field):
    """Return illegal values for a declared argument."""
    if isinstance(field, FlagField):
        return [None, 0, 1, "no", np.array(True)]
    if isinstance(field, ChoiceField):
        word = field.choices[0]
        return [*NO_NUMBERS.values(), None, 1, word.upper(), np.array([word])]
    if isinstance(field, HyperField):
        wrong = NO_NUMBERS | NEVER_LEGAL
        wrong |= {} if isinstance(field, BetaField) else TOO_LARGE
        return [*wrong.values()] + ([2.5] if field.integer else [])
    if isinstance(field, ListField):
        entries = (NO_NUMBERS | NEVER_LEGAL).values()
        return [*([0.1, x] for x in entries), None, "ab", 3]
    if field.name == "learning_rate":
        return [*(NO_NUMBERS | NEVER_LEGAL | TOO_LARGE).values(), None]
    if field.name == "groups":
        return ["head", ["head"], Group, 1]
    if field.name.endswith("_transforms"):
        one = transforms.Centralize
        return ["clip", one, [one], 1, [abs]]
    return [b"a", 1.5, np.ones(2), dict]  # for strings, masks, axes and patterns


@each_class
def test_what_is_of_the_wrong_kind_is_refused(fields):
    for field in fields:
        for value in wrong_for(field):
            refused(field, value)


def legal_number(field):
    """Return a number in the field's range that every number type can hold."""
    candidates = (0.5, 2.0, 1.0, -0.5, -2.0, 0.0, 50.0)
    inside = (c for c in candidates if c in field.interval)
    return next(c for c in inside if not field.integer or c.is_integer())


@each_class
def test_a_number_may_be_of_any_type(fields):
    for field in (f for f in fields if isinstance(f, HyperField)):
        number = legal_number(field)
        forms = [
            number,
            np.float32(number),
            np.float64(number),
            np.array(number),
            np.float16(number),
            decimal.Decimal(number),
            fractions.Fraction(number),
            ops.convert_to_tensor(number, "float32"),
        ]
        forms += [int(number), np.int8(number)] if number.is_integer() else []
        for form in forms:
            taken = field.validate(form)
            assert taken == number
            assert type(taken) is (int if field.integer else float)


@each_class
def test_a_default_is_legal_and_stays_what_it_is(fields):
    for field in fields:
        if field.default is not inspect.Parameter.empty:
            taken = field.validate(field.default)
            assert field.validate(taken) == taken


def test_integers_are_exact_and_floats_follow_floatx(float64):
    assert transforms.AddNoise(seed=2**52 + 1).seed == 2**52 + 1
    assert check_rate(1e39) == 1e39  # finite in float64


@pytest.mark.parametrize("value", [1e-50, 1e-40])
def test_what_is_zero_in_a_step_is_not_above_zero(value):
    with pytest.raises(ValueError, match=f"clipnorm={value}"):
        optimizers.SGD(clipnorm=value)
    assert optimizers.SGD(l2=value).l2 in (0.0, value)


def test_tensors_of_other_types_are_no_numbers():
    assert as_number(ops.convert_to_tensor(True, "bool")) is None
    assert as_number(keras.Variable(True, dtype="bool", trainable=False)) is None
    assert as_number(keras.Variable(0.5)) == 0.5
    assert as_number(ops.convert_to_tensor(2, "int32")) == 2.0
    assert as_number(ops.convert_to_tensor([2.0], "float32")) is None
    assert as_number(ops.convert_to_tensor(0.5, "bfloat16")) == 0.5


# Keras' own classes.

TWINS = {
    name: (getattr(keras.optimizers, cls.__name__), cls)
    for name in optimizers.names()
    if isinstance(
        getattr(keras.optimizers, (cls := optimizers.info(name).cls).__name__, None),
        type,
    )
}
OTHER_TWINS = {
    "L1": (keras.regularizers.L1, regularizers.L1),
    "L2": (keras.regularizers.L2, regularizers.L2),
    "L1L2": (keras.regularizers.L1L2, regularizers.L1L2),
    "MaxNorm": (keras.constraints.MaxNorm, constraints.MaxNorm),
    "MinMaxNorm": (keras.constraints.MinMaxNorm, constraints.MinMaxNorm),
    "NonNegative": (keras.constraints.NonNeg, constraints.NonNegative),
    "UnitNorm": (keras.constraints.UnitNorm, constraints.UnitNorm),
}


def positional(cls):
    parameters = inspect.signature(cls).parameters.values()
    return [p for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize("twin", [pytest.param(t, id=n) for n, t in TWINS.items()])
def test_positions_are_those_of_keras(twin):
    theirs, ours = map(positional, twin)
    assert [p.name for p in ours] == [p.name for p in theirs]
    assert [p.default for p in ours] == [p.default for p in theirs]


@pytest.mark.parametrize("twin", list(OTHER_TWINS.values()), ids=OTHER_TWINS)
def test_positions_of_regularizers_and_constraints_are_those_of_keras(twin):
    theirs, ours = map(positional, twin)
    assert [p.name for p in ours[: len(theirs)]] == [p.name for p in theirs]
    assert [p.default for p in ours[: len(theirs)]] == [p.default for p in theirs]


def test_there_are_twins():
    assert {"adam", "adamw", "muon", "nadam", "sgd", "lamb"} <= TWINS.keys()


@pytest.mark.parametrize("twin", [pytest.param(t, id=n) for n, t in TWINS.items()])
def test_a_call_with_all_positions_is_that_of_keras(twin):
    theirs, ours = twin
    given = [p.default for p in positional(theirs)]
    given[0] = 0.25
    made = ours(*given), theirs(*given)
    for p in positional(theirs):
        a, b = (getattr(x, p.name, None) for x in made)
        if p.name not in ("name", "exclude_layers", "learning_rate"):
            assert a == b, p.name
    assert float(made[0].learning_rate) == 0.25


def test_muon_and_nadam_by_position():
    muon = optimizers.Muon(1e-3, 0.8)
    assert (muon.adam_beta_1, muon.momentum) == (0.8, 0.95)
    assert optimizers.Nadam(1e-3, 0.9, 0.999, 1e-7, 0.004).weight_decay == 0.004


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in optimizers.names()
        if optimizers.info(n).cls.fields["weight_decay"].default is not None
    ],
)
def test_a_weight_decay_of_none_is_none(name):
    """`None` switches a default weight decay off, as in Keras' AdamW."""
    ends = []
    for decay in (None, 0.0):
        optimizer = optimizers.create(name, weight_decay=decay)
        ws = variables([np.ones((3, 2))])
        apply(optimizer, [np.full((3, 2), 0.5)], ws)
        ends += values(ws)
    np.testing.assert_allclose(*ends, rtol=1e-6)


# Schedules that leave the legal range.


class Foreign(keras_schedules.LearningRateSchedule):
    """A schedule of another package."""

    def __init__(self, function, **arguments):
        self.function = function
        vars(self).update(arguments)

    def __call__(self, step):
        return self.function(step)


def falls_below_zero(step):
    return 0.5 - 0.1 * ops.cast(step, "float32")


ILLEGAL_RATES = {
    "negative": Foreign(lambda t: 0.1 - 0.01 * t),
    "at its end": Foreign(lambda t: 0.1 if t < 5000 else -0.1, total_steps=5000),
    "nan": Foreign(lambda t: float("nan")),
    "infinite": Foreign(lambda t: np.inf),
    "none": Foreign(lambda t: None),
    "vector": Foreign(lambda t: np.ones(2)),
    "text": Foreign(lambda t: "fast"),
    "tensors": Foreign(falls_below_zero),
    "keras": keras_schedules.PolynomialDecay(0.1, 100, -0.1),
    "keras, at a boundary": keras_schedules.PiecewiseConstantDecay([7], [0.1, -0.1]),
    "inside of ours": schedules.Warmup(Foreign(falls_below_zero), 2),
}
ILLEGAL_BETAS = {
    "constant": schedules.Constant(1.5),
    "end": schedules.Linear(0.9, 100, final=1.1),
    "one step": schedules.Piecewise([100_000, 100_001], [0.9, 1.1, 0.9]),
    "in turn": schedules.Join(
        [schedules.Constant(0.9), schedules.Piecewise([7, 8], [0.9, 1.1, 0.9])], [9000]
    ),
    "scaled": 2 * schedules.Cosine(0.9, 10),
    "keras": keras_schedules.CosineDecay(0.9, 1000, warmup_target=1.2, warmup_steps=9),
}


@pytest.mark.parametrize("schedule", ILLEGAL_RATES.values(), ids=ILLEGAL_RATES)
def test_a_rate_that_becomes_illegal_is_refused(schedule):
    message = r"learning_rate=.*which is .* at step \d"
    with pytest.raises((TypeError, ValueError), match=message):
        optimizers.SGD(schedule)
    with pytest.raises((TypeError, ValueError), match=message):
        optimizers.SGD().drive("learning_rate", schedule)


@pytest.mark.parametrize("schedule", ILLEGAL_BETAS.values(), ids=ILLEGAL_BETAS)
def test_a_hyperparameter_that_leaves_its_range_is_refused(schedule):
    message = r"`beta_1` .*\[0, 1\).*Received: beta_1=.*which is .* at step \d"
    with pytest.raises(ValueError, match=message):
        optimizers.Adam(beta_1=schedule)
    with pytest.raises(ValueError, match=message):
        optimizers.Adam().drive("beta_1", schedule)
    with pytest.raises(ValueError, match=message):
        optimizers.Adam(groups=[Group("a", beta_1=schedule)])


@each_class
def test_every_number_that_may_be_driven_refuses_a_bad_schedule(fields):
    for field in fields:
        if not field.adjustable or isinstance(field, FactorField | RateField):
            continue  # takes no schedule, or is not checked by itself
        for bad in (lambda t: float("nan"), lambda t: float("inf"), lambda t: None):
            refused(field, Foreign(bad))
        number = legal_number(field)
        good = Foreign(lambda t, number=number: number)
        assert field.validate(good) is good


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.Cosine(0.1, 1000),
        schedules.OneCycle(0.1, 1000),
        schedules.InverseTime(0.1, 10),
        schedules.Warmup(keras_schedules.CosineDecay(0.1, 100), 10),
        keras_schedules.CosineDecay(0.1, 10, warmup_target=0.2, warmup_steps=3),
        keras_schedules.CosineDecayRestarts(0.1, 10),
        keras_schedules.ExponentialDecay(0.1, 10, 0.9),
        Foreign(lambda t: 1 / 0),  # cannot be evaluated in advance
        Foreign(lambda t: ops.exp(-ops.cast(t, "float32"))),
    ],
    ids=lambda x: type(x).__name__,
)
def test_schedules_that_stay_in_range_are_taken(schedule):
    assert optimizers.SGD(schedule).base_learning_rate is schedule


def test_a_schedule_that_is_cut_off_before_it_is_illegal_is_taken():
    falling = schedules.Linear(0.9, 100, final=2.0)
    joined = schedules.Join([falling, schedules.Constant(0.9)], [5])
    assert optimizers.Adam(beta_1=joined).beta_1 is joined


def test_a_schedule_may_end_at_an_end_of_the_range():
    limit = schedules.Linear(1.0, 100)
    assert transforms.ClipByNorm(limit).norm is limit
    with pytest.raises(ValueError, match="0.0 at step 50"):
        transforms.ClipByNorm(schedules.Join([limit, schedules.Constant(0.0)], [50]))


def test_a_callable_rate_is_not_called_before_training():
    calls = []
    optimizers.SGD(lambda: calls.append(1) or 0.1)
    assert calls == []


def test_a_rate_of_the_integer_step_says_how_to_write_it():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizers.SGD(lambda step: 0.1 / (1 + step)), "mse")
    x = np.ones((4, 2))
    if keras.backend.backend() == "tensorflow":
        with pytest.raises(TypeError, match=r"int64 .*cast\(step, 'float32'\)"):
            model.fit(x, x[:, 0], verbose=0)
    else:  # these convert integers
        model.fit(x, x[:, 0], verbose=0)
        assert model.optimizer.updates.value == 1


# Messages.

HINTS = {
    "lr": (lambda: optimizers.Adam(lr=0.1), "Adam .*lr=0.1. Write learning_rate=0.1."),
    "betas": (
        lambda: optimizers.AdamW(betas=(0.9, 0.99)),
        r"AdamW .*betas=\(0.9, 0.99\). Write beta_1=0.9, beta_2=0.99.",
    ),
    "wd": (lambda: optimizers.SGD(wd=0.1), "SGD .*Write weight_decay=0.1."),
    "eps": (lambda: optimizers.RMSprop(eps=1e-8), "Write epsilon=1e-08."),
    "momentum": (lambda: optimizers.Adam(momentum=0.8), "Write beta_1=0.8."),
    "alpha": (lambda: optimizers.RMSprop(alpha=0.9), "Write rho=0.9."),
    "decay": (lambda: optimizers.Adam(decay=1e-4), r"schedules.InverseTime\("),
    "amsgrad": (lambda: optimizers.SGD(amsgrad=True), "Adam and AdamW have it"),
    "clip": (lambda: optimizers.SGD(max_norm=1.0), "Write global_clipnorm=1.0."),
    "create": (lambda: optimizers.create("adam", lr=1), "Adam .*Write learning_rate=1"),
    "wrapper": (
        lambda: optimizers.EMA(optimizers.SGD(), lr=1),
        r"EMA .*Write learning_rate=1 in SGD\(...\).",
    ),
    "a cycle": (
        lambda: schedules.Cyclical(0.1, 0.3, step_size=9),
        "steps: of Cyclical a whole cycle, twice the step_size",
    ),
    "radius": (
        lambda: optimizers.ConditionalGradient(lambda_=2.0),
        "Write radius=2.0",
    ),
    "rise and fall": (
        lambda: optimizers.RAdam(warmup_proportion=0.1),
        r"schedules.Warmup\(schedules.Linear\(rate\), 0.1\)",
    ),
    "group": (lambda: Group("a", lr=0.1), "lr=0.1. Write learning_rate=0.1."),
    "group betas": (lambda: Group("a", betas=(0.1, 0.2)), "Write beta_1=0.1, beta_2="),
    "group of one": (
        lambda: optimizers.SGD(groups=[Group("a", beta_1=0.5)]),
        "Group of SGD .*beta_1=0.5",
    ),
}


@pytest.mark.parametrize(("call", "message"), HINTS.values(), ids=HINTS)
def test_names_of_other_libraries_are_answered_with_ours(call, message):
    with pytest.raises(TypeError, match=f"(?s){message}"):
        call()


def test_a_hyperparameter_is_found_under_the_names_of_others():
    for call in (lambda o: o.adjust("wd", 0.1), lambda o: o.drive("wd", 0.1)):
        with pytest.raises(AttributeError, match="Adam .*Did you mean 'weight_decay'"):
            call(optimizers.Adam())


REFUSED = {
    "patterns": (lambda: optimizers.Muon(exclude_layers=["("]), "exclude_layers="),
    "no patterns": (lambda: optimizers.Muon(exclude_layers=[1]), "exclude_layers="),
    "var_names": (
        lambda: optimizers.SGD().exclude_from_weight_decay(var_names=["("]),
        "var_names=",
    ),
    "var_names of ints": (
        lambda: optimizers.SGD().exclude_from_weight_decay(var_names=[1]),
        "var_names=",
    ),
    "var_list": (
        lambda: optimizers.SGD().exclude_from_weight_decay(var_list=["bias"]),
        "var_list=",
    ),
    "create": (lambda: optimizers.create(3), "name=3"),
    "info": (lambda: optimizers.info(None), "name=None"),
    "names": (lambda: optimizers.names(3), "pattern=3"),
    "match": (lambda: regularizers.regularize(mlp(), match=3, kernel=abs), "match=3"),
    "skip": (lambda: constraints.constrain(mlp(), skip=[3], kernel=abs), "skip="),
    "model": (lambda: regularizers.regularize("model", kernel=abs), "'model'"),
    "builtin": (lambda: optimizers.SGD(max), "learning_rate=<built-in function max>"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_functions_refuse_what_they_do_not_take(call, message):
    with pytest.raises((TypeError, ValueError), match=f"Received: .*{message}"):
        call()


def test_one_pattern_needs_no_list():
    assert optimizers.Muon(exclude_layers="head").exclude_layers == ("head",)
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names="w1")
    ws = variables([np.ones(2), np.ones(2)])
    apply(optimizer, [np.zeros(2), np.zeros(2)], ws)
    assert [x[0] for x in values(ws)] == pytest.approx([0.95, 1.0])


def test_a_pattern_of_an_exclusion_that_finds_nothing_is_said():
    optimizer = optimizers.AdamW()
    optimizer.exclude_from_weight_decay(var_names=["w", "gamma"])
    with pytest.warns(UserWarning, match=r"var_names=\['gamma'\].*named: w0"):
        optimizer.build(variables([np.ones(2)]))


@pytest.mark.parametrize("name", NAMES)
def test_repr_makes_it_again_and_shows_its_numbers(name):
    inner = {"optimizer": optimizers.SGD()} if name in optimizers.wrappers() else {}
    optimizer = optimizers.create(name, **inner)
    again = eval(repr(optimizer), vars(optimizers) | {"Toy": Toy})
    assert again.get_config() == optimizer.get_config() | {
        k: v for k, v in again.get_config().items() if k in ("name", "optimizer")
    }
    for key, about in optimizers.info(name).hyperparameters.items():
        if isinstance(about.default, int | float) and not isinstance(
            about.default, bool
        ):
            assert f"{key}=" in repr(optimizer)


def test_repr_says_what_is_now():
    optimizer = optimizers.Adam()
    assert repr(optimizer).startswith("Adam(learning_rate=0.001, beta_1=0.9, ")
    optimizer.learning_rate = 2e-3
    optimizer.adjust("beta_1", 0.95)
    assert repr(optimizer).startswith("Adam(learning_rate=0.002, beta_1=0.95, ")
    assert "weight_decay=0.004" in repr(optimizers.AdamW())
    assert repr(transforms.ClipByNorm()) == "ClipByNorm(norm=1.0)"
    assert repr(regularizers.L2()) == "L2(l2=0.01)"
    assert repr(schedules.Linear(0.1, 4)) == "Linear(initial=0.1, steps=4, final=0.0)"
    decay = keras_schedules.ExponentialDecay(0.1, 10, 0.9)
    assert "learning_rate=ExponentialDecay(initial" in repr(optimizers.SGD(decay))
    group = Group("a", learning_rate=0.5, frozen=True, beta_1=0.8)
    assert repr(group) == "Group('a', learning_rate=0.5, frozen=True, beta_1=0.8)"
