"""Arguments of schedules: the length, bad input, and user-defined schedules."""

import inspect
import math

import keras
import numpy as np
import pytest

from keras_optlab.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclical,
    Exponential,
    InverseTime,
    Join,
    Linear,
    OneCycle,
    Piecewise,
    Polynomial,
    PowerCool,
    Rex,
    Scaled,
    Schedule,
    Timed,
    Warmup,
    WarmupStableDecay,
)
from keras_optlab.schedules.arguments import rate, steps
from tests.support.schedule_examples import TIMED, named


def required(cls):
    """Return a value for each required argument of a schedule, except the steps."""
    parameters = inspect.signature(cls).parameters.values()
    return {p.name: 0.1 for p in parameters if p.default is p.empty}


@pytest.mark.parametrize("cls", TIMED, ids=named)
def test_length_in_epochs(cls):
    other = required(cls)
    by_steps = cls(**other, steps=1407)
    by_epochs = cls(**other, epochs=3, steps_per_epoch=469)
    assert repr(by_epochs) == repr(by_steps)
    assert by_epochs.get_config() == by_steps.get_config()
    assert cls(**other, epochs=0.5, steps_per_epoch=np.int64(9)).steps == 4
    signature = inspect.signature(cls)
    assert list(signature.parameters)[-2:] == ["epochs", "steps_per_epoch"]
    for name in ("epochs", "steps_per_epoch"):
        assert signature.parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
    assert "steps_per_epoch" not in by_steps.fields


@pytest.mark.parametrize("cls", TIMED, ids=named)
@pytest.mark.parametrize(
    ("length", "received"),
    [
        ({"steps_per_epoch": 9}, "steps=None, epochs=None, steps_per_epoch=9"),
        ({"steps": 9, "epochs": 3}, "steps=9, epochs=3.0, steps_per_epoch=None"),
        (
            {"steps": 9, "epochs": 3, "steps_per_epoch": 3},
            "steps=9, epochs=3.0, steps_per_epoch=3",
        ),
    ],
    ids=["steps_per_epoch alone", "steps, epochs", "all"],
)
def test_the_length_must_not_be_given_in_two_ways(cls, length, received):
    with pytest.raises(TypeError, match="must be given either as `steps`, or") as error:
        cls(**required(cls), **length)
    assert str(error.value).endswith(f"Received: {received}")


def test_steps_go_on_working_by_position():
    assert Cosine(0.1, 4).steps == 4
    assert Warmup(0.1, 7, 0.01).steps == 7
    with pytest.raises(TypeError, match="Received: steps=4, epochs=2.0"):
        Cosine(0.1, 4, epochs=2, steps_per_epoch=2)


