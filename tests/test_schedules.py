import copy
import json
import math

import keras
import numpy as np
import pytest
from keras.optimizers import schedules as keras_schedules

from keras_optlab.schedules import Cosine, OneCycle, Schedule, Warmup
from keras_optlab.schedules.arguments import rate, steps

EXAMPLES = [
    Cosine(0.1, 4),
    Cosine(3e-3, 4699, final=7e-5),
    Cosine(0.04, 100, final=0.4),
    OneCycle(3e-3, 4700),
    OneCycle(0.7, 10, warmup=0.33, initial_factor=0.1, final_factor=0.01),
    Warmup(0.1, 7),
    Warmup(Cosine(0.1, 30, final=0.003), 11, initial=0.007),
    Warmup(Warmup(OneCycle(0.1, 9), 3), 3),
    Warmup(keras_schedules.PiecewiseConstantDecay([3, 5], [0.3, 0.2, 0.1]), 4),
]


@pytest.fixture(params=EXAMPLES, ids=lambda schedule: type(schedule).__name__)
def schedule(request):
    return request.param


def counter(step):
    """Return what an optimizer counts its updates with."""
    return keras.Variable(step, dtype="int32", trainable=False)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Cosine(0.1, 4), {0: 0.1, 1: 0.05 * (1 + math.sqrt(0.5)), 2: 0.05, 4: 0.0}),
        (Cosine(0.1, 4, final=0.02), {0: 0.1, 2: 0.06, 4: 0.02, 1000: 0.02}),
        (Cosine(0.0, 2, final=0.4), {0: 0.0, 1: 0.2, 2: 0.4}),
        (
            OneCycle(1.0, 10, warmup=0.4, initial_factor=0.1, final_factor=0.01),
            {0: 0.1, 2: 0.55, 4: 1.0, 7: 0.5005, 10: 0.001, 99: 0.001},
        ),
        (OneCycle(1.0, 10), {0: 0.04, 3: 1.0, 10: 4e-6}),
        (Warmup(0.1, 4), {0: 0.0, 1: 0.025, 3: 0.075, 4: 0.1, 99: 0.1}),
        (
            Warmup(Cosine(0.1, 4), 2, initial=0.02),
            {0: 0.02, 1: 0.06, 2: 0.1, 4: 0.05, 6: 0.0, 7: 0.0},
        ),
        (
            Warmup(keras_schedules.PiecewiseConstantDecay([2], [0.5, 0.25]), 2),
            {0: 0.0, 1: 0.25, 2: 0.5, 4: 0.5, 5: 0.25},
        ),
    ],
    ids=lambda x: type(x).__name__,
)
def test_values_worked_by_hand(schedule, expected):
    for step, value in expected.items():
        assert schedule(step) == pytest.approx(value, abs=1e-15, rel=1e-12)


@pytest.mark.parametrize(
    ("schedule", "last", "start", "end"),
    [
        (Cosine(0.1, 4699, final=0.0033), 4699, 0.1, 0.0033),
        (Cosine(3e-3, 7), 7, 3e-3, 0.0),
        (Cosine(0.04, 1_000_003, final=0.4), 1_000_003, 0.04, 0.4),
        (OneCycle(0.7, 10, warmup=0.33), 10, 0.7 / 25, 0.7 / 25 * 1e-4),
        (OneCycle(3e-3, 4699, final_factor=0), 4699, 3e-3 / 25, 0.0),
        (Warmup(Cosine(0.1, 300, final=0.003), 111, 0.007), 411, 0.007, 0.003),
    ],
    ids=repr,
)
def test_both_ends_are_exact_and_the_end_is_held(schedule, last, start, end):
    float32 = {np.float32(start): [0], np.float32(end): [last, last + 1, 10 * last]}
    for value, at in float32.items():
        for step in at:
            assert np.float32(schedule(step)) == value
            assert float(schedule(counter(step))) == value


def test_peak_of_one_cycle_is_exact():
    schedule = OneCycle(3e-3, 4700)
    assert schedule(1410) == 3e-3
    assert float(schedule(counter(1410))) == np.float32(3e-3)
    assert schedule.values(4701).max() == 3e-3


def test_any_kind_of_step_gives_the_same_value(schedule):
    expected = schedule.values(50)
    assert expected.dtype == "float64"
    assert expected.shape == (50,)
    for step in (0, 1, 6, 13, 49):
        kinds = (
            step,
            float(step),
            np.int64(step),
            np.array(step),
            keras.ops.convert_to_tensor(step),
            keras.ops.convert_to_tensor(step, dtype="float32"),
            counter(step),
        )
        for kind in kinds:
            value = float(schedule(kind))
            assert value == pytest.approx(expected[step], rel=1e-5, abs=1e-8)
    assert isinstance(schedule(3), float)


def test_half_precision_floatx_still_counts_steps():
    floatx = keras.config.floatx()
    keras.config.set_floatx("float16")
    try:
        value = Cosine(0.1, 140_000)(counter(70_000))
    finally:
        keras.config.set_floatx(floatx)
    assert float(value) == pytest.approx(0.05, rel=1e-6)


def test_a_compiled_fit_with_an_optimizer_of_keras_follows_the_schedule(schedule):
    # The loss is the weight itself, so that every update is minus the rate.
    model = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros"),
        ]
    )
    optimizer = keras.optimizers.SGD(learning_rate=schedule)
    model.compile(optimizer, loss=lambda y, p: keras.ops.mean(p))
    ones = np.ones((6, 1), "float32")
    model.fit(ones, ones, batch_size=1, epochs=2, verbose=0)
    weight = float(keras.ops.convert_to_numpy(model.weights[0])[0, 0])
    assert weight == pytest.approx(-schedule.values(12).sum(), rel=1e-5, abs=1e-8)
    assert float(optimizer.learning_rate) == pytest.approx(schedule(12), rel=1e-5)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Cosine(0.1, 50, final=0.01), keras_schedules.CosineDecay(0.1, 50, alpha=0.1)),
        (
            Warmup(Cosine(0.1, 50, final=0.01), 10, initial=0.02),
            keras_schedules.CosineDecay(
                0.02, 50, alpha=0.1, warmup_target=0.1, warmup_steps=10
            ),
        ),
    ],
    ids=["plain", "warmup"],
)
def test_equals_cosine_decay_of_keras(ours, theirs):
    for step in (0, 1, 9, 10, 11, 37, 49, 50, 59, 60, 61):
        assert ours(step) == pytest.approx(float(theirs(step)), abs=2e-8)


def test_equals_optax():
    optax = pytest.importorskip("optax")
    pairs = [
        (Cosine(0.1, 50, final=0.01), optax.cosine_decay_schedule(0.1, 50, 0.1)),
        (OneCycle(0.1, 50), optax.cosine_onecycle_schedule(50, 0.1)),
        (
            Warmup(Cosine(0.1, 40, final=0.01), 10, initial=0.02),
            optax.warmup_cosine_decay_schedule(0.02, 0.1, 10, 50, 0.01),
        ),
    ]
    for ours, theirs in pairs:
        expected = [float(theirs(t)) for t in range(60)]
        np.testing.assert_allclose(ours.values(60), expected, atol=2e-8)


@pytest.mark.skipif(
    keras.backend.backend() != "torch",
    reason="values are NumPy on any backend; torch's optimizers load for seconds, and "
    "crash a process that holds TensorFlow",
)
@pytest.mark.parametrize(("steps", "warmup"), [(50, 0.3), (37, 0.41), (9, 0.5)])
def test_equals_one_cycle_of_torch(steps, warmup):
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=0.1,
        total_steps=steps + 1,
        pct_start=(warmup * steps + 1) / (steps + 1),
        cycle_momentum=False,
    )
    expected = [theirs.get_last_lr()[0]]
    for _ in range(steps):
        optimizer.step()
        theirs.step()
        expected.append(theirs.get_last_lr()[0])
    ours = OneCycle(0.1, steps, warmup).values(steps + 1)
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-16)