BAD = {
    "steps=0": lambda: Cosine(0.1, 0),
    "steps=-3": lambda: Cosine(0.1, -3),
    "steps=2.5": lambda: Cosine(0.1, 2.5),
    "steps='10'": lambda: Cosine(0.1, "10"),
    "steps=True": lambda: Cosine(0.1, True),
    "steps=nan": lambda: Linear(0.1, math.nan),
    "cooldown=0": lambda: PowerCool(0.1, 9, cooldown=0.0),
    "cooldown=1.5": lambda: PowerCool(0.1, 9, cooldown=1.5),
    "power=0 ": lambda: PowerCool(0.1, 9, power=0.0),
    "steps=inf": lambda: Rex(0.1, math.inf),
    "epochs=0": lambda: Cosine(0.1, epochs=0, steps_per_epoch=9),
    "epochs=-1": lambda: Cosine(0.1, epochs=-1, steps_per_epoch=9),
    "epochs='3'": lambda: Cosine(0.1, epochs="3", steps_per_epoch=9),
    "epochs=nan": lambda: Cosine(0.1, epochs=math.nan, steps_per_epoch=9),
    "steps_per_epoch=0": lambda: Cosine(0.1, epochs=1, steps_per_epoch=0),
    "steps_per_epoch=4.5": lambda: Cosine(0.1, epochs=1, steps_per_epoch=4.5),
    "steps=0 ": lambda: Cosine(0.1, epochs=0.01, steps_per_epoch=3),
    "initial=-0.1": lambda: Cosine(-0.1, 10),
    "initial=nan": lambda: Cosine(math.nan, 10),
    "initial=inf": lambda: Cosine(math.inf, 10),
    "initial=None": lambda: Cosine(None, 10),
    "final=-1": lambda: Cosine(0.1, 10, final=-1),
    "final=Cosine": lambda: Cosine(0.1, 10, final=Cosine(0.1, 10)),
    "value=-1": lambda: Constant(-1),
    "value=Cosine": lambda: Constant(Cosine(0.1, 10)),
    "peak=-1.0": lambda: OneCycle(-1.0, 10),
    "warmup=0.0": lambda: OneCycle(0.1, 10, warmup=0.0),
    "warmup=1.0": lambda: OneCycle(0.1, 10, warmup=1.0),
    "initial_factor=2": lambda: OneCycle(0.1, 10, initial_factor=2),
    "final_factor=-1": lambda: OneCycle(0.1, 10, final_factor=-1),
    "schedule=-0.1": lambda: Warmup(-0.1, 10),
    "schedule='cosine'": lambda: Warmup("cosine", 10),
    "initial=nan ": lambda: Warmup(0.1, 10, initial=math.nan),
    "final=nan": lambda: Linear(0.1, 10, final=math.nan),
    "power=0": lambda: Polynomial(0.1, 10, power=0),
    "power='two'": lambda: Polynomial(0.1, 10, power="two"),
    "decay_rate=0": lambda: Exponential(0.1, 10, decay_rate=0),
    "decay_rate=-0.5": lambda: InverseTime(0.1, 10, decay_rate=-0.5),
    "staircase=1": lambda: Exponential(0.1, 10, staircase=1),
    "t_mul=0.5": lambda: CosineRestarts(0.1, 10, t_mul=0.5),
    "m_mul=0": lambda: CosineRestarts(0.1, 10, m_mul=0),
    "mode='triangle'": lambda: Cyclical(0.1, 0.3, 10, mode="triangle"),
    "gamma=1.5": lambda: Cyclical(0.1, 0.3, 10, mode="exp_range", gamma=1.5),
    "gamma=None with mode='exp_range'": lambda: Cyclical(0.1, 0.3, 10, "exp_range"),
    "gamma=0.9 with mode='triangular'": lambda: Cyclical(0.1, 0.3, 10, gamma=0.9),
    "warmup=0.5, decay=0.6": lambda: WarmupStableDecay(0.1, 10, 0.5, 0.6),
    "decay=0": lambda: WarmupStableDecay(0.1, 10, decay=0),
    "shape='sqrt'": lambda: WarmupStableDecay(0.1, 10, shape="sqrt"),
    "boundaries=[5, 3]": lambda: Piecewise([5, 3], [0.3, 0.2, 0.1]),
    "boundaries=[5, 5]": lambda: Join([0.3, 0.2, 0.1], [5, 5]),
    "boundaries=2.5": lambda: Piecewise([2.5], [0.2, 0.1]),
    "boundaries=0": lambda: Join([0.2, 0.1], [0]),
    "boundaries=-2": lambda: Piecewise([-2], [0.2, 0.1]),
    "boundaries=nan": lambda: Piecewise([math.nan], [0.2, 0.1]),
    "boundaries=10": lambda: Piecewise(10, [0.2, 0.1]),
    "boundaries='10'": lambda: Join([0.2, 0.1], ["10"]),
    "levels=-0.1": lambda: Piecewise([10], [0.2, -0.1]),
    "levels=nan": lambda: Piecewise([10], [0.2, math.nan]),
    "levels=Cosine": lambda: Piecewise([10], [0.2, Cosine(0.1, 10)]),
    "levels=[0.2] and boundaries=[10], of lengths 1": lambda: Piecewise([10], [0.2]),
    "levels=[1.0, 2.0, 3.0]": lambda: Piecewise([10], [1, 2, 3]),
    "schedules=[] and boundaries=[]": lambda: Join([], []),
    "schedules=[0.1] and boundaries=[5]": lambda: Join([0.1], [5]),
    "schedules=Cosine": lambda: Join(Cosine(0.1, 10), []),
    "schedules='cosine'": lambda: Join(["cosine", 0.1], [5]),
    "schedules=nan": lambda: Join([0.1, math.nan], [5]),
    "factor=-1": lambda: Cosine(0.1, 10) * -1,
    "factor=nan": lambda: math.nan * Cosine(0.1, 10),
    "factor='2'": lambda: Cosine(0.1, 10) * "2",
    "factor=Cosine": lambda: Cosine(0.1, 10) * Cosine(0.1, 10),
    "schedule=None": lambda: Scaled(None, 2),
    "step=-1": lambda: Cosine(0.1, 10)(-1),
    "step=nan": lambda: Cosine(0.1, 10)(math.nan),
    "step=array([ 0, -1])": lambda: Cosine(0.1, 10)(np.array([0, -1])),
    "n=-1": lambda: Cosine(0.1, 10).values(-1),
    "n=2.5": lambda: Cosine(0.1, 10).values(2.5),
    "n=None": lambda: Cosine(0.1, 10).values(None),
    "n=0": lambda: Cosine(0.1, 10).plot(0),
}


@pytest.mark.parametrize("received", BAD)
def test_bad_input_says_what_it_received(received):
    with pytest.raises((TypeError, ValueError), match="must be .*Received: ") as error:
        BAD[received]()
    assert f"Received: {received.strip()}" in str(error.value)


def test_a_misspelled_argument_is_told_of_the_nearest():
    with pytest.raises(TypeError, match="Received: epoch=3. Did you mean 'epochs'?"):
        Cosine(0.1, epoch=3, steps_per_epoch=9)


def test_a_schedule_does_not_change():
    with pytest.raises(AttributeError, match="Received: steps=20"):
        Cosine(0.1, 10).steps = 20


def test_a_new_schedule_is_its_arguments_and_a_formula():
    class InverseRoot(Timed):
        initial: float = rate("value at step 0")
        steps: int = steps("time until half")

        def formula(self, step, ops):
            return self.initial / ops.sqrt(1.0 + 3.0 * step / self.steps)

    class Again(InverseRoot):
        """A schedule that inherits everything, also the length in epochs."""

    assert Again(0.2, epochs=2, steps_per_epoch=3).get_config() == {
        "initial": 0.2,
        "steps": 6,
        "epochs": None,
    }
    schedule = Warmup(InverseRoot(0.2, 6), 2)
    np.testing.assert_allclose(schedule.values(3), [0.0, 0.1, 0.2])
    assert schedule(8) == pytest.approx(0.1)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(schedule)
    )
    assert again(8) == pytest.approx(0.1)
    assert float(again(keras.ops.convert_to_tensor(8))) == pytest.approx(0.1)


def test_a_schedule_without_a_formula_says_so():
    class Nothing(Schedule):
        """A schedule without a `formula`."""

    with pytest.raises(NotImplementedError, match="Nothing must define `formula"):
        Nothing()(0)