def test_serialization_keeps_every_value(schedule):
    values = schedule.values(50)
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(schedule)))
    assert saved["registered_name"].startswith("keras_optlab.schedules>")
    restored = [
        keras.saving.deserialize_keras_object(saved),
        keras_schedules.deserialize(keras_schedules.serialize(schedule)),
        type(schedule).from_config(schedule.get_config()),
        copy.deepcopy(schedule),
    ]
    optimizer = keras.optimizers.Adam(learning_rate=schedule)
    again = keras.optimizers.Adam.from_config(optimizer.get_config())
    restored.append(again._learning_rate)
    for other in restored:
        assert type(other) is type(schedule)
        np.testing.assert_array_equal(other.values(50), values)


def test_a_saved_model_keeps_its_schedule(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    schedule = Warmup(Cosine(0.1, 30), 5)
    model.compile(keras.optimizers.SGD(learning_rate=schedule), loss="mse")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert repr(loaded.optimizer._learning_rate) == repr(schedule)


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: Cosine(0.1, 0), "steps=0"),
        (lambda: Cosine(0.1, -3), "steps=-3"),
        (lambda: Cosine(0.1, 2.5), "steps=2.5"),
        (lambda: Cosine(0.1, "10"), "steps='10'"),
        (lambda: Cosine(0.1, True), "steps=True"),
        (lambda: Cosine(-0.1, 10), "initial=-0.1"),
        (lambda: Cosine(math.nan, 10), "initial=nan"),
        (lambda: Cosine(math.inf, 10), "initial=inf"),
        (lambda: Cosine(None, 10), "initial=None"),
        (lambda: Cosine(0.1, 10, final=-1), "final=-1"),
        (lambda: Cosine(0.1, 10, final=Cosine(0.1, 10)), "final=Cosine"),
        (lambda: OneCycle(-1.0, 10), "peak=-1.0"),
        (lambda: OneCycle(0.1, 0), "steps=0"),
        (lambda: OneCycle(0.1, 10, warmup=0.0), "warmup=0.0"),
        (lambda: OneCycle(0.1, 10, warmup=1.0), "warmup=1.0"),
        (lambda: OneCycle(0.1, 10, initial_factor=2), "initial_factor=2"),
        (lambda: OneCycle(0.1, 10, final_factor=-1), "final_factor=-1"),
        (lambda: Warmup(0.1, 0), "steps=0"),
        (lambda: Warmup(-0.1, 10), "schedule=-0.1"),
        (lambda: Warmup("cosine", 10), "schedule='cosine'"),
        (lambda: Warmup(0.1, 10, initial=math.nan), "initial=nan"),
    ],
)
def test_bad_input_says_what_it_received(make, received):
    with pytest.raises((TypeError, ValueError), match="must be .* Received: ") as error:
        make()
    assert f"Received: {received}" in str(error.value)


def test_numpy_numbers_become_plain_ones():
    config = Cosine(np.float32(0.5), np.int64(10), final=0).get_config()
    assert config == {"initial": 0.5, "steps": 10, "final": 0.0}
    assert json.dumps(config)


def test_a_schedule_does_not_change():
    with pytest.raises(AttributeError, match="Received: steps=20"):
        Cosine(0.1, 10).steps = 20


def test_a_new_schedule_is_its_arguments_and_a_formula():
    class InverseRoot(Schedule):
        initial: float = rate("value at step 0")
        steps: int = steps("time until half")

        def formula(self, step, ops):
            return self.initial / ops.sqrt(1.0 + 3.0 * step / self.steps)

    schedule = Warmup(InverseRoot(0.2, 6), 2)
    np.testing.assert_allclose(schedule.values(3), [0.0, 0.1, 0.2])
    assert schedule(8) == pytest.approx(0.1)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(schedule)
    )
    assert again(8) == pytest.approx(0.1)
    assert float(again(counter(8))) == pytest.approx(0.1)
